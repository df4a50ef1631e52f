"""A box per nucleus, told by anchors: boxes of usual sizes around every cell, to be corrected.

An anchor that overlaps a true box well is to say so, and how the box differs from it (Ren et al.
2015, doi:10.1109/TPAMI.2016.2577031; Lin et al. 2017, doi:10.1109/ICCV.2017.324). The sizes of the
anchors are clusters of the sizes of the training boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from types import ModuleType

import numpy as np

from nbtools.augment import box_corners, join_corners
from nbtools.patches import Example
from nbtools.results import Boxes
from nbtools.targets.base import sigmoid
from nbtools.targets.boxes import BoxTarget, Strides, find_levels, find_void_cells, name_level

ANCHORS = 3  # per cell
USUAL = (2.5, 4.0, 6.0)  # cells, sides of the anchors where nothing is known of the boxes
SPREAD = 0.1, 0.2  # of the corrections of middles and of sizes, in the published implementations
LARGEST = 4.0  # logarithm of the largest correction of a size
WORST = 0.1  # IoU of the best anchor of a box, above which that one learns it in any case


def cluster_sizes(
    extent: np.ndarray, strides: Strides, *, count: int = ANCHORS, seed: int = 0
) -> tuple[float, ...]:
    """Choose the sizes of anchors from those of boxes, by k-means on their logarithms.

    Parameters
    ----------
    extent : (N, D) of the training boxes in pixels.
    strides : px per cell of each grid; sizes are counted in cells of the grid of each box.
    count : of the anchors.
    seed : of the clustering.

    Returns
    -------
    (count · D) sizes in cells, the smallest anchor first, one axis after the other.

    Examples
    --------
    >>> extent = np.array([[8.0, 8.0], [8.0, 8.0], [16.0, 12.0]])
    >>> [round(size, 2) for size in cluster_sizes(extent, ((4, 4),), count=2)]
    [2.0, 2.0, 4.0, 3.0]
    """
    from scipy.cluster.vq import kmeans2

    ndim = len(strides[0])
    cells = np.array(strides, float)[find_levels(extent, strides)] if len(extent) else 1.0
    sizes = np.log(np.maximum(extent, 0.5) / cells)
    if len(np.unique(sizes, axis=0)) < count:
        middle = sizes.mean(axis=0) if len(sizes) else np.full(ndim, np.log(USUAL[1]))
        steps = (np.arange(count) - (count - 1) / 2) / 3  # thirds of an octave, as published
        return tuple(np.exp(middle + np.log(2) * steps[:, None]).ravel().tolist())
    found, _ = kmeans2(sizes, count, minit="++", seed=seed)
    found = found[np.argsort(found.sum(axis=1))]
    return tuple(np.exp(found).ravel().round(4).tolist())


@dataclass(frozen=True)
class AnchorTarget(BoxTarget):
    """Per anchor: a score for each class, and the corrections of its middle and of its size.

    Parameters
    ----------
    anchors : (A · D) sizes in cells, see `cluster_sizes`; (): of usual sizes.
    limits : IoU with a box from which an anchor learns it, and below which it learns that there is
        none; between the two it learns nothing.
    """

    anchors: tuple[float, ...] = ()
    limits: tuple[float, float] = (0.5, 0.4)

    @property
    def sizes(self) -> np.ndarray:
        """(A, D) in cells."""
        if not self.anchors:
            return np.repeat(np.array(USUAL)[:, None], self.ndim, axis=1)
        return np.array(self.anchors, float).reshape(-1, self.ndim)

    @property
    def kinds(self) -> int:
        """Scores per anchor."""
        return max(1, len(self.classes))

    @property
    def scores(self) -> int:
        """Channels of scores, which come first."""
        return len(self.sizes) * self.kinds

    @property
    def outputs(self) -> dict[str, int]:
        return dict.fromkeys(self.names, self.scores + len(self.sizes) * 2 * self.ndim)

    def encode(self, example: Example) -> dict[str, np.ndarray]:
        """Boxes → maps of each grid, with two weights as their last channels.

        Parameters
        ----------
        example : patch with `boxes`, and `box_classes` from 1 (0: unknown) where they are learned.

        Returns
        -------
        (*cells, A · K + A · 2 D + 2): for each anchor 1, 0 or -1 (nothing is learned) per class;
        for each its corrections; 1 over the number of anchors with a box, and of those without.
        Anchors without a box learn nothing in cells where nobody has looked.
        """
        low, high = box_corners(np.asarray(example.boxes, float))
        kind = example.box_classes
        if not self.classes or kind is None:
            kind = np.full(len(low), 0 if self.classes else 1)
        grids = []
        for stride in self.strides:
            shape = tuple(-(-n // s) for n, s in zip(example.image.shape, stride, strict=False))
            grids.append((shape, np.array(stride, float)))
        overlaps = [self._overlap(shape, stride, low=low, high=high) for shape, stride in grids]
        owners = match_anchors(overlaps, limits=self.limits)
        for own, stride in zip(owners, self.strides, strict=True):
            unknown = find_void_cells(example, stride, shape=own.shape[:-1])
            own[unknown[..., None] & (own == NONE)] = IGNORED
        maps = {}
        for name, own, (shape, stride) in zip(self.names, owners, grids, strict=True):
            maps[name] = self._fill(own, shape, stride=stride, boxes=(low, high, kind))
        positive, negative = (max(1, sum(int(f(own)) for own in owners)) for f in COUNTS)
        for one in maps.values():
            one[..., -2:] = 1 / positive, 1 / negative
        return maps

    def _overlap(
        self, shape: tuple[int, ...], stride: np.ndarray, *, low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """(N, *cells, A) IoU of each box with each anchor of one grid, axis by axis."""
        shared, sizes = [], self.sizes * stride
        for axis, count in enumerate(shape):
            middle = (np.arange(count) + 0.5)[:, None] * stride[axis]
            first, last = middle - sizes[:, axis] / 2, middle + sizes[:, axis] / 2
            ends = np.minimum(last, high[:, axis, None, None])
            along = np.maximum(ends - np.maximum(first, low[:, axis, None, None]), 0)
            others = [1 if a != axis else count for a in range(len(shape))]
            shared.append(along.reshape(len(low), *others, len(sizes)))
        shared = reduce(np.multiply, shared)
        box = (high - low).prod(axis=1).reshape(-1, *(1,) * (len(shape) + 1))
        return shared / np.maximum(box + sizes.prod(axis=1) - shared, 1e-9)

    def _fill(
        self, own: np.ndarray, shape: tuple[int, ...], *, stride: np.ndarray, boxes: tuple
    ) -> np.ndarray:
        """Maps of one grid; `own` is (*cells, A), the box of each anchor, or below 0."""
        low, high, kind = boxes
        score = np.zeros((*own.shape, self.kinds), np.float32)
        move = np.zeros((*own.shape, 2 * self.ndim), np.float32)
        score[own == IGNORED] = -1
        place = np.argwhere(own >= 0)
        at = tuple(place.T)
        box = own[at]
        for k in range(self.kinds):
            score[(*at, k)] = np.where(kind[box] > 0, kind[box] == k + 1, -1)
        size = self.sizes[place[:, -1]] * stride
        middle = (place[:, :-1] + 0.5) * stride
        off = ((low[box] + high[box]) / 2 - middle) / size / SPREAD[0]
        grown = np.log(np.maximum(high[box] - low[box], 1e-3) / size) / SPREAD[1]
        move[at] = np.concatenate([off, grown], axis=1)
        parts = score.reshape(*shape, -1), move.reshape(*shape, -1)
        return np.concatenate([*parts, np.zeros((*shape, 2), np.float32)], axis=-1)

    def activate(self, raw: dict, ops: ModuleType = np) -> dict:
        """Logits → scores; corrections stay."""
        return {name: self._activate(maps, ops) for name, maps in raw.items()}

    def _activate(self, raw: np.ndarray, ops: ModuleType) -> np.ndarray:
        scored = sigmoid(raw[..., : self.scores], ops)
        return ops.concatenate([scored, raw[..., self.scores :]], axis=-1)

    def decode(self, maps: dict[str, np.ndarray], **parameters: float) -> Boxes:
        """Maps of each grid → boxes, see `choose`."""
        values, shape = self.defaults() | parameters, self.shape_of(maps)
        edges, score, kind = self.read(maps, least=values["threshold"])
        return self.choose(edges, score, kind=kind, shape=shape, values=values)

    def shape_of(self, maps: dict[str, np.ndarray]) -> tuple[int, ...]:
        """Shape in pixels of what the finest grid covers."""
        finest = maps[name_level(self.strides[0])]
        return tuple(n * s for n, s in zip(finest.shape, self.strides[0], strict=False))

    def read(
        self, maps: dict[str, np.ndarray], *, least: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Edges in pixels, score and class from 0 of the anchors with a score of at least `least`.

        Parameters
        ----------
        maps : of each grid.
        least : 0 … 1.
        """
        found = []
        for stride in self.strides:
            one = maps[name_level(stride)]
            ends = self.scores + len(self.sizes) * 2 * self.ndim
            score = one[..., : self.scores].reshape(*one.shape[:-1], -1, self.kinds)
            move = one[..., self.scores : ends].reshape(*one.shape[:-1], -1, 2 * self.ndim)
            place = np.argwhere(score.max(axis=-1) >= least)
            at = tuple(place.T)
            edges = self._place(move[at].astype(float), place, stride=np.array(stride, float))
            found.append((edges, score[at].max(axis=1), score[at].argmax(axis=1)))
        return tuple(np.concatenate(part) for part in zip(*found, strict=True))

    def _place(self, move: np.ndarray, place: np.ndarray, *, stride: np.ndarray) -> np.ndarray:
        """Edges in pixels of anchors at `place`, cell and number, that are corrected by `move`."""
        size = self.sizes[place[:, -1]] * stride
        off, grown = np.split(move, 2, axis=1)
        middle = (place[:, :-1] + 0.5) * stride + off * SPREAD[0] * size
        half = size * np.exp(np.clip(grown * SPREAD[1], -LARGEST, LARGEST)) / 2
        return join_corners(middle - half, middle + half)


