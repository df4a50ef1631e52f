"""Pixels that stay in their file, and are read region by region: for images beyond the memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

from nbtools.errors import UserError

SLAB = 2**24  # pixels read together, about
Step = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class StoredPixels:
    """An array in a file; a region of it is read when it is asked for, and nothing is kept.

    It stands where the pixels of an `Image` do. Axes are picked, moved and added without reading;
    `stored[place]` reads, `stored[place] = values` writes. The file is mapped for that moment
    only, so that what was read does not count as memory of this process afterwards.

    Parameters
    ----------
    path : of the file.
    held : shape of the array in the file.
    kind : type of its numbers, with their order of bytes.
    offset : of its first byte.
    steps : views that are taken of the array, one after the other.
    cast : type that numbers are converted to when they are read; None for their own.
    keeper : of a temporary file, which lives as long as its pixels.

    Examples
    --------
    >>> np.arange(6, dtype=np.uint8).tofile("six.raw")
    >>> stored = StoredPixels(Path("six.raw"), (2, 3), np.dtype(np.uint8))
    >>> stored.transpose(1, 0)[:, 1].tolist(), int(stored.max())
    ([3, 4, 5], 5)
    """

    path: Path
    held: tuple[int, ...]
    kind: np.dtype
    offset: int = 0
    steps: tuple[Step, ...] = ()
    cast: np.dtype | None = None
    keeper: object = field(default=None, repr=False)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of what is seen of the array."""
        return self._see(np.broadcast_to(np.zeros((), np.uint8), self.held)).shape

    @property
    def dtype(self) -> np.dtype:
        return self.cast or self.kind.newbyteorder("=")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: object) -> np.ndarray:
        mapped = np.memmap(self.path, self.kind, "r", self.offset, self.held)
        return np.array(self._see(mapped)[place], dtype=self.dtype)

    def __setitem__(self, place: object, values: np.ndarray) -> None:
        mapped = np.memmap(self.path, self.kind, "r+", self.offset, self.held)
        self._see(mapped)[place] = values
        mapped.flush()

    def stamp(self) -> dict:
        """What changes where the file does: its size, and when it was written last."""
        status = self.path.stat()
        return {"bytes": status.st_size, "changed": status.st_mtime_ns}

    def __getstate__(self) -> dict:
        """Another process reads the same file; that it lives is seen to here."""
        return self.__dict__ | {"keeper": None}

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return self[...].astype(dtype or self.dtype, copy=False)

    def _see(self, array: np.ndarray) -> np.ndarray:
        for step in self.steps:
            array = step(array)
        return array

    def _then(self, step: Step) -> StoredPixels:
        return replace(self, steps=(*self.steps, step))

    def view(self, place: object) -> StoredPixels:
        """A part of the array, which is not read yet."""
        return self._then(lambda array: array[place])

    def take(self, index: int, axis: int) -> StoredPixels:
        """One plane along an axis."""
        return self.view((slice(None),) * axis + (index,))

    def transpose(self, *order: int) -> StoredPixels:
        """The axes in another order."""
        order = order[0] if order and isinstance(order[0], Sequence) else order
        return self._then(lambda array: array.transpose(order))

    def reshape(self, *shape: int) -> StoredPixels:
        """With axes of length 1 added or left out."""
        shape = tuple(shape[0]) if shape and isinstance(shape[0], Sequence) else shape
        long = [n for n in self.shape if n > 1]
        if [n for n in shape if n > 1] != long:
            raise UserError(
                "Pixels that stay in their file keep their order.",
                f"shape {self.shape} as {shape}",
                "Only axes of length 1 can be added or left out.",
            )
        return self._then(lambda array: array.reshape(shape))

    def astype(self, kind: object, *, copy: bool = True) -> StoredPixels:
        """Numbers of another type, converted when they are read."""
        return replace(self, cast=np.dtype(kind))

    def min(self, *, initial: float | None = None) -> np.generic:
        """The smallest number, slab by slab."""
        found = [slab.min() for _, slab in read_slabs(self)]
        return min(found) if initial is None else min(*found, initial)

    def max(self, *, initial: float | None = None) -> np.generic:
        """The largest number, slab by slab."""
        found = [slab.max() for _, slab in read_slabs(self)]
        return max(found) if initial is None else max(*found, initial)


def read_slabs(
    pixels: np.ndarray | StoredPixels, *, most: int = SLAB
) -> Iterator[tuple[slice, np.ndarray]]:
    """The pixels in slabs along the first axis, so that not all are in memory.

    Parameters
    ----------
    pixels : in memory or in a file.
    most : pixels that are read together, about.

    Yields
    ------
    Place of the slab along the first axis, and its pixels.
    """
    passed = prod(pixels.held) // len(pixels) if is_stored(pixels) else prod(pixels.shape[1:])
    rows = max(1, most // max(1, passed))
    for start in range(0, pixels.shape[0], rows):
        place = slice(start, min(start + rows, pixels.shape[0]))
        yield place, pixels[place]


def view_part(pixels: np.ndarray | StoredPixels, place: object) -> np.ndarray | StoredPixels:
    """A part of an array; of one in a file, without reading it."""
    return pixels.view(place) if isinstance(pixels, StoredPixels) else pixels[place]


def is_stored(pixels: object) -> bool:
    """Whether pixels are in a file and not in memory."""
    return isinstance(pixels, StoredPixels)


def create_temporary(
    shape: tuple[int, ...], kind: object, *, folder: str | Path | None = None
) -> StoredPixels:
    """Zeros in a temporary file that goes away with them.

    Parameters
    ----------
    shape : of the array.
    kind : NumPy type of its numbers.
    folder : of the file; None for the usual one of the system.
    """
    keeper = tempfile.NamedTemporaryFile(  # noqa: SIM115 (it lives as long as its pixels)
        prefix="nbtools-", suffix=".raw", dir=folder
    )
    kind = np.dtype(kind)
    keeper.truncate(max(1, prod(shape) * kind.itemsize))
    return StoredPixels(Path(keeper.name), tuple(shape), kind, keeper=keeper)
