"""Objects of neighbouring blocks that are one: the same numbers in both, and no seam.

Two blocks have both looked at the strip on either side of the border between their cores. Where an
object of the one and an object of the other share more than half of what they cover in that strip,
they are one object; each block contributes the pixels of its own core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from nbtools.inference.block_store import BlockStore
from nbtools.inference.blocks import Block, BlockPlan, Place

SAME = 0.5  # IoU in the strip, above which two objects are one
FILLED = 0.5  # of the halo, that both blocks know well


@dataclass(frozen=True, eq=False)
class Joined:
    """The objects of all blocks.

    Parameters
    ----------
    numbers : of each block, number in the block → number in the image; 0 for what is left out.
    sizes : (N + 1,) pixels of each object of the image; 0 for the background.
    sums : name → (N + 1,) sums over the pixels of each object, or a number for the whole image.
    larger : numbers of the objects that reach beyond the halo of a block that they lie in.
    """

    numbers: list[np.ndarray]
    sizes: np.ndarray
    sums: dict[str, np.ndarray]
    larger: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes) - 1


def join(plan: BlockPlan, store: BlockStore, *, min_size: int = 0) -> Joined:
    """Find which objects of neighbouring blocks are one.

    Nothing depends on the order in which the blocks were computed.

    Parameters
    ----------
    plan : of the image.
    store : with all its blocks.
    min_size : smaller objects are left out, in pixels.
    """
    collector = _Collector(plan)
    for index in range(len(plan)):
        collector.add(plan[index], *store.load(index))
    return collector.finish(min_size)


def relabel(store: BlockStore, joined: Joined) -> Iterator[tuple[Place, np.ndarray]]:
    """The labels of the image, core by core.

    Parameters
    ----------
    store : with all blocks of the image.
    joined : numbers of the objects.

    Yields
    ------
    Place of a core, and its labels.
    """
    kind = np.uint16 if len(joined) < 2**16 else np.uint32
    for index, numbers in enumerate(joined.numbers):
        labels, _ = store.load(index)
        block = store.plan[index]
        yield block.core, numbers.astype(kind)[labels[block.inner]]


class _Collector:
    """Numbers, sizes and meetings of objects, block after block."""

    def __init__(self, plan: BlockPlan):
        self.plan = plan
        self.starts = [0]  # first number of each block
        self.sizes: list[np.ndarray] = []
        self.sums: list[dict[str, np.ndarray]] = []
        self.cut: list[np.ndarray] = []
        self.pairs: list[np.ndarray] = []
        self.strips: dict[tuple[int, int], np.ndarray] = {}  # (block, axis) → its last pixels

    def add(self, block: Block, labels: np.ndarray, sums: dict[str, np.ndarray]) -> None:
        count = int(labels.max(initial=0)) + 1
        core = labels[block.inner]
        self.sizes.append(np.bincount(core.ravel(), minlength=count))
        self.sizes[-1][0] = 0
        self.sums.append(sums)
        self.cut.append(self._find_cut(block, labels, self.sizes[-1] > 0))
        for axis, other in self.plan.before(block.index):
            strip = self._cut_strip(block, labels, axis=axis, at=block.core[axis].start)
            pairs = match(self.strips.pop((other, axis)), strip)
            self.pairs.append(pairs + np.array([[self.starts[other]], [self.starts[block.index]]]))
        for axis, n in enumerate(self.plan.shape):
            if block.core[axis].stop < n:
                strip = self._cut_strip(block, labels, axis=axis, at=block.core[axis].stop)
                self.strips[block.index, axis] = strip.copy()
        self.starts.append(self.starts[-1] + count)

    def _cut_strip(self, block: Block, labels: np.ndarray, *, axis: int, at: int) -> np.ndarray:
        """What a block knows on either side of the border of cores that lies at a coordinate."""
        reach = max(1, int(self.plan.halo[axis] * FILLED)) if self.plan.halo[axis] else 0
        low, high = max(at - reach, 0), min(at + reach, self.plan.shape[axis])
        place = [slice(None)] * labels.ndim
        place[axis] = slice(low - block.outer[axis].start, high - block.outer[axis].start)
        return labels[tuple(place)]

    def _find_cut(self, block: Block, labels: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """(n + 1,) bool: objects with pixels in the core that reach the end of the halo."""
        touching = np.zeros(len(inside), bool)
        for axis, n in enumerate(self.plan.shape):
            faces = np.moveaxis(labels, axis, 0)
            if block.outer[axis].start > 0:
                touching[faces[0]] = True
            if block.outer[axis].stop < n:
                touching[faces[-1]] = True
        return touching & inside

    def finish(self, min_size: int) -> Joined:
        total = self.starts[-1]
        pairs = np.concatenate(self.pairs, axis=1) if self.pairs else np.zeros((2, 0), int)
        graph = coo_matrix((np.ones(pairs.shape[1], bool), pairs), shape=(total, total))
        group = connected_components(graph, directed=False)[1]
        sizes = np.bincount(group, weights=np.concatenate(self.sizes)).astype(np.int64)
        kept = sizes >= max(min_size, 1)
        # groups have the numbers of their first objects' order, block by block
        number = np.where(kept, np.cumsum(kept), 0)
        of_each = number[group]
        numbers = [of_each[a:b] for a, b in zip(self.starts, self.starts[1:], strict=False)]
        for one in numbers:
            one[0] = 0
        larger = np.unique(of_each[np.concatenate(self.cut)])
        sums = {
            name: self._add_up(name, of_each, int(number.max(initial=0))) for name in self.sums[0]
        }
        sizes = np.append(0, sizes[kept])
        return Joined(numbers, sizes, sums, larger[larger > 0])

    def _add_up(self, name: str, of_each: np.ndarray, count: int) -> np.ndarray:
        parts = [sums[name] for sums in self.sums]
        if not np.ndim(parts[0]):
            return np.sum(parts)
        total = np.bincount(of_each, weights=np.concatenate(parts), minlength=count + 1)
        total[0] = 0
        return total


def match(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which objects of two label images of one place are the same.

    Parameters
    ----------
    one, other : of equal shape.

    Returns
    -------
    (2, pairs) their labels.

    Examples
    --------
    >>> match(np.array([[1, 1, 0, 2]]), np.array([[5, 5, 5, 0]])).tolist()
    [[1], [5]]
    """
    both = (one > 0) & (other > 0)
    width = int(other.max(initial=0)) + 1
    keys = one[both].astype(np.int64) * width + other[both]
    keys, shared = np.unique(keys, return_counts=True)
    a, b = np.divmod(keys, width)
    covered = np.bincount(one.ravel())[a] + np.bincount(other.ravel())[b] - shared
    same = shared > SAME * covered
    return np.stack([a[same], b[same]])


def count_cut(labels: Callable[[Place], np.ndarray], plan: BlockPlan) -> int:
    """Count the pairs of objects that meet along a border of cores and nowhere else.

    Parameters
    ----------
    labels : place → the labels of the image there.
    plan : of the image.

    Returns
    -------
    Number of pairs of objects that touch along a border of cores over more than half of the
    smaller one's extent along that border: what a seam looks like.
    """
    found = 0
    for axis, (n, size) in enumerate(zip(plan.shape, plan.size, strict=True)):
        for at in range(size, n, size):
            place = [slice(0, m) for m in plan.shape]
            place[axis] = slice(at - 1, at + 1)
            before, after = np.moveaxis(labels(tuple(place)), axis, 0)
            meet = (before > 0) & (after > 0) & (before != after)
            pairs, shared = np.unique(
                np.stack([before[meet], after[meet]]), axis=1, return_counts=True
            )
            if not len(shared):
                continue
            widths = [np.bincount(side.ravel()) for side in (before, after)]
            smaller = np.minimum(widths[0][pairs[0]], widths[1][pairs[1]])
            found += int((shared > SAME * smaller).sum())
    return found
