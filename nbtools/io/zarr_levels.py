"""The levels of a pyramid, written part by part: each has half the rows and columns of the last."""

from __future__ import annotations

from itertools import product

import numpy as np

from nbtools.io.stored import StoredPixels

CHUNK = {"Y": 512, "X": 512}  # one plane of up to 512 x 512 a chunk
SMALLEST = 1024  # px: a plane of this size needs no coarser level
ROWS = 2 * CHUNK["Y"]  # read together: of the next level they are one row of chunks


def count_levels(shape: tuple[int, ...], letters: str) -> int:
    """Number of levels, the full resolution among them.

    Parameters
    ----------
    shape : of the image.
    letters : its axes.

    Examples
    --------
    >>> count_levels((3, 20000, 18000), "CYX"), count_levels((40, 500, 500), "ZYX")
    (6, 1)
    """
    longest, count = max(n for a, n in zip(letters, shape, strict=True) if a in "YX"), 1
    while longest > SMALLEST:
        longest, count = -(-longest // 2), count + 1
    return count


def write_levels(
    group: object, pixels: np.ndarray | StoredPixels, *, letters: str, label: bool
) -> int:
    """Write all levels of an image, and return their number.

    Parameters
    ----------
    group : of Zarr, empty.
    pixels : in memory or in a file; Y and X are the last axes.
    letters : its axes.
    label : coarser levels have every second pixel; else the mean of four.
    """
    array = _create(group, "0", pixels.shape, kind=pixels.dtype, letters=letters)
    for place in _list_places(pixels.shape):
        array[place] = pixels[place]
    count = count_levels(pixels.shape, letters)
    for level in range(1, count):
        finer = array
        shape = (*finer.shape[:-2], *(-(-n // 2) for n in finer.shape[-2:]))
        array = _create(group, str(level), shape, kind=pixels.dtype, letters=letters)
        for place in _list_places(finer.shape):
            rows = place[-2]
            coarse = slice(rows.start // 2, -(-rows.stop // 2))
            part = np.asarray(finer[place])
            halved = part[..., ::2, ::2] if label else halve(part)
            array[(*place[:-2], coarse, slice(None))] = halved
    return count


def _create(
    group: object, name: str, shape: tuple[int, ...], *, kind: np.dtype, letters: str
) -> object:
    chunks = tuple(min(n, CHUNK.get(a, 1)) for a, n in zip(letters, shape, strict=True))
    about = {"chunks": chunks, "dtype": kind, "config": {"write_empty_chunks": True}}
    if group.metadata.zarr_format == 2:  # NGFF asks for nested folders
        about["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
    else:
        about["dimension_names"] = list(letters.lower())
    return group.create_array(name, shape=shape, **about)


def _list_places(shape: tuple[int, ...]) -> list[tuple]:
    """Whole rows of chunks of one plane after the other."""
    planes = product(*(range(n) for n in shape[:-2]))
    starts = range(0, shape[-2], ROWS)
    rows = [slice(start, min(start + ROWS, shape[-2])) for start in starts]
    return [(*plane, row, slice(None)) for plane in planes for row in rows]


def halve(pixels: np.ndarray) -> np.ndarray:
    """The mean of every two by two pixels, in the type of the pixels.

    Parameters
    ----------
    pixels : (..., Y, X); an odd last row or column counts twice.

    Examples
    --------
    >>> halve(np.array([[1, 3, 5], [1, 3, 5]], np.uint8)).tolist()
    [[2, 5]]
    """
    beyond = [(0, 0)] * (pixels.ndim - 2) + [(0, n % 2) for n in pixels.shape[-2:]]
    even = np.pad(pixels, beyond, mode="edge").astype(np.float64)
    mean = (
        even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]
    ) / 4
    return (np.rint(mean) if pixels.dtype.kind in "iu" else mean).astype(pixels.dtype)
