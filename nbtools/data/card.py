"""The card of a data set, and a folder for a repository such as Zenodo or the BioImage Archive."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data import idr, rembi, ro_crate
from nbtools.data.dataset import KINDS, DataSet
from nbtools.data.writing import write_into


def describe_dataset(dataset: DataSet) -> dict:
    """Describe a data set: images, partners, axes, types, shapes, spacing and number of nuclei.

    Parameters
    ----------
    dataset : all of its images are read.

    Returns
    -------
    dict of plain values.
    """
    images = []
    nuclei = 0
    for sample in dataset:
        images.append(sample.image)
        if sample.label is not None:
            nuclei += np.count_nonzero(np.unique(sample.label.pixels) > 0)
    spacings = {(i.spacing, i.unit) for i in images}
    spacing, unit = spacings.pop() if len(spacings) == 1 else (None, "")
    return {
        "name": dataset.name,
        "images": len(images),
        "nuclei": nuclei,
        "partners": [k for k in KINDS if dataset.has(k)],
        "axes": dict(Counter(i.axes for i in images)),
        "types": dict(Counter(i.pixels.dtype.name for i in images)),
        "shapes": dict(Counter(" x ".join(map(str, i.shape)) for i in images).most_common(5)),
        "spacing": f"{' x '.join(f'{s:g}' for s in spacing)} {unit}"
        if spacing
        else "unknown, or differs between images",
        "classes": dict(Counter(e.class_name for e in dataset.entries if e.class_name)),
    }


def write_card(dataset: DataSet, path: str | Path) -> list[str]:
    """Write the card of a data set as Markdown.

    Parameters
    ----------
    dataset : all of its images are read.
    path : of the file.

    Returns
    -------
    The questions of `rembi.QUESTIONS` that dataset.toml leaves open.
    """
    facts = describe_dataset(dataset)
    study = rembi.describe_study(dataset.meta, facts)
    lines = [f"# {dataset.meta.get('title') or facts['name']}", *rembi.write_lines(study)]
    lines += ["", "## What is in it", "", "| | |", "| --- | --- |"]
    lines += [f"| {k} | {_format(v)} |" for k, v in facts.items() if v or v == 0]
    names = "`images/NAME` and its partners (`labels/NAME`, …) share their name."
    lines += ["", f"{names} Labels: 0 is background, 1 to N one nucleus each."]
    io.write_text(path, "\n".join(lines) + "\n")
    return rembi.list_open(study)


def write_deposit(
    dataset: DataSet,
    folder: str | Path,
    *,
    overwrite: bool = False,
    draw: Callable[[Path], None] | None = None,
) -> list[str]:
    """Write a folder for a repository: data, README.md (the card), checksums and file lists.

    rembi.json has the card as plain values, ro-crate-metadata.json describes every file.

    checksums.sha256 covers all files. For Zenodo: metadata.json, in the terms of its API. For the
    BioImage Archive: file_list.tsv, whose first column is Files; in the rows of annotations, the
    column Source image names their image. For the Image Data Resource: a study and an assay file.

    Parameters
    ----------
    dataset : its parts train, val and test stay folders.
    folder : appears whole or not at all.
    overwrite : replace a folder that has content.
    draw : adds pictures to the folder, before checksums are taken.

    Returns
    -------
    The questions of `rembi.QUESTIONS` that dataset.toml leaves open.

    Raises
    ------
    UserError : the folder has content and `overwrite` is False.
    """
    with io.new_folder(folder, overwrite=overwrite, inputs=dataset.files()) as temporary:
        for part, members in (dataset.splits() or {"": dataset}).items():
            write_into(temporary / part, members, copy=True)
        missing = write_card(dataset, temporary / "README.md")
        io.write_json(temporary / "metadata.json", _describe_for_zenodo(dataset))
        io.write_text(temporary / "file_list.tsv", _list_files(temporary))
        study = rembi.describe_study(dataset.meta, describe_dataset(dataset))
        io.write_json(temporary / "rembi.json", study)
        idr.write_idr(temporary, dataset)
        if draw:
            draw(temporary)
        ro_crate.write_crate(temporary, dataset.meta, name=dataset.name)
        sums = [
            f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(temporary).as_posix()}"
            for p in sorted(temporary.rglob("*"))
            if p.is_file()
        ]
        io.write_text(temporary / "checksums.sha256", "\n".join(sums) + "\n")
    return missing


def _list_files(folder: Path) -> str:
    """Images and their partners for the BioImage Archive; paths with forward slashes."""
    rows = ["Files\tKind\tSource image"]
    for entry in DataSet.open(folder).entries:
        paths = {kind: path.relative_to(folder).as_posix() for kind, path in entry.files.items()}
        rows += [
            f"{path}\t{kind}\t{'' if kind == 'images' else paths['images']}"
            for kind, path in paths.items()
        ]
    return "\n".join(rows) + "\n"


def _describe_for_zenodo(dataset: DataSet) -> dict:
    meta = dataset.meta
    about = {
        "title": meta.get("title", dataset.name),
        "upload_type": "dataset",
        "description": meta.get("description", "See README.md."),
    }
    if meta.get("licence"):
        about["license"] = meta["licence"]
    if meta.get("authors"):
        about["creators"] = [{"name": n} for n in meta["authors"]]
    keywords = filter(None, ["nuclei", "microscopy", meta.get("modality")])
    return {"metadata": about | {"keywords": list(keywords)}}


def _format(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} ({n})" for k, n in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
