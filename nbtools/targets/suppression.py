"""Non-maximum suppression: of boxes that overlap, the one of highest score stays.

A detector finds each nucleus several times. Hard suppression removes every box whose IoU with a
better one is above a limit, and with it a true neighbour that overlaps as much. Soft suppression
(Bodla et al. 2017, doi:10.1109/ICCV.2017.593) lowers its score by exp(-IoU² / sigma) instead, so
that a neighbour which was found for certain survives.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from nbtools.augment import box_corners
from nbtools.errors import UserError

OVERLAP = 0.5  # IoU
APART = 0.01  # IoU; boxes that share less do not lower each other's score
LEAST = 1e-3  # score
BLOCKS = 512, 32768  # boxes that are compared with each other at a time: at first, at most
FEW = 8, 64  # boxes that are compared with all others at a time: at least, at first
PAIRS = 4_000_000  # that are looked at together
Planted = tuple[np.ndarray, cKDTree]  # numbers of boxes, and their middles


def suppress_boxes(
    edges: np.ndarray,
    score: np.ndarray,
    *,
    group: np.ndarray | None = None,
    overlap: float = OVERLAP,
) -> np.ndarray:
    """Choose the boxes that stay: each, best first, removes those that overlap it too much.

    Parameters
    ----------
    edges : (N, 2 D) in pixels, half-open: columns y0, x0, y1, x1[, z0, z1].
    score : (N,); of equal ones the first comes first.
    group : (N,) integers, as of classes; boxes of different groups leave each other alone.
    overlap : IoU above which a box is removed.

    Returns
    -------
    (M,) int, rows of the boxes that stay, best first.

    Raises
    ------
    UserError : boxes without extent, or edges or scores that are no finite numbers.

    Examples
    --------
    >>> edges = np.array([[0.0, 0, 10, 10], [0, 2, 10, 12], [0, 10, 10, 20]])
    >>> suppress_boxes(edges, np.array([0.8, 0.9, 0.7])).tolist()
    [1, 2]
    """
    order = _rank(edges, score)
    boxes = Ranked.of(edges, order, group=group)
    kept, start, size = np.zeros(0, int), 0, BLOCKS[0]
    while start < len(order):
        block = np.arange(start, min(start + size, len(order)))
        _, beaten, _ = boxes.find_meetings(kept, block, least=overlap)
        block = np.setdiff1d(block, beaten)
        better, worse, _ = boxes.find_meetings(block, block, least=overlap)
        kept = np.r_[kept, choose_unbeaten(block, better, worse=worse)]
        start, size = start + size, min(2 * size, BLOCKS[1])
    return order[kept]


def decay_scores(
    edges: np.ndarray,
    score: np.ndarray,
    *,
    group: np.ndarray | None = None,
    sigma: float = 0.5,
    least: float = LEAST,
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian soft suppression: better boxes lower the scores of those that overlap them.

    Parameters
    ----------
    edges, score, group : as for `suppress_boxes`.
    sigma : the larger, the less a score is lowered.
    least : score below which a box is left out.

    Returns
    -------
    (M,) int, rows of the boxes that stay, and (M,) their new scores, best first.

    Raises
    ------
    UserError : as for `suppress_boxes`.

    References
    ----------
    Bodla et al. 2017, doi:10.1109/ICCV.2017.593.

    Examples
    --------
    >>> edges = np.array([[0.0, 0, 10, 10], [0, 2, 10, 12]])  # their IoU is 2 / 3
    >>> rows, score = decay_scores(edges, np.array([0.8, 0.9]))
    >>> rows.tolist(), score.round(3).tolist()  # 0.8 · exp(-(2 / 3)² / 0.5)
    ([1, 0], [0.9, 0.329])
    """
    order = _rank(edges, score)
    boxes = Ranked.of(edges, order, group=group)
    new, left = np.asarray(score, float)[order], np.ones(len(order), bool)
    size, planted = FEW[1], []
    open_ = np.flatnonzero(new >= least)
    while len(open_):
        block, bound = _take_best(open_, new, count=size)
        # a box that falls below the limit lowers none that stays, and is looked for no longer
        if sum(len(some) for some, _ in planted) > 2 * len(open_) or not planted:
            planted = boxes.plant(open_)
        pairs = boxes.find_neighbours(block, planted, least=APART)
        decided = _decay_block(block, new, left=left, pairs=pairs, bound=bound, sigma=sigma)
        size = _choose_size(size, decided / len(block), pairs=len(pairs[0]))
        open_ = open_[left[open_] & (new[open_] >= least)]
    best = np.argsort(-new, kind="stable")
    best = best[new[best] >= least]
    return order[best], new[best]


