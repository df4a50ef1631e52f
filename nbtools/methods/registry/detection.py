"""The methods that detect: a point or a box per nucleus."""

from __future__ import annotations

from nbtools.methods.registry.row import Paper, Row

ROWS = (
    Row(
        name="blob_log",
        path="nbtools.methods.detect.blob_log:BlobLog",
        title="Laplacian of Gaussian: blobs of the size of a nucleus",
        task="detection",
        dims=(2, 3),
        needs=("nothing",),
        system="classical baseline",
        paper=Paper(
            "Feature detection with automatic scale selection", "10.1023/A:1008045108935", 1998
        ),
        lesson="notebooks/12_points_and_boxes.ipynb",
        built_on="scikit-image",
        target="blobs:BlobTarget",
    ),
    Row(
        name="kinet",
        path="nbtools.methods.detect.kinet:KiNet",
        title="KiNet: proximity of the next centre, a map per class",
        task="detection",
        dims=(2, 3),
        needs=("points",),
        system="KiNet",
        paper=Paper(
            "Pixel-to-pixel learning with weak supervision for single-stage nucleus recognition "
            "in Ki67 images",
            "10.1109/TBME.2019.2900378",
            2019,
        ),
        lesson="notebooks/12_points_and_boxes.ipynb",
        parameters=280_305,
        weights="demo_kinet",
        target="proximity:ProximityTarget",
    ),
    Row(
        name="sp_cnn",
        path="nbtools.methods.detect.sp_cnn:SpCnn",
        title="SP-CNN: proximity, with outlines of nuclei as a prior",
        task="detection",
        dims=(2, 3),
        needs=("points",),
        system="SP-CNN",
        paper=Paper(
            "Deep networks with shape priors for nucleus detection",
            "10.48550/arXiv.1807.03135",
            2018,
        ),
        lesson="notebooks/12_points_and_boxes.ipynb",
        parameters=56_449,
        weights="demo_sp_cnn",
        target="outlines:OutlinedTarget",
    ),
    Row(
        name="nuclei_detection",
        path="nbtools.methods.detect.nuclei_detection:NucleiDetection",
        title="NucleiDetection: a small disc at each centre",
        task="detection",
        dims=(2, 3),
        needs=("points",),
        system="NucleiDetection",
        paper=Paper(
            "Generalized fixation invariant nuclei detection through domain adaptation based deep "
            "learning",
            "10.1109/JBHI.2020.3039414",
            2021,
        ),
        lesson="notebooks/12_points_and_boxes.ipynb",
        parameters=135_485,
        weights="demo_nuclei_detection",
        target="discs:DiscTarget",
    ),
)
