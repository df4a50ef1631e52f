"""Images larger than the memory: blocks with a halo, each by itself, in any order, resumable.

A block is predicted with a halo around it, wide enough that what lies in its core does not depend
on where the image was cut. Objects are joined across cores in `block_join`; what is done is kept on
disk by `block_store`, so that a stop costs the block at hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np

from nbtools.errors import UserError
from nbtools.inference.block_store import BlockStore, Found

LARGEST = 2**24  # pixels of a block: what a stop costs at most
LEAST_CORE = 32  # pixels along an axis
SHARE = 0.5  # of the memory that is free, for one block; the rest is for the program itself
Place = tuple[slice, ...]


@dataclass(frozen=True)
class Block:
    """One block of an image.

    Parameters
    ----------
    index : number of the block, in the order of rows.
    core : the pixels that are its own, a slice per axis of the image.
    outer : core and halo, within the image.
    """

    index: int
    core: Place
    outer: Place

    @property
    def inner(self) -> Place:
        """The core, counted from the first pixel of `outer`."""
        pairs = zip(self.core, self.outer, strict=True)
        return tuple(slice(c.start - o.start, c.stop - o.start) for c, o in pairs)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of core and halo."""
        return tuple(o.stop - o.start for o in self.outer)


@dataclass(frozen=True)
class BlockPlan:
    """Blocks that cover an image; it follows from the header of its file alone.

    Parameters
    ----------
    shape : (*space) of the image.
    size : of a core, along each axis.
    halo : pixels around a core, along each axis.

    Examples
    --------
    >>> plan = BlockPlan((100, 90), size=(64, 64), halo=(8, 8))
    >>> len(plan), plan[3].core, plan[3].outer
    (4, (slice(64, 100, None), slice(64, 90, None)), (slice(56, 100, None), slice(56, 90, None)))
    """

    shape: tuple[int, ...]
    size: tuple[int, ...]
    halo: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of blocks along each axis."""
        return tuple(-(-n // s) for n, s in zip(self.shape, self.size, strict=True))

    @property
    def most_pixels(self) -> int:
        """Of a block, halo included."""
        grown = zip(self.size, self.halo, self.shape, strict=True)
        return prod(min(size + 2 * halo, n) for size, halo, n in grown)

    def __len__(self) -> int:
        return prod(self.counts)

    def __getitem__(self, index: int) -> Block:
        core, outer = [], []
        at = np.unravel_index(index, self.counts)
        for i, n, size, halo in zip(at, self.shape, self.size, self.halo, strict=True):
            start, stop = int(i) * size, min((int(i) + 1) * size, n)
            core.append(slice(start, stop))
            outer.append(slice(max(start - halo, 0), min(stop + halo, n)))
        return Block(index, tuple(core), tuple(outer))

    def __iter__(self) -> Iterator[Block]:
        return (self[index] for index in range(len(self)))

    def before(self, index: int) -> Iterator[tuple[int, int]]:
        """(axis, number) of the blocks that end where this one begins."""
        at = np.unravel_index(index, self.counts)
        for axis, i in enumerate(at):
            if i:
                other = list(at)
                other[axis] -= 1
                yield axis, int(np.ravel_multi_index(other, self.counts))

    def to_dict(self) -> dict:
        """As plain values."""
        return {"shape": list(self.shape), "size": list(self.size), "halo": list(self.halo)}


def plan_blocks(
    shape: tuple[int, ...],
    *,
    halo: tuple[int, ...],
    bytes_per_pixel: float,
    free: float,
    grid: tuple[int, ...] | None = None,
    largest: int | None = None,
) -> BlockPlan:
    """Choose the largest blocks that memory bears.

    Parameters
    ----------
    shape : (*space) of the image.
    halo : pixels around a core, along each axis; rounded up to the grid.
    bytes_per_pixel : that a pixel of a block takes, halo included.
    free : bytes of memory that are free.
    grid : cores begin at multiples of it; None for 1.
    largest : pixels of a block at most, halo included; None for `LARGEST`.

    Raises
    ------
    UserError : not even a core as small as its halo fits.

    Examples
    --------
    >>> plan_blocks((20000, 20000), halo=(64, 64), bytes_per_pixel=100, free=2e9).size
    (2858, 2858)
    """
    step = np.array(grid or (1,) * len(shape))
    margin = -(-np.array(halo) // step) * step
    size, bearable = np.array(shape), SHARE * free / bytes_per_pixel
    least = np.minimum(np.maximum(margin, LEAST_CORE), shape)
    pixels = prod(np.minimum(least + 2 * margin, shape).tolist())
    if pixels > bearable:
        raise UserError(
            "One block of an image must fit into the memory that is free.",
            f"{pixels * bytes_per_pixel / SHARE / 1e9:.2f} GB a block, {free / 1e9:.2f} GB free",
            "Close other programs, use a machine with more memory, or cut the image into pieces.",
        )
    most = min(bearable, largest or LARGEST)
    while prod(np.minimum(size + 2 * margin, shape).tolist()) > most:
        axis = int(np.argmax(size / least))
        if size[axis] <= least[axis]:
            break
        size[axis] = max(int(size[axis] * 0.9), least[axis])
    counts = -(-np.array(shape) // size)
    even = -(-np.array(shape) // counts)  # cores of about one size
    return BlockPlan(
        tuple(shape), tuple((-(-even // step) * step).tolist()), tuple(margin.tolist())
    )


@dataclass(frozen=True)
class BlockNeeds:
    """What a block takes, where it is known before the image is read.

    Parameters
    ----------
    halo : pixels around a core, along each axis.
    grid : cores begin at multiples of it.
    bytes_per_pixel : of memory, that a pixel of a block takes.
    """

    halo: tuple[int, ...]
    grid: tuple[int, ...]
    bytes_per_pixel: float


class Work(Protocol):
    """What a method does with a block.

    Attributes
    ----------
    halo : pixels around a core that it must see, along each axis.
    grid : cores begin at multiples of it.
    bytes_per_pixel : of memory, that a pixel of a block takes.
    min_size : objects with fewer pixels are left out.
    """

    halo: tuple[int, ...]
    grid: tuple[int, ...]
    bytes_per_pixel: float
    min_size: int

    def __call__(self, block: Block) -> Found:
        """What is found in core and halo; it depends on the block alone."""
        ...

    def judge(self, sums: Mapping[str, np.ndarray]) -> Work | None:
        """What to do in its place once all blocks are known; None where the result stands.

        Parameters
        ----------
        sums : over the image, of the numbers that each block gave.
        """
        ...


class Executor(Protocol):
    """Runs blocks, in any order and in any process.

    Attributes
    ----------
    largest : pixels of a block at most; None for the usual.
    """

    largest: int | None

    def limit(self, needed: float) -> None:
        """Take note of the bytes that a block needs, before any is run."""
        ...

    def __call__(self, run: Callable[[int], None], indices: Iterable[int]) -> Iterator[int]:
        """Run the blocks of these numbers; gives the number of each once it is done."""
        ...


class InOrder:
    """The plain executor: one block after the other, in this process."""

    largest = None

    def limit(self, needed: float) -> None:
        """The plan has seen to it that one block fits."""

    def __call__(self, run: Callable[[int], None], indices: Iterable[int]) -> Iterator[int]:
        """Run the blocks in the order of their numbers.

        Parameters
        ----------
        run : computes a block and keeps what it found.
        indices : of the blocks to compute.

        Yields
        ------
        The number of each block, once it is done.
        """
        for index in indices:
            run(index)
            yield index


run_in_order = InOrder()


def run_block(
    plan: BlockPlan,
    index: int,
    *,
    work: Callable[[Block], Found | np.ndarray],
    store: BlockStore,
) -> None:
    """Compute one block and keep what was found; it depends on nothing but its arguments.

    Parameters
    ----------
    plan : of the image.
    index : of the block.
    work : finds objects, or restores grey values, as the store keeps them.
    store : on disk.
    """
    if not store.has(index):  # a worker that was lost may have kept it before
        store.save(index, work(plan[index]))


def compute(
    plan: BlockPlan,
    work: Callable[[Block], Found | np.ndarray],
    *,
    store: BlockStore,
    executor: Executor = run_in_order,
    say: Callable[[str], None] | None = None,
) -> None:
    """Compute all blocks that are not done yet.

    Parameters
    ----------
    plan : of the image.
    work : finds objects in a block, or restores it.
    store : on disk, of this plan.
    executor : runs the blocks, in any order.
    say : takes messages on progress.
    """
    todo = [index for index in range(len(plan)) if not store.has(index)]
    tell, started = say or (lambda text: None), time.monotonic()
    if len(todo) < len(plan):
        tell(f"{len(plan) - len(todo)} of {len(plan)} blocks are done already.")

    def run(index: int) -> None:
        run_block(plan, index, work=work, store=store)

    for count, index in enumerate(executor(run, todo), 1):
        require_kept(store, index)
        left = (time.monotonic() - started) / count * (len(todo) - count)
        done = len(plan) - len(todo) + count
        tell(f"block {done} of {len(plan)}" + (f", {format_left(left)} left" if left else ""))


def require_kept(store: BlockStore, index: int) -> None:
    """A UserError where the file of a block that a worker has done is not there.

    Parameters
    ----------
    store : on disk.
    index : of the block.
    """
    if not store.path(index).is_file():
        raise UserError(
            "What a worker finds in a block must reach this machine.",
            f"block {index}, which is not in {store.folder}",
            "Set TMPDIR, here and for the workers, to a folder that all machines share.",
        )


def format_left(seconds: float) -> str:
    """A time in words.

    Parameters
    ----------
    seconds : that are left.

    Examples
    --------
    >>> format_left(42.3), format_left(400), format_left(9000)
    ('about 42 s', 'about 7 min', 'about 2.5 h')
    """
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
