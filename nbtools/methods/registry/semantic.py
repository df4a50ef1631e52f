"""The methods that say what each pixel is: nuclei by their borders, or several classes."""

from __future__ import annotations

from nbtools.methods.registry.row import Paper, Row

SHARED = {
    "task": "instances",
    "also": ("semantic",),
    "dims": (2, 3),
    "needs": ("labels",),
    "lesson": "notebooks/09_find_the_nuclei.ipynb",
    "target": "pixel_classes:PixelTarget",
}

ROWS = (
    Row(
        name="fpn",
        path="nbtools.methods.segment.fpn:FPN",
        title="FPN: a pyramid of features on a classifier's encoder",
        system="FPN",
        paper=Paper("Feature pyramid networks for object detection", "10.1109/CVPR.2017.106", 2017),
        parameters=413_635,
        weights="demo_fpn",
        **SHARED,
    ),
    Row(
        name="hrnet",
        path="nbtools.methods.segment.hrnet:HRNet",
        title="HRNet: several resolutions side by side",
        system="HRNet",
        paper=Paper(
            "Deep high-resolution representation learning for visual recognition",
            "10.1109/TPAMI.2020.2983686",
            2020,
        ),
        parameters=454_860,
        weights="demo_hrnet",
        **SHARED,
    ),
    Row(
        name="fullnet",
        path="nbtools.methods.segment.fullnet:FullNet",
        title="FullNet: full resolution, dilations, and even nuclei",
        system="FullNet",
        paper=Paper(
            "Improving nuclei/gland instance segmentation in histopathology images by full "
            "resolution neural network and spatial constrained loss",
            "10.1007/978-3-030-32239-7_42",
            2019,
        ),
        parameters=29_531,
        weights="demo_fullnet",
        **(SHARED | {"target": "numbered_pixels:NumberedPixelTarget"}),
    ),
    Row(
        name="unetr",
        path="nbtools.methods.segment.unetr:UNETR",
        title="UNETR: a transformer on patches, and a decoder back to the pixels",
        system="UNETR",
        paper=Paper(
            "UNETR: transformers for 3D medical image segmentation",
            "10.1109/WACV51458.2022.00181",
            2022,
        ),
        parameters=614_131,
        weights="demo_unetr",
        **SHARED,
    ),
)
