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
        lesson="notebooks/12_detect_then_segment.ipynb",
        built_on="scikit-image",
        target="blobs:BlobTarget",
    ),
)
