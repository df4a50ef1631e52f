"""The pixels inside of rings, without the cost of large shapes in large images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_TESTS = 2**28  # of a pixel against an edge: about a second
Filled = tuple[tuple[slice, slice], np.ndarray]  # a box of the plane, and a mask in it


def fill_rings(rings: Sequence[np.ndarray], shape: tuple[int, ...]) -> Filled:
    """The pixels inside of rings, as a box of the plane and a mask in it.

    Parameters
    ----------
    rings : (n, 2) in the order y, x; a pixel is inside if it lies in an odd number of them.
    shape : (Y, X) of the plane.

    Returns
    -------
    box, mask

    Examples
    --------
    >>> fill_rings([np.array([[1, 1], [1, 3], [3, 3], [3, 1]])], (9, 9))[1].sum()
    np.int64(4)
    """
    from skimage.draw import polygon

    points = np.concatenate([np.asarray(r, float).reshape(-1, 2) for r in rings] or [[[0, 0]]])
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - 1, 0, shape)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 1, low, shape)
    mask = np.zeros(high - low, bool)
    for ring in rings:
        inside = np.asarray(ring, float) - 0.5 - low
        if mask.size * len(inside) > MOST_TESTS:
            fill_by_rows(mask, inside)
        else:
            rows, columns = polygon(*inside.T, mask.shape)
            mask[rows, columns] ^= True
    return (slice(low[0], high[0]), slice(low[1], high[1])), mask


def fill_by_rows(mask: np.ndarray, ring: np.ndarray) -> None:
    """Invert the pixels inside of a ring, row by row: its cost grows with rows and edges alone.

    A pixel is inside if a ray from it to the left crosses the ring an odd number of times; one
    whose centre lies on an edge is on one side or the other.

    Parameters
    ----------
    mask : (Y, X) bool, changed in place.
    ring : (n, 2) in the order y, x, where the centre of the first pixel is (0, 0).

    Examples
    --------
    >>> mask = np.zeros((4, 4), bool)
    >>> fill_by_rows(mask, np.array([[0.5, 0.5], [0.5, 2.5], [2.5, 2.5], [2.5, 0.5]]))
    >>> mask.sum()
    np.int64(4)
    """
    start, stop = ring, np.roll(ring, -1, axis=0)
    top, bottom = np.minimum(start[:, 0], stop[:, 0]), np.maximum(start[:, 0], stop[:, 0])
    order = np.argsort(top, kind="stable")
    for row in range(len(mask)):
        near = order[: np.searchsorted(top[order], row, side="right")]
        near = near[bottom[near] > row]
        if not len(near):
            continue
        (y0, x0), (y1, x1) = start[near].T, stop[near].T
        crossings = np.sort(x0 + (row - y0) * (x1 - x0) / (y1 - y0))
        ends = np.clip(np.ceil(crossings), 0, mask.shape[1]).astype(int)
        for left, right in zip(ends[::2], ends[1::2], strict=True):
            mask[row, left:right] ^= True
