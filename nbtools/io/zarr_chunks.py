"""Chunks of Zarr that are not there: never written because they are empty, or lost.

Zarr leaves out chunks that hold nothing but the fill value, so a missing chunk alone proves
nothing. It was lost where the writer says that all were written, where a lower resolution shows
something in its place, or where the fill value occurs nowhere in what is there: a camera's picture
does not turn to exact zeros in one rectangle. Of labels, where whole chunks may be 0, it was lost
where an object goes on behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np

from nbtools.errors import UserError

RARE = 1e-3  # share of pixels at the fill value, below which a whole chunk of them is a loss
TRIED = 16  # chunks that are read to find that share
Place = tuple[int, ...]


def require_chunks(
    folder: Path, scales: Mapping, *, zarr: object, note: Mapping, label: bool
) -> None:
    """Require that no chunk of an image was lost.

    Parameters
    ----------
    folder : of the image.
    scales : its description, with `datasets` from the finest to the coarsest.
    zarr : the package.
    note : our own, which says whether every chunk was written.
    label : it holds labels, of which whole chunks may be 0.

    Raises
    ------
    UserError : a chunk was lost, certainly or most probably.
    """
    place = folder / scales["datasets"][0]["path"]
    array = zarr.open_array(str(place), mode="r")
    size = array.shards or array.chunks
    counts = [-(-n // c) for n, c in zip(array.shape, size, strict=True)]
    there: list[Place] = []
    gone: list[Place] = []
    for at in product(*map(range, counts)):
        key = array.metadata.encode_chunk_key(at)
        (there if (place / key).is_file() else gone).append(at)
    if not gone:
        return
    if (
        note.get("complete")
        or _is_seen_in_levels(zarr, folder, scales, gone=gone, array=array)
        or (_is_bridged(array, gone, set(there)) if label else _is_rare(array, there))
    ):
        raise UserError(
            "All chunks of a Zarr image must be there.",
            f"{place} lacks {len(gone)} of {len(gone) + len(there)} chunks "
            f"(the first: {array.metadata.encode_chunk_key(gone[0])})",
            "Copy the folder again, whole, best as a zip; where those parts really are empty, "
            "save the image as OME-TIFF.",
        )


def _region(at: Place, array: object) -> tuple[slice, ...]:
    size = array.shards or array.chunks
    return tuple(
        slice(i * c, min((i + 1) * c, n)) for i, c, n in zip(at, size, array.shape, strict=True)
    )


def _is_rare(array: object, there: list[Place]) -> bool:
    """Whether the fill value hardly occurs in the chunks that are there; true without any."""
    step = max(1, len(there) // TRIED)
    equal = total = 0
    for at in there[::step]:
        pixels = np.asarray(array[_region(at, array)])
        equal += int((pixels == _fill(array)).sum())
        total += pixels.size
    return equal <= RARE * total


def _fill(array: object) -> object:
    return 0 if array.fill_value is None else array.fill_value


def _is_bridged(array: object, gone: list[Place], there: set[Place]) -> bool:
    """Whether the same object ends before a missing chunk and begins behind it."""
    for at in gone:
        for axis in range(len(at)):
            before, behind = ((*at[:axis], at[axis] + d, *at[axis + 1 :]) for d in (-1, 1))
            if before not in there or behind not in there:
                continue
            first, second = list(_region(before, array)), list(_region(behind, array))
            first[axis] = slice(first[axis].stop - 1, first[axis].stop)
            second[axis] = slice(second[axis].start, second[axis].start + 1)
            one, other = np.asarray(array[tuple(first)]), np.asarray(array[tuple(second)])
            if ((one == other) & (one != _fill(array))).any():
                return True
    return False


def _is_seen_in_levels(
    zarr: object, folder: Path, scales: Mapping, *, gone: list[Place], array: object
) -> bool:
    """Whether a coarser resolution shows something where a chunk is missing."""
    for level in scales["datasets"][1:2]:
        coarse = zarr.open_array(str(folder / level["path"]), mode="r")
        if len(coarse.shape) != len(array.shape):
            continue
        ratio = [m / n for m, n in zip(coarse.shape, array.shape, strict=True)]
        for at in gone:
            inside = []
            for part, r in zip(_region(at, array), ratio, strict=True):
                # only pixels that lie in the missing chunk altogether
                first, last = int(np.ceil(part.start * r)), int(part.stop * r)
                margin = int(r < 1 and last - first > 2)
                inside.append(slice(first + margin, max(first + margin, last - margin)))
            if (np.asarray(coarse[tuple(inside)]) != _fill(array)).any():
                return True
    return False
