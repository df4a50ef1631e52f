"""Files of several images, and folders of OME-Zarr that hold labels, in a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io
from nbtools.data.sample import Entry
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.data.layout import Layout


def spread(entry: Entry, *, apart: bool) -> list[Entry]:
    """One entry for each image of a file; a broken file is one entry, and is refused when read.

    Parameters
    ----------
    entry : of the file.
    apart : whether each image of a file is an entry of its own.
    """
    try:
        names = io.list_series(entry.files["images"]) if apart else ()
    except UserError:
        names = ()
    found = [
        replace(entry, name=f"{entry.name}_{name}", files=dict(entry.files), series=number)
        for number, name in enumerate(names)
    ]
    return found or [entry]


def add_inner_labels(layout: Layout) -> None:
    """The labels that lie in the folder of an OME-Zarr image, for images without other labels.

    Parameters
    ----------
    layout : its entries get the labels.
    """
    for entry in layout.entries:
        path = entry.files.get("images")
        if path is None or "labels" in entry.files or not io.is_image_folder(path):
            continue
        found = io.list_labels(path, series=entry.series)
        named = [p for p in found if "nucle" in p.name.lower()]
        if len(found) == 1 or len(named) == 1:
            entry.files["labels"] = (named or found)[0]
        elif found:
            names = ", ".join(p.name for p in found)
            layout.ignored[found[0].parent] = (
                f"several label images ({names}): copy the one that counts into labels/"
            )


def share_series(layout: Layout, path: Path, *, entries: list[Entry], kind: str) -> None:
    """Assign a file of as many images as that of the entries to each of these.

    Parameters
    ----------
    layout : where files that do not fit are noted.
    path : of the partner.
    entries : of the images of one file.
    kind : of partner: "labels", "clean", …
    """
    try:
        count = len(io.list_series(path)) or 1
    except UserError:
        count = len(entries)  # a broken file is refused when it is read
    if count == len(entries):
        for entry in entries:
            entry.files.setdefault(kind, path)
        return
    layout.ignored[path] = (
        f"it holds {count} of {len(entries)} images; give each its own file, such as "
        f"{entries[0].name}{io.suffix(path)}"
    )
