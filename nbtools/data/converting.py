"""Any layout that is read, written as a data set: images/ with label images in labels/."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data.dataset import DataSet
from nbtools.data.sample import Entry
from nbtools.data.writing import (
    copy_files,
    describe_input_options,
    write_points_and_boxes,
    write_tables,
)
from nbtools.errors import UserError
from nbtools.image import Image

COPIED = ("images", "clean", "classes", "tracks", "unpaired")


def convert_dataset(
    dataset: DataSet, folder: str | Path, *, overwrite: bool = False
) -> dict[str, int | UserError]:
    """Write images/ with label images in labels/, whatever the labels were; whole or not at all.

    Images in files of their own are copied as they are; planes and masks of single nuclei become
    one TIFF each. The parts of a divided set get folders of their own.

    Parameters
    ----------
    dataset : as `DataSet.open` reads it.
    folder : of the new data set.
    overwrite : replace a folder that has content.

    Returns
    -------
    Name of each image → number of its nuclei (0 without labels), or the error of an image that
    cannot be read: it is left out.

    Raises
    ------
    UserError : the folder has content and `overwrite` is False.

    Examples
    --------
    >>> dataset = DataSet.open("Training")  # doctest: +SKIP
    >>> convert_dataset(dataset, "my_nuclei")  # doctest: +SKIP
    {'field_1': 15, 'field_2': 12}
    """
    found: dict[str, int | UserError] = {}
    meta = describe_input_options(dataset) | {
        k: v for k, v in dataset.meta.items() if k not in ("axes", "spacing", "spacing_um", "unit")
    }
    with io.new_folder(folder, overwrite=overwrite, inputs=dataset.files()) as temporary:
        for entry in dataset.entries:
            try:
                found[entry.name] = _write(temporary / entry.part, dataset, entry)
            except UserError as error:
                found[entry.name] = error
        written = [e for e in dataset.entries if isinstance(found[e.name], int)]
        for part in {e.part for e in written}:
            entries = [e for e in written if e.part == part]
            write_tables(temporary / part, entries, meta=meta)
    return found


def _write(folder: Path, dataset: DataSet, entry: Entry) -> int:
    """Write an image with its partners, and count its nuclei."""
    sample = dataset.reader.sample(entry)
    files = {k: p for k, p in entry.files.items() if k in COPIED and not _is_plain_folder(p)}
    copy_files(folder, replace(entry, files=files), kinds=COPIED)
    if "images" not in files:
        io.write_image(folder / "images" / f"{entry.name}.tif", sample.image)
    write_points_and_boxes(folder, sample)
    if sample.label is None:
        return 0
    io.write_label(folder / "labels" / f"{entry.name}.tif", sample.label)
    return _count(sample.label)


def _count(label: Image) -> int:
    return len(np.unique(label.pixels[label.pixels > 0]))


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not io.is_image(path)
