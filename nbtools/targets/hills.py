"""Hills of a map of heights, parted where the valley between them is deep enough: each nucleus is a hill of its distance map.

How far a hill rises above the pass to a higher one is its persistence (Edelsbrunner et al. 2002, doi:10.1007/s00454-002-2885-2). Unlike a
level that all hills are cut at, it parts two that touch high up, and does not lose one that is low everywhere.
"""

from __future__ import annotations

import numpy as np


def part(height: np.ndarray, mask: np.ndarray, *, split: float) -> np.ndarray:
    """(*space) float heights and bool mask → (*space) int32 labels: every hill that rises at least `split` above the pass to a higher one.

    Each pixel of the mask belongs to a hill; each connected region has one at least.
    """
    return join_shallow(climb(height, mask), height, split=split)


def climb(height: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(*space) int32 labels: the top that each pixel of the mask comes to, going to the highest neighbour across a face again and again.

    Each top is a label of its own, however low, and each pixel of a plateau, too.
    """
    to = np.arange(mask.size, dtype=np.int32 if mask.size < 2**31 else np.int64).reshape(mask.shape)
    number, best = to.copy(), np.where(mask, height, np.inf)
    for axis in range(mask.ndim):
        near, far = (tuple(s if i == axis else slice(None) for i in range(mask.ndim)) for s in (slice(None, -1), slice(1, None)))
        for here, there in ((near, far), (far, near)):
            rises = mask[there] & (height[there] > best[here])
            best[here][rises], to[here][rises] = height[there][rises], number[there][rises]
    inside = np.flatnonzero(mask)
    number.ravel()[inside] = np.arange(len(inside))
    into = number.ravel()[to.ravel()[inside]]
    while (into[into] != into).any():
        into = into[into]
    is_top = into == np.arange(len(inside))
    label = np.zeros(mask.shape, np.int32)
    label.ravel()[inside] = np.cumsum(is_top)[into]
    return label


def join_shallow(label: np.ndarray, height: np.ndarray, *, split: float) -> np.ndarray:
    """Labels of hills, those joined whose lower one rises less than `split` above the pass between them, from the highest pass down.

    In each round every hill whose highest open pass leads to a higher one becomes part of that one; no pass is left after a few.
    """
    names = np.arange(int(label.max(initial=0)) + 1)
    top, inside = np.full(len(names), -np.inf), label > 0
    np.maximum.at(top, label[inside], height[inside])
    rank = np.empty(len(names), int)
    rank[np.argsort(top, kind="stable")] = names  # of hills of equal height, one is the higher
    root, (a, b, level) = names, find_passes(label, height)
    while True:
        shallow = (a != b) & (np.minimum(top[a], top[b]) - level < split)
        a, b, level = a[shallow], b[shallow], level[shallow]
        if not len(a):
            return _number(root)[label]
        order, beyond = np.argsort(np.concatenate([level, level]), kind="stable"), names.copy()
        beyond[np.concatenate([a, b])[order]] = np.concatenate([b, a])[order]  # over each one's highest pass, the last to be written
        into = np.where(rank[beyond] > rank, beyond, names)
        while (into[into] != into).any():
            into = into[into]
        root, a, b = into[root], into[a], into[b]


def find_passes(label: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where two labels meet across faces: (P,) the one, (P,) the other, and (P,) the height of the highest pass between them."""
    pairs, levels = [], []
    for axis in range(label.ndim):
        near, far = (tuple(s if i == axis else slice(None) for i in range(label.ndim)) for s in (slice(None, -1), slice(1, None)))
        meet = (label[near] != label[far]) & (label[near] > 0) & (label[far] > 0)
        pairs.append(np.sort(np.stack([label[near][meet], label[far][meet]]).astype(np.int64), axis=0))
        levels.append(np.minimum(height[near][meet], height[far][meet]))
    (a, b), level = np.concatenate(pairs, axis=1), np.concatenate(levels)
    order = np.lexsort((level, b, a))
    a, b, level = a[order], b[order], level[order]
    last = np.append((a[1:] != a[:-1]) | (b[1:] != b[:-1]), True)[: len(a)]
    return a[last], b[last], level[last]


def _number(root: np.ndarray) -> np.ndarray:
    """Names 1 … N without gaps for those that are left; 0 stays 0."""
    left = np.unique(root[1:])
    return np.append(0, 1 + np.searchsorted(left, root[1:])).astype(np.int32)
