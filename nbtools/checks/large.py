"""Images beyond the memory: they stay in their files, and their middle is looked at in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isqrt, prod
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, runtime
from nbtools.data import DataSet, Entry
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.stored import is_stored

if TYPE_CHECKING:
    from nbtools.checks.finding import View

BYTES_PER_PIXEL = 60.0  # that checking an image and its labels takes, by its arrays
SMALL_FILE = 2**18  # bytes; what is packed into it takes little memory
SHARE = 0.25  # of the memory that is free, for the middle of an image
DEPTH = 64  # planes of the middle
LEAST_SIDE = {2: 1024, 3: 256}  # px along Y and X: what the comparisons of smaller images use
MOST_SIDE = {2: 4096, 3: 512}  # more takes long, and tells no more
PARTNERS = ("labels", "clean")
WHOLE = (
    "The image is larger than the memory. In all of it were looked at: grey values, and the "
    "numbers, parts and sizes of the labels. In its middle, {size} pixels: whether partners lie on "
    "the nuclei, are turned, shifted or exchanged, holes, noise, dark and unlabelled nuclei."
)
LEFT_OUT = "Not looked for: copies of other brightness or size, tiles of one field"


def is_beyond(dataset: DataSet, entry: Entry) -> bool:
    """Whether an image does not fit into memory, with what is computed of it.

    Parameters
    ----------
    dataset, entry : the set, and one of its samples, of which the header is read.
    """
    path = entry.files.get("images")
    if path is None or not path.is_file() or path.stat().st_size < SMALL_FILE:
        return False
    try:
        header = dataset.reader.header(entry).image
    except UserError:
        return False  # it is told of where the image is read
    needed = header.pixels.nbytes + BYTES_PER_PIXEL * prod(header.space_shape)
    return needed > runtime.memory().available


def require_memory(dataset: DataSet, *, whole: bool) -> None:
    """A UserError where an image is beyond the memory, and cannot be checked part by part.

    Parameters
    ----------
    dataset : whose headers are read, those of small files left out.
    whole : whether each image is needed in one piece, as for repairs and pictures.
    """
    for entry in dataset.entries:
        if not is_beyond(dataset, entry):
            continue
        header = dataset.reader.header(entry).image
        if whole or header.size("T") > 1:
            remedy = "Leave out --fix and --save-pictures, and it is checked part by part"
            if not whole:
                remedy = "Check one time point: --time 0"
            raise UserError(
                "An image must fit into the memory that is free, for checking it.",
                f"{entry.files['images']} of {' x '.join(map(str, header.shape))}; "
                f"{runtime.memory().available / 1e9:.1f} GB are free",
                f"{remedy}; or use a machine with more memory, or cut the image into pieces.",
            )
        for kind in ("images", *PARTNERS):
            if kind in entry.files:
                io.require_storable(entry.files[kind])


def find_middle(view: View) -> dict[str, int] | None:
    """Pixels of the middle along each axis; None where all pixels are in memory.

    Parameters
    ----------
    view : the files of a sample.
    """
    if view.image is None or not is_stored(view.image.pixels):
        return None
    ndim, free = len(view.image.spatial), runtime.memory().available
    depth = 1 if ndim == 2 else DEPTH
    side = isqrt(int(SHARE * free / BYTES_PER_PIXEL / depth))
    side = min(max(side, LEAST_SIDE[ndim]), MOST_SIDE[ndim]) // 2 * 2
    return {"Z": depth, "Y": side, "X": side}


def cut_middle(view: View, size: dict[str, int]) -> View:
    """The middle of all files of a sample, in memory.

    Parameters
    ----------
    view : the files of a sample; boxes and centres that reach out of the middle are left out.
    size : pixels to keep along each axis.
    """
    image = view.image
    place = {axis: _find_range(image.size(axis), size[axis]) for axis in image.spatial}
    parts = {kind: _cut(getattr(view, kind), size) for kind in ("image", "label", "clean")}
    low, high = (
        np.array([getattr(place[axis], end) for axis in image.spatial]) for end in ("start", "stop")
    )
    if view.centres is not None and view.centres.shape[1] == len(low):
        inside = ((view.centres >= low) & (view.centres <= high - 1)).all(axis=1)
        parts["centres"] = view.centres[inside] - low
    if view.boxes is not None and view.boxes.shape[1] == 2 * len(low):
        parts |= _cut_boxes(view, low, high=high)
    return replace(view, **parts)


def _cut_boxes(view: View, low: np.ndarray, *, high: np.ndarray) -> dict:
    """Boxes that lie within a part, counted from its first pixel; columns y0, x0, y1, x1, z0, z1.

    Parameters
    ----------
    view : with boxes.
    low, high : (ndim,) first pixel of the part and the one after its last, ZYX.
    """
    first = np.array([*low[-2:], *low[-2:], *np.repeat(low[:-2], 2)])
    last = np.array([*high[-2:], *high[-2:], *np.repeat(high[:-2], 2)])
    inside = ((view.boxes >= first) & (view.boxes <= last)).all(axis=1)
    names = view.box_classes
    kept = tuple(n for n, is_in in zip(names, inside, strict=True) if is_in) if names else ()
    return {"boxes": view.boxes[inside] - first, "box_classes": kept}


def _cut(image: Image | None, size: dict[str, int]) -> Image | None:
    """The middle of an image along its own axes, in memory."""
    if image is None:
        return None
    place = tuple(
        _find_range(n, size[a]) if a in size else slice(0, n)
        for a, n in zip(image.axes, image.shape, strict=True)
    )
    return image.replace(pixels=image.pixels[place])


def _find_range(length: int, kept: int) -> slice:
    start = max(0, (length - kept) // 2)
    return slice(start, min(start + kept, length))


def describe_parts(view: View) -> Iterator[tuple[str, str]]:
    """Message and remedy that say what was looked at where; nothing for images in memory.

    Parameters
    ----------
    view : the files of a sample.
    """
    if view.near is view:
        return
    size = " x ".join(map(str, view.near.image.space_shape))
    turned = view.label is not None and view.label.shape != view.image.space_shape
    more = f"{LEFT_OUT}{', labels with exchanged axes' if turned else ''}."
    yield (
        f"{WHOLE.format(size=size)} {more}",
        "Nothing to do; a machine with more memory looks at all of it in one piece.",
    )
