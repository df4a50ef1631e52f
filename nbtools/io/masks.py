"""Label images from one mask per nucleus, and volumes from one file per plane."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from nbtools.errors import UserError
from nbtools.io.axes import RawImage, no_pixels
from nbtools.io.outlines import OutlineNote, PaintedLabel

MASKS = "masks_per_nucleus"


def combine_masks(masks: Iterable[np.ndarray]) -> PaintedLabel:
    """Combine masks, one per nucleus, to a label image.

    Where masks overlap, the pixels go to the smaller nucleus, and a note tells; empty masks get no
    number.

    Parameters
    ----------
    masks : (*space) of one shape; a pixel belongs to the nucleus above half of the largest value.

    Returns
    -------
    PaintedLabel

    Raises
    ------
    UserError : masks of several shapes, or none.

    Examples
    --------
    >>> combine_masks(np.array([[[255, 255, 0]], [[0, 255, 0]]])).label.tolist()
    [[1, 2, 0]]
    """
    kept = [np.asarray(mask) for mask in masks]
    shapes = {mask.shape for mask in kept}
    if len(shapes) != 1:
        raise UserError(
            "Masks of one image must have one shape.",
            " and ".join(map(str, sorted(shapes))) or "no masks",
            "Export all masks from the same image.",
        )
    inside = [mask > mask.max() / 2 if mask.any() else mask > 0 for mask in kept]
    sizes = [int(mask.sum()) for mask in inside]
    label = np.zeros(shapes.pop(), np.int32)
    shared = 0
    for i in sorted(range(len(inside)), key=lambda i: -sizes[i]):
        shared += int((label[inside[i]] > 0).sum())
        label[inside[i]] = i + 1
    values = np.unique(label[label > 0])
    table = np.zeros(len(inside) + 1, np.int32)
    table[values] = np.arange(1, len(values) + 1)
    notes = tuple(_describe(sizes, nuclei=len(values), shared=shared))
    return PaintedLabel(table[label], notes)


def are_masks(label: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether the planes of a label file are masks of one nucleus each.

    Parameters
    ----------
    label : an array with one dimension more than the image.
    shape : of the image's space.
    """
    if label.shape[1:] != tuple(shape) or len(label) < 2 or label.dtype.kind not in "iub":
        return False
    return all(len(np.unique(plane)) <= 2 and plane.min() == 0 for plane in label)


def read_planes(
    paths: list[Path], read: Callable[[Path], RawImage], *, header_only: bool = False
) -> RawImage:
    """Read a volume whose planes are files.

    Parameters
    ----------
    paths : of the planes, in order.
    read : reads one file.
    header_only : read the first plane alone; the pixels are zeros that take no memory.

    Raises
    ------
    UserError : no planes, planes of several shapes, or files that are volumes themselves.
    """
    planes = [read(path) for path in (paths[:1] if header_only else paths)]
    shapes = {plane.pixels.shape for plane in planes}
    if len(shapes) != 1 or "Z" in planes[0].letters or "T" in planes[0].letters:
        raise UserError(
            "A folder of planes holds 2D images of one shape.",
            f"{paths[0].parent if paths else 'no files'} with "
            f"{', '.join(map(str, sorted(shapes))) or 'nothing'}",
            "Put images that are no planes of one volume beside each other, not into a folder.",
        )
    first = planes[0]
    pixels = (
        no_pixels((len(paths), *first.pixels.shape), first.pixels.dtype)
        if header_only
        else np.stack([plane.pixels for plane in planes])
    )
    guesses = first.guesses + (("z_step_missing",) if first.spacing else ())
    return replace(first, pixels=pixels, letters="Z" + first.letters, guesses=guesses)


def sort_by_number(paths: Iterable[Path]) -> list[Path]:
    """Files in the order of the numbers in their names: z2 before z10."""
    return sorted(paths, key=lambda path: _number_key(path.name.casefold()))


def _number_key(name: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _describe(sizes: list[int], *, nuclei: int, shared: int) -> Iterator[OutlineNote]:
    text = f"One mask per nucleus: {len(sizes)} masks are read as {nuclei} nuclei."
    yield OutlineNote(MASKS, "note", text, "Nothing to do.")
    empty = sum(size == 0 for size in sizes)
    if empty:
        text = f"{empty} of {len(sizes)} masks are empty and left out."
        yield OutlineNote("mask_empty", "note", text, "Nothing to do, unless nuclei are missing.")
    hidden = len(sizes) - empty - nuclei
    if shared:
        text = f"{shared} pixels lie in several masks; they go to the smaller nucleus."
        text += f" {hidden} nuclei are hidden by that and left out." if hidden else ""
        remedy = "Look at the labels where nuclei overlap; a label image holds one per pixel."
        yield OutlineNote("masks_overlap", "warning" if hidden else "note", text, remedy)
