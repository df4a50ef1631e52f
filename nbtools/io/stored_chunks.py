"""Pixels that stay in compressed chunks: arrays of Zarr, and tiled TIFF, read region by region."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import tifffile

from nbtools import runtime
from nbtools.errors import UserError
from nbtools.io.stored import StoredPixels

See = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Region:
    """Which part of an array is read, and how it is seen.

    Parameters
    ----------
    place : of the part, along each axis of the array, with steps above 0.
    flipped : axes of the array that are seen backwards.
    order : axes of the array in the order in which they are seen.
    shape : of what is seen.
    """

    place: tuple[slice, ...]
    flipped: tuple[int, ...]
    order: tuple[int, ...]
    shape: tuple[int, ...]

    def arrange(self, part: np.ndarray) -> np.ndarray:
        """What was read, as it is seen."""
        return np.flip(part, self.flipped).transpose(self.order).reshape(self.shape)


def find_region(see: See, held: tuple[int, ...]) -> Region:
    """The part of an array that views of it show.

    Parameters
    ----------
    see : slices, moves, adds or leaves out axes, without copying.
    held : shape of the array.

    Examples
    --------
    >>> find_region(lambda array: array[::-2, None, 3:].transpose(2, 1, 0), (5, 9)).place
    (slice(0, 5, 2), slice(3, 9, 1))
    """
    places, flipped, owner = [], [], {}
    for axis, n in enumerate(held):
        line = np.arange(n).reshape([-1 if a == axis else 1 for a in range(len(held))])
        seen = see(np.broadcast_to(line, held))
        if not seen.size:
            return Region((slice(0, 0),) * len(held), (), tuple(range(len(held))), seen.shape)
        first = int(seen[(0,) * seen.ndim])
        step, count = 1, 1
        for other, length in enumerate(seen.shape):
            if length > 1 and seen.strides[other]:
                at = tuple(int(a == other) for a in range(seen.ndim))
                step, count = int(seen[at]) - first, length
                owner[axis] = other
        low = min(first, first + step * (count - 1))
        places.append(slice(low, low + abs(step) * (count - 1) + 1, abs(step)))
        flipped += [axis] * (step < 0)
    # axes of which one pixel is seen go first
    order = sorted(range(len(held)), key=lambda axis: owner.get(axis, -1))
    return Region(tuple(places), tuple(flipped), tuple(order), seen.shape)


class ChunkedPixels(StoredPixels):
    """An array in chunks; only those that a region touches are read and unpacked.

    What is said of `StoredPixels` holds here, too; it cannot be written to.
    """

    @contextmanager
    def open(self) -> Iterator[object]:
        """The array, for a moment."""
        raise NotImplementedError

    def __getitem__(self, place: object) -> np.ndarray:
        parts = place if isinstance(place, tuple) else (place,)
        plain = all(isinstance(p, int | np.integer | slice) or p in (None, ...) for p in parts)
        # a list of places is looked up in all that is seen
        seen = (lambda array: self._see(array)[place]) if plain else self._see
        region = find_region(seen, self.held)
        with self.open() as array:
            part = np.asarray(array[region.place])
        found = region.arrange(part)
        return np.array(found if plain else found[place], dtype=self.dtype)

    def __setitem__(self, place: object, values: np.ndarray) -> None:
        raise UserError(
            "Pixels in chunks are read only.",
            f"values for {self.path}",
            "Write them to a file of their own.",
        )


@dataclass(frozen=True, eq=False)
class ZarrPixels(ChunkedPixels):
    """An array of Zarr, of version 2 or 3, on disk."""

    def stamp(self) -> dict:
        """What changes where one of its files does."""
        files = [file.stat() for file in self.path.rglob("*") if file.is_file()]
        changed = max((one.st_mtime_ns for one in files), default=0)
        return {"bytes": sum(one.st_size for one in files), "changed": changed}

    @contextmanager
    def open(self) -> Iterator[object]:
        """The array, for a moment."""
        yield import_zarr().open_array(str(self.path), mode="r")


@dataclass(frozen=True, eq=False)
class TiffChunks(ChunkedPixels):
    """A series of a TIFF whose tiles or strips are compressed.

    Parameters
    ----------
    series : its number in the file.
    level : of its pyramid.
    """

    series: int = 0
    level: int = 0

    @contextmanager
    def open(self) -> Iterator[object]:
        """The array, for a moment."""
        zarr = import_zarr()
        with tifffile.TiffFile(self.path) as file:
            store = file.series[self.series].aszarr(level=self.level)
            yield zarr.open_array(store, mode="r")


def import_zarr() -> ModuleType:
    """The package zarr; a UserError where it is not installed."""
    why = "Pixels in chunks are read by the package zarr."
    return runtime.require_package("zarr", extra="bigdata", why=why)


def store_zarr(path: Path, array: object) -> ZarrPixels:
    """The pixels of an array of Zarr, left where they are.

    Parameters
    ----------
    path : of the array.
    array : as the package zarr opened it.
    """
    return ZarrPixels(path, tuple(array.shape), np.dtype(array.dtype))


def store_tiff(path: Path, shape: tuple[int, ...], *, kind: np.dtype, **place: int) -> TiffChunks:
    """The pixels of a compressed TIFF, left where they are; a tile is unpacked to see that it can.

    Parameters
    ----------
    path : of the file.
    shape, kind : of the series.
    place : `series` and `level`.
    """
    found = TiffChunks(path, tuple(shape), np.dtype(kind).newbyteorder("="), **place)
    found[(slice(0, 1),) * len(shape)]
    return found
