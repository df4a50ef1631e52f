"""The methods that detect: a box per nucleus."""

from __future__ import annotations

from nbtools.methods.registry.row import Paper, Row

ROWS = (
    Row(
        name="yolo",
        path="nbtools.methods.detect.yolo:Yolo",
        title="After YOLO: boxes from the cells in their middle",
        task="detection",
        dims=(2, 3),
        needs=("boxes",),
        system="YOLO",
        paper=Paper(
            "You only look once: unified, real-time object detection", "10.1109/CVPR.2016.91", 2016
        ),
        lesson="notebooks/12b_boxes_and_markers.ipynb",
        parameters=845_157,
        weights="demo_yolo",
    ),
    Row(
        name="retinanet",
        path="nbtools.methods.detect.retinanet:RetinaNet",
        title="After RetinaNet: anchors on a pyramid of features, and the focal loss",
        task="detection",
        dims=(2, 3),
        needs=("boxes",),
        system="RetinaNet",
        paper=Paper("Focal loss for dense object detection", "10.1109/ICCV.2017.324", 2017),
        lesson="notebooks/12b_boxes_and_markers.ipynb",
        parameters=908_143,
        weights="demo_retinanet",
    ),
    Row(
        name="faster_rcnn",
        path="nbtools.methods.detect.faster_rcnn:FasterRCNN",
        title="After Faster R-CNN: regions that may hold a nucleus, and a second look at each",
        task="detection",
        dims=(2,),
        needs=("boxes",),
        system="Faster R-CNN",
        paper=Paper(
            "Faster R-CNN: towards real-time object detection with region proposal networks",
            "10.1109/TPAMI.2016.2577031",
            2015,
        ),
        lesson="notebooks/12b_boxes_and_markers.ipynb",
        parameters=964_341,
        weights="demo_faster_rcnn",
    ),
)
