"""A data set as a folder for a repository, and what others would miss in it.

References
----------
Mougeot et al. 2022, doi:10.1242/jcs.258986 (what papers share, and what they do not).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nbtools import data, io, show
from nbtools.data import DataSet, rembi
from nbtools.image import RGB, Image

PREVIEWS = 12  # pictures at most
SHARING = {  # code → severity, where, message, remedy
    "no_pixel_size": (
        "warning",
        "images",
        "The pixel size of some images is not known.",
        "Write spacing_um = [0.5, 0.2, 0.2] in dataset.toml.",
    ),
    "mixed_types": (
        "note",
        "images",
        "Images of one set are of one type of numbers.",
        "Say in the description why they differ.",
    ),
    "no_labels": (
        "note",
        "labels",
        "Nobody can train with images alone.",
        "Add labels, or say in the description what they are for.",
    ),
    "some_labels": (
        "note",
        "labels",
        "Some images have no labels.",
        "Add them, or say in the description what those images are for.",
    ),
    "no_split": (
        "note",
        "images",
        "Scores of others can be compared only on the same test images.",
        "Divide it first: nbtools split DATASET --out FOLDER",
    ),
    "closed_licence": (
        "note",
        "dataset.toml",
        "A licence with NC or ND keeps others from training models that they share.",
        "CC0-1.0 or CC-BY-4.0 let them; it is for you to decide.",
    ),
}


def write_deposit(
    dataset: DataSet, folder: str | Path, *, overwrite: bool = False
) -> list[dict[str, str]]:
    """Write data, card, previews, checksums and descriptions into a folder.

    Parameters
    ----------
    dataset : all of its images are read.
    folder : appears whole or not at all.
    overwrite : replace a folder that nbtools wrote.

    Returns
    -------
    Findings with remedies: questions that dataset.toml leaves open, and what `judge_sharing` finds.

    Raises
    ------
    UserError : the folder has content that is not replaced.
    """
    draw = partial(draw_previews, dataset)
    missing = data.write_deposit(dataset, folder, overwrite=overwrite, draw=draw)
    return [describe_open(key) for key in missing] + judge_sharing(dataset)


def draw_previews(dataset: DataSet, folder: Path) -> None:
    """Draw some images with the outlines of their labels into FOLDER/previews.

    Parameters
    ----------
    dataset : images at regular intervals are drawn, PREVIEWS at most.
    folder : of the deposit.
    """
    for index in range(0, len(dataset), max(1, -(-len(dataset) // PREVIEWS))):
        sample = dataset[index]
        image = sample.image.select(T=0)
        if sample.label is None:
            rgb = show.view(image).rgb
        else:
            rgb = show.overlay_rgb(image, sample.label.select(T=0))
        path = folder / "previews" / f"{sample.name}.png"
        io.write_image(path, Image(rgb, "YXC", channels=RGB))


def describe_open(key: str) -> dict[str, str]:
    """A question that dataset.toml leaves open, as a finding.

    Parameters
    ----------
    key : of dataset.toml.
    """
    heading, question = rembi.find_question(key)
    return {
        "code": f"no_{key}",
        "severity": "error" if key in ("title", "licence", "authors") else "warning",
        "file": "dataset.toml",
        "message": f"{heading}: {key} is not told.",
        "remedy": f"Write {key} = … in dataset.toml: {question}.",
    }


def judge_sharing(dataset: DataSet) -> list[dict[str, str]]:
    """What others need to train and to compare with a data set, and is not there.

    The criteria are those by which a review of 101 papers judged what they share (Mougeot et al.
    2022, doi:10.1242/jcs.258986): data and annotations that can be found, read and compared with.

    Parameters
    ----------
    dataset : of which the images are read.
    """
    findings = []
    images = [dataset.image(index) for index in range(len(dataset))]
    if any(image.spacing_um is None for image in images):
        findings.append(find("no_pixel_size"))
    unlike = {image.pixels.dtype.name for image in images}
    if len(unlike) > 1:
        findings.append(find("mixed_types", received=", ".join(sorted(unlike))))
    if not dataset.has("labels"):
        findings.append(find("no_labels"))
    elif not dataset.which_have("labels").all():
        count = int((~dataset.which_have("labels")).sum())
        findings.append(find("some_labels", received=f"{count} of {len(dataset)}"))
    if not dataset.splits():
        findings.append(find("no_split"))
    licence = str(dataset.meta.get("licence") or "").upper()
    if "NC" in licence.split("-") or "ND" in licence.split("-"):
        findings.append(find("closed_licence", received=licence))
    return findings


def find(code: str, *, received: str = "") -> dict[str, str]:
    """A finding of `SHARING`.

    Parameters
    ----------
    code : of the finding.
    received : what there is, behind the message.
    """
    severity, place, message, remedy = SHARING[code]
    words = f"{message} Received: {received}." if received else message
    return {"code": code, "severity": severity, "file": place, "message": words, "remedy": remedy}
