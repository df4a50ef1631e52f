"""Models of others, which `nbtools import` brings in: they predict, and are no methods to train."""

from __future__ import annotations

from nbtools.methods.registry.row import Paper, Row

PAPER = Paper(
    "BioImage Model Zoo: a community-driven resource for accessible deep learning in bioimage "
    "analysis",
    "10.1101/2022.06.07.495102",
    2022,
)


CARE = Paper(
    "Content-aware image restoration: pushing the limits of fluorescence microscopy",
    "10.1038/s41592-018-0216-7",
    2018,
)


def _make_row(
    name: str,
    path: str,
    *,
    title: str,
    task: str,
    paper: Paper = PAPER,
    system: str = "bioimage.io",
) -> Row:
    return Row(
        name=name,
        path=f"nbtools.methods.{path}",
        title=title,
        task=task,
        dims=(2, 3),
        needs=("labels",),  # of those who trained it
        system=system,
        paper=paper,
        lesson="notebooks/18_share.ipynb",
        built_on="keras" if paper is CARE else "onnxruntime",
    )


ROWS = (
    _make_row(
        "imported_segmentation",
        "imported:ImportedSegmentation",
        title="A network of others that finds nuclei",
        task="instances",
    ),
    _make_row(
        "imported_restoration",
        "imported:ImportedRestoration",
        title="A network of others that restores images",
        task="restoration",
    ),
    _make_row(
        "imported_care",
        "imported_care:ImportedCare",
        title="A CARE network of others that restores images",
        task="restoration",
        paper=CARE,
        system="CARE",
    ),
)
