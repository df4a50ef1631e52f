"""Which worker computes which block, before anything is computed."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from math import prod

from nbtools.inference.blocks import BlockPlan

SHOWN = 8  # workers, and blocks of each, that are listed


@dataclass(frozen=True)
class Schedule:
    """The blocks of an image on workers that take the next one whenever they are free.

    The work of a block is taken to be in proportion to its pixels.

    Parameters
    ----------
    plan : of the image.
    blocks : of each worker, in the order in which it computes them.
    bytes_per_pixel : of a block.

    Examples
    --------
    >>> plan = BlockPlan((2000, 2000), size=(500, 500), halo=(50, 50))
    >>> schedule = make_schedule(plan, 4, bytes_per_pixel=100)
    >>> schedule.blocks[0], round(schedule.efficiency, 2)
    ((0, 4, 8, 12), 0.98)
    """

    plan: BlockPlan
    blocks: tuple[tuple[int, ...], ...]
    bytes_per_pixel: float

    @property
    def loads(self) -> tuple[int, ...]:
        """Pixels that each worker computes, halos included."""
        return tuple(sum(prod(self.plan[i].shape) for i in own) for own in self.blocks)

    @property
    def efficiency(self) -> float:
        """Share of the time of all workers in which they compute; 1 where none waits at the end."""
        return sum(self.loads) / (len(self.loads) * max(self.loads))

    @property
    def overhead(self) -> float:
        """Pixels computed per pixel of the image: what halos cost."""
        return sum(self.loads) / prod(self.plan.shape)

    def list_lines(self) -> list[str]:
        """The schedule in words."""
        plan, count = self.plan, len(self.blocks)
        size, halo, shape = (" x ".join(map(str, n)) for n in (plan.size, plan.halo, plan.shape))
        memory = plan.most_pixels * self.bytes_per_pixel / 1e9
        blocks = f"{len(plan)} blocks" if len(plan) > 1 else "1 block"
        lines = [
            f"{shape} px: {blocks} of {size} px with a halo of {halo} px, {memory:.2f} GB each",
            f"{count} workers, {memory * count:.2f} GB: at best busy for {self.efficiency:.0%} of "
            f"the time; halos make it {self.overhead:.2f} times the pixels of the image",
        ]
        for number, own in enumerate(self.blocks[:SHOWN], 1):
            some = ", ".join(map(str, own[:SHOWN])) + (", …" if len(own) > SHOWN else "")
            lines.append(f"worker {number}: {len(own)} blocks: {some}")
        if count > SHOWN:
            lines.append(f"… and {count - SHOWN} workers more")
        return lines

    def to_dict(self) -> dict:
        """As plain values."""
        return {
            **self.plan.to_dict(),
            "blocks": [list(own) for own in self.blocks],
            "efficiency": round(self.efficiency, 4),
            "overhead": round(self.overhead, 4),
            "block_bytes": round(self.plan.most_pixels * self.bytes_per_pixel),
        }


def make_schedule(plan: BlockPlan, workers: int, *, bytes_per_pixel: float) -> Schedule:
    """Hand out the blocks of an image as a scheduler does.

    Parameters
    ----------
    plan : of the image.
    workers : their number.
    bytes_per_pixel : that a pixel of a block takes, halo included.
    """
    free = [(0, worker) for worker in range(workers)]
    own: list[list[int]] = [[] for _ in range(workers)]
    for block in plan:
        at, worker = heapq.heappop(free)
        own[worker].append(block.index)
        heapq.heappush(free, (at + prod(block.shape), worker))
    return Schedule(plan, tuple(map(tuple, own)), bytes_per_pixel)
