"""Hills of a map of heights, separated where the valley between them is deep enough.

How far a hill rises above the pass to a higher one is its persistence (Edelsbrunner et al. 2002,
doi:10.1007/s00454-002-2885-2). Unlike a level that all hills are cut at, it parts two that touch
high up, and does not lose one that is low everywhere.
"""

from __future__ import annotations

import numpy as np

# pixels that climb at a time: what is known of them stays in the processor's cache
BLOCK = 2**15


def persistence_watershed(
    height: np.ndarray, mask: np.ndarray, *, min_persistence: float
) -> np.ndarray:
    """Label the hills of a map that are high enough above the pass to a higher one.

    Each pixel of the mask belongs to a hill; each connected region has at least one.

    Parameters
    ----------
    height : (*space) float.
    mask : (*space) bool.
    min_persistence : by how much a hill must rise above its pass, in the unit of the heights.

    Returns
    -------
    (*space) int32 labels, 0 outside the mask.

    References
    ----------
    Edelsbrunner et al. 2002, doi:10.1007/s00454-002-2885-2.

    Examples
    --------
    >>> height = np.array([[1.0, 5.0, 2.0, 3.0, 2.5, 4.0]])
    >>> mask = np.ones((1, 6), bool)
    >>> persistence_watershed(height, mask, min_persistence=1.0).tolist()
    [[1, 1, 1, 2, 2, 2]]
    """
    heights = np.pad(
        np.where(mask, height, -np.inf).astype(height.dtype, copy=False), 1, constant_values=-np.inf
    )
    steps = [
        int(np.prod(heights.shape[axis + 1 :])) for axis in range(heights.ndim)
    ]  # to the next pixel of each axis
    heights, inside = heights.ravel(), np.flatnonzero(np.pad(mask, 1))
    hill, top = steepest_ascent(heights, inside, steps=steps)
    label = np.zeros(mask.shape, np.int32)
    passes = find_saddles(heights, hill, inside=inside, steps=steps)
    label[mask] = merge_shallow_basins(top, passes, min_persistence=min_persistence)[hill]
    return label


def steepest_ascent(
    heights: np.ndarray, inside: np.ndarray, *, steps: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Assign each pixel to the hill whose top it reaches by steps to the highest neighbour.

    Each top is a hill of its own, however low, and so is each pixel of a plateau.

    Parameters
    ----------
    heights : flattened, -inf outside the mask and on a margin of one pixel.
    inside : (N,) indices of the pixels of the mask.
    steps : from a pixel to its next neighbour along each axis, in the flattened map.

    Returns
    -------
    (N,) hill of each pixel, from 0, and (H,) height of each top.
    """
    to = inside.copy()
    for start in range(0, len(inside), BLOCK):
        here, up = inside[start : start + BLOCK], to[start : start + BLOCK]
        best = heights[here]
        for step in (way * step for step in steps for way in (1, -1)):
            beside = heights[here + step]
            rises = beside > best
            np.copyto(best, beside, where=rises)
            np.copyto(up, here + step, where=rises)
    number = np.empty(len(heights), np.int32 if len(inside) < 2**31 else np.int64)
    number[inside] = np.arange(len(inside))
    into = _follow(number[to])
    is_top = into == np.arange(len(into))
    return (np.cumsum(is_top, dtype=number.dtype) - 1)[into], heights[inside[is_top]]


def find_saddles(
    heights: np.ndarray, hill: np.ndarray, *, inside: np.ndarray, steps: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the highest pass between each two hills that meet across faces.

    Parameters
    ----------
    heights : flattened, as in `steepest_ascent`.
    hill : (N,) hill of each pixel, from 0.
    inside : (N,) indices of the pixels of the mask.
    steps : from a pixel to its next neighbour along each axis, in the flattened map.

    Returns
    -------
    (P,) the one hill, (P,) the other, and (P,) the height of their pass.
    """
    hill_at, count = np.full(len(heights), -1, hill.dtype), int(hill.max(initial=0)) + 1
    hill_at[inside] = hill
    pairs, levels = [], []
    for step in steps:
        beside = hill_at[inside + step]
        meet = np.flatnonzero((beside >= 0) & (beside != hill))
        one, other = hill[meet].astype(np.int64), beside[meet].astype(np.int64)
        pairs.append(np.minimum(one, other) * count + np.maximum(one, other))
        levels.append(np.minimum(heights[inside[meet]], heights[inside[meet] + step]))
    pair, level = np.concatenate(pairs), np.concatenate(levels)
    order = np.argsort(pair)
    first = np.flatnonzero(np.diff(pair[order], prepend=-1))  # where the next pair of hills begins
    highest = np.maximum.reduceat(level[order], first) if len(first) else level
    return *divmod(pair[order][first], count), highest


def merge_shallow_basins(
    top: np.ndarray, passes: tuple[np.ndarray, np.ndarray, np.ndarray], *, min_persistence: float
) -> np.ndarray:
    """Merge hills that rise too little above their pass, from the highest pass down.

    In each round every hill whose highest open pass leads to a higher one becomes part of that one;
    a few rounds leave no such pass.

    Parameters
    ----------
    top : (H,) heights of the hills.
    passes : two hills and the height of the pass between them, as `find_saddles` gives them.
    min_persistence : hills whose lower top is less than that above the pass are merged.

    Returns
    -------
    (H,) int32, number of the merged hill, from 1.
    """
    names = np.arange(len(top))
    rank = np.empty(len(names), int)
    rank[np.argsort(top, kind="stable")] = names  # of hills of equal height, one is the higher
    root, (a, b, level) = names, passes
    while True:
        shallow = (a != b) & (np.minimum(top[a], top[b]) - level < min_persistence)
        a, b, level = a[shallow], b[shallow], level[shallow]
        if not len(a):
            return (1 + np.searchsorted(np.unique(root), root)).astype(np.int32)
        order, beyond = np.argsort(np.concatenate([level, level]), kind="stable"), names.copy()
        beyond[np.concatenate([a, b])[order]] = np.concatenate([b, a])[
            order
        ]  # over each one's highest pass, the last to be written
        into = _follow(np.where(rank[beyond] > rank, beyond, names))
        root, a, b = into[root], into[a], into[b]


def _follow(into: np.ndarray) -> np.ndarray:
    """Follow each index to the index it leads to, until all have reached one that stays."""
    while not np.array_equal(further := into[into], into):
        into = further
    return into
