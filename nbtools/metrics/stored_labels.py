"""Label images in files: overlaps slab by slab, and parts of the image around some objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.io.stored import StoredPixels, read_slabs

TILE = {2: 2048, 3: 192}  # px; objects that begin in one tile are looked at together
Place = tuple[slice, ...]


def find_pair_runs(
    truth: StoredPixels, predicted: np.ndarray | StoredPixels
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which numbers meet in how many pixels, of two label images of equal shape.

    Parameters
    ----------
    truth, predicted : at least one of them in a file.

    Returns
    -------
    (pairs,) true numbers, predicted numbers, and pixels; void and background are numbers, too.
    """
    parts = []
    for place, slab in read_slabs(truth):
        one, other = slab.ravel(), np.asarray(predicted[place]).ravel()
        new = np.ones(one.size, bool)
        np.not_equal(one[1:], one[:-1], out=new[1:])
        new[1:] |= other[1:] != other[:-1]
        start = np.flatnonzero(new)
        length = np.diff(start, append=one.size)
        parts.append(_add_up(one[start].astype(np.int64), other[start].astype(np.int64), length))
    return _add_up(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _add_up(
    one: np.ndarray, other: np.ndarray, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same pairs, each once."""
    width = int(other.max(initial=0)) + 2
    keys, inverse = np.unique((one + 1) * width + other + 1, return_inverse=True)
    one, other = np.divmod(keys, width)
    return one - 1, other - 1, np.bincount(inverse, weights=length).astype(np.int64)


def find_boxes(label: StoredPixels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The box of each object, slab by slab.

    Parameters
    ----------
    label : (*space) integers; numbers below 1 are background.

    Returns
    -------
    (N,) labels in order, and (N, D) first and (N, D) last pixels of their boxes, the last not in.
    """
    known = []
    for place, slab in read_slabs(label):
        known.append(_find_boxes(slab, first=place.start))
    labels, low, high = (np.concatenate(each) for each in zip(*known, strict=True))
    numbers, place = np.unique(labels, return_inverse=True)
    lows = np.full((len(numbers), label.ndim), np.iinfo(np.int64).max)
    highs = np.zeros((len(numbers), label.ndim), np.int64)
    np.minimum.at(lows, place, low)
    np.maximum.at(highs, place, high)
    return numbers, lows, highs


def _find_boxes(slab: np.ndarray, *, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes of the objects of a slab that begins at a plane."""
    flat, width = slab.ravel(), slab.shape[-1]
    new = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=new[1:])
    new[::width] = True
    start = np.flatnonzero(new)
    length = np.diff(start, append=flat.size)
    owner = flat[start].astype(np.int64)
    inside = owner > 0
    start, length, owner = start[inside], length[inside], owner[inside]
    at = np.stack(np.unravel_index(start, slab.shape), axis=-1)
    at[:, 0] += first
    end = at + 1
    end[:, -1] += length - 1
    numbers, place = np.unique(owner, return_inverse=True)
    low = np.full((len(numbers), slab.ndim), np.iinfo(np.int64).max)
    high = np.zeros((len(numbers), slab.ndim), np.int64)
    np.minimum.at(low, place, at)
    np.maximum.at(high, place, end)
    return numbers, low, high


def group_regions(
    low: np.ndarray, high: np.ndarray, *, shape: tuple[int, ...], reach: int | np.ndarray = 1
) -> Iterator[tuple[np.ndarray, Place]]:
    """Objects that lie near each other, and the part of the image around them all.

    Parameters
    ----------
    low, high : (N, D) boxes.
    shape : of the image.
    reach : pixels around them, along all axes or (D,).

    Yields
    ------
    Indices of some objects, and the part.
    """
    if not len(low):
        return
    tile = low // TILE[len(shape)]
    counts = -(-np.array(shape) // TILE[len(shape)])
    number = np.ravel_multi_index(tuple(tile.T), tuple(counts.tolist()))
    order = np.argsort(number, kind="stable")
    for some in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        first = np.maximum(low[some].min(axis=0) - reach, 0)
        last = np.minimum(high[some].max(axis=0) + reach, shape)
        yield some, tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