IGNORED, NONE = -2, -1
COUNTS = (lambda own: (own >= 0).sum(), lambda own: (own == NONE).sum())


def match_anchors(
    overlaps: Sequence[np.ndarray], *, limits: tuple[float, float]
) -> list[np.ndarray]:
    """Find the box that each anchor learns.

    Parameters
    ----------
    overlaps : of each grid (N, ...) IoU of N boxes with its anchors.
    limits : see `AnchorTarget`. The best anchor of each box learns it, too, if no other does.

    Returns
    -------
    Of each grid (...) number of the box; -1 for none, -2 where nothing is learned.

    Examples
    --------
    >>> match_anchors([np.array([[0.6, 0.45, 0.1]])], limits=(0.5, 0.4))[0].tolist()
    [0, -2, -1]
    """
    count, owners = len(overlaps[0]), []
    if not count:
        return [np.full(one.shape[1:], NONE) for one in overlaps]
    for one in overlaps:
        best = one.max(axis=0)
        own = np.where(best >= limits[0], one.argmax(axis=0), IGNORED)
        owners.append(np.where(best < limits[1], NONE, own))
    flat = [one.reshape(count, -1) for one in overlaps]
    best = np.stack([one.max(axis=1) for one in flat])  # (grids, N)
    learned = np.concatenate([own.ravel() for own in owners])
    for box in np.setdiff1d(np.flatnonzero(best.max(axis=0) > WORST), learned):
        level = int(best[:, box].argmax())
        owners[level].reshape(-1)[flat[level][box].argmax()] = box
    return owners