def _choose_size(size: int, share: float, *, pairs: int) -> int:
    """How many boxes to compare next: fewer where most of them are lowered in vain."""
    if share < 0.5 or pairs > PAIRS:
        return max(FEW[0], size // 2)
    return min(2 * size, BLOCKS[1]) if 4 * pairs < PAIRS else size


def _take_best(
    boxes: np.ndarray, score: np.ndarray, *, count: int
) -> tuple[np.ndarray, tuple[float, int]]:
    """The boxes of highest score, and the key (-score, number) of the best of the others."""
    if len(boxes) <= count:
        return boxes, (np.inf, 0)
    worst = -np.partition(-score[boxes], count)[count]
    above, same = boxes[score[boxes] > worst], boxes[score[boxes] == worst]
    spare = count - len(above)
    return np.r_[above, same[:spare]], (-float(worst), int(same[spare]))


def _decay_block(
    block: np.ndarray,
    score: np.ndarray,
    *,
    left: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    bound: tuple[float, int],
    sigma: float,
) -> int:
    """Let boxes lower the scores of others, best first, while they are the best of all.

    Parameters
    ----------
    block : numbers of the boxes.
    score, left : (N,) of all boxes; are changed: a box that was taken is not left.
    pairs : box of the block, any other box, and their IoU.
    bound : key of the best box outside the block.
    sigma : as of `decay_scores`.

    Returns
    -------
    Number of boxes that were taken.
    """
    block = np.sort(block)
    by_box = np.argsort(pairs[0], kind="stable")
    others, factor = pairs[1][by_box], np.exp(-(pairs[2][by_box] ** 2) / sigma)
    starts = np.searchsorted(pairs[0][by_box], block)
    ends = np.searchsorted(pairs[0][by_box], block, side="right")
    count = 0
    for place in _best_first(score, block, bound=bound):
        left[block[place]] = False
        mine = slice(starts[place], ends[place])
        later = left[others[mine]]
        score[others[mine][later]] *= factor[mine][later]
        count += 1
    return count


@dataclass(frozen=True, eq=False)
class Ranked:
    """Boxes, best first, with what is needed to find those near each other.

    Parameters
    ----------
    low, high, middle : (N, D) corners and middle, in px.
    side, size, octave : (N,) longest side in px, product of all, and logarithm of the first to the
        base 2, rounded up.
    group : (N,) integers.
    """

    low: np.ndarray
    high: np.ndarray
    middle: np.ndarray
    side: np.ndarray
    size: np.ndarray
    octave: np.ndarray
    group: np.ndarray

    @classmethod
    def of(cls, edges: np.ndarray, order: np.ndarray, *, group: np.ndarray | None) -> Ranked:
        """Boxes (N, 2 D) in the order of `order`, (N,) rows."""
        low, high = box_corners(np.asarray(edges, float)[order])
        extent = high - low
        side = extent.max(axis=1)
        octave = np.ceil(np.log2(side)).astype(int)
        group = np.zeros(len(order), int) if group is None else np.asarray(group)[order]
        return cls(low, high, (low + high) / 2, side, extent.prod(axis=1), octave, group)

    def find_meetings(
        self, first: np.ndarray, second: np.ndarray, *, least: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find which boxes of one choice meet which of another: one group, IoU above `least`.

        Boxes are looked for near each other only, and among those of similar size: an IoU is never
        larger than the ratio of two areas.

        Parameters
        ----------
        first, second : numbers of boxes; of a pair the first number is the lower one.
        least : IoU.

        Returns
        -------
        Three arrays: number of the one box, that of the other, and their IoU.
        """
        return self.find_neighbours(first, self.plant(second), least=least, rising=True)

    def plant(self, boxes: np.ndarray) -> list[Planted]:
        """Trees of the middles of boxes, one for each octave of their size.

        Parameters
        ----------
        boxes : their numbers.
        """
        return [(some, cKDTree(self.middle[some])) for some in self._by_octave(boxes)]

    def find_neighbours(
        self, boxes: np.ndarray, planted: list[Planted], *, least: float, rising: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `find_meetings`, with those of a choice whose trees are known.

        Parameters
        ----------
        boxes : numbers of boxes.
        planted : see `plant`.
        least : IoU.
        rising : only pairs whose first number is the lower one.
        """
        found = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
        for ours, theirs in product(self.plant(boxes), planted):
            sizes = self.size[ours[0]], self.size[theirs[0]]
            small, large = min(s.max() for s in sizes), max(s.min() for s in sizes)
            if small >= least * large:
                found.append(self._meet(ours, theirs, least=least, rising=rising))
        return tuple(np.concatenate(part) for part in zip(*found, strict=True))

    def _meet(self, ours: Planted, theirs: Planted, *, least: float, rising: bool) -> tuple:
        reach = (self.side[ours[0]].max() + self.side[theirs[0]].max()) / 2
        about = {"p": np.inf, "output_type": "ndarray"}
        near = ours[1].sparse_distance_matrix(theirs[1], reach, **about)
        one, other = ours[0][near["i"]], theirs[0][near["j"]]
        wanted = (one < other) if rising else (one != other)
        wanted &= self.group[one] == self.group[other]
        one, other = one[wanted], other[wanted]
        ends = np.minimum(self.high[one], self.high[other])
        shared = np.maximum(ends - np.maximum(self.low[one], self.low[other]), 0).prod(axis=1)
        iou = shared / (self.size[one] + self.size[other] - shared)
        return one[iou > least], other[iou > least], iou[iou > least]

    def _by_octave(self, boxes: np.ndarray) -> list[np.ndarray]:
        octave = self.octave[boxes]
        return [boxes[octave == one] for one in np.unique(octave)]


def choose_unbeaten(boxes: np.ndarray, better: np.ndarray, *, worse: np.ndarray) -> np.ndarray:
    """Choose the boxes that no chosen one beats, best first.

    Parameters
    ----------
    boxes : (N,) rising numbers.
    better, worse : (P,) the pairs in which the one beats the other.

    Examples
    --------
    >>> choose_unbeaten(np.arange(3), np.array([0, 1]), worse=np.array([1, 2])).tolist()
    [0, 2]
    """
    lost = np.zeros(boxes.max(initial=0) + 1, bool)
    while len(better):
        open_ = np.zeros(len(lost), bool)
        open_[worse] = True  # whether it stays depends on a better one that is not decided yet
        lost[worse[~open_[better]]] = True
        left = open_[better] & ~lost[better] & ~lost[worse]
        better, worse = better[left], worse[left]
    return boxes[~lost[boxes]]


def _best_first(score: np.ndarray, boxes: np.ndarray, *, bound: tuple[float, int]) -> Iterator[int]:
    """Places in `boxes`, that of highest score first; scores may be lowered meanwhile.

    It ends where a box outside is better; of equal ones, that of the lower number.

    Parameters
    ----------
    score : (N,) of all boxes.
    boxes : rising numbers of some.
    bound : key (-score, number) of the best of the others.
    """
    queue = list(zip((-score[boxes]).tolist(), boxes.tolist(), range(len(boxes)), strict=True))
    heapq.heapify(queue)
    while queue:
        value, box, place = heapq.heappop(queue)
        if -value != score[box]:
            heapq.heappush(queue, (-float(score[box]), box, place))
        elif (value, box) > bound:
            return
        else:
            yield place


def _rank(edges: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Rows of boxes, best first; a UserError where one is no box."""
    low, high = box_corners(np.asarray(edges, float))
    faulty = ~(np.isfinite(low) & np.isfinite(high) & (high > low)).all(axis=1)
    faulty |= ~np.isfinite(np.asarray(score, float))
    if faulty.any():
        raise UserError(
            "Boxes must have an extent along every axis, and scores must be finite numbers.",
            f"{int(faulty.sum())} of {len(low)} that have not",
            "Leave those out; `nbtools check` finds them in a data set.",
        )
    return np.argsort(-np.asarray(score, float), kind="stable")
