"""What is decided once for a whole image that is read block by block: its scale and its faults.

A block is then mended and scaled as the whole image would be, so that no seam appears between
blocks. The file is read a few times from one end to the other; nothing of it is kept but a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from nbtools.io.stored import SLAB, StoredPixels, read_slabs, view_part
from nbtools.normalize import mend
from nbtools.normalize.depth import find_gain
from nbtools.normalize.field import find_step, gather_windows, make_field
from nbtools.normalize.robust import Levels, find_levels, find_levels_in

Place = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class ChannelSurvey:
    """One channel of an image: levels, and what is to be mended in each block of it.

    Parameters
    ----------
    shape : (Z, Y, X); Z is 1 for planes.
    levels : before anything is mended.
    lost : (Z,) bool, planes that hold one value.
    stripes : axis → lines that leave those beside them, and by how much.
    few : whether hot and dead pixels are few, of each kind.
    ground : (Z,) background.
    gain : (Z,) by which planes are brightened; None where depth plays no part.
    scaled : the levels that grey values are scaled by.
    """

    shape: tuple[int, int, int]
    levels: Levels
    lost: np.ndarray
    stripes: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    few: tuple[bool, ...] = (False,) * 3
    ground: np.ndarray | None = None
    gain: np.ndarray | None = None
    scaled: Levels | None = None

    def read(self, pixels: StoredPixels, place: Place) -> np.ndarray:
        """A block of the channel, mended.

        Parameters
        ----------
        pixels : (*space) of the channel.
        place : of the block.
        """
        flat = len(place) == 2
        place = (slice(0, 1), *place) if flat else place
        volume = self._read_planes(pixels, place)
        if self.levels.bright > self.levels.dark:
            volume = self._mend(volume, place)
        if self.gain is not None:
            volume = self._brighten(volume, place[0])
        return volume[0] if flat else volume

    def _read_planes(self, pixels: StoredPixels, place: Place) -> np.ndarray:
        volume = pixels[place[-pixels.ndim :]]
        volume = volume if volume.ndim == 3 else volume[None]
        for z in np.flatnonzero(self.lost[place[0]]):
            low, high, share = mend.find_good(self.lost, place[0].start + int(z))
            one, other = (pixels[(int(n), *place[1:])].astype(np.float32) for n in (low, high))
            volume[z] = _round((1 - share) * one + share * other, volume.dtype)
        return volume

    def _mend(self, volume: np.ndarray, place: Place) -> np.ndarray:
        if not self.levels.field.valid.all():
            start = tuple(along.start for along in place)
            volume = mend.fill_blank(volume, self.levels, ground=self.ground, start=start)
        for axis, (bad, excess) in self.stripes.items():
            if bad[place[axis]].any():
                about = {"axis": axis, "excess": excess[place[axis]]}
                volume = mend.bridge(volume, bad[place[axis]], **about)
        return mend.mend_single(volume, self.levels, few=self.few)

    def _brighten(self, volume: np.ndarray, depth: slice) -> np.ndarray:
        ground = np.median(self.levels.field.background, axis=(1, 2))
        usual = ground[int(np.argmin(self.gain))]
        ground, gain = (one[depth, None, None] for one in (ground, self.gain))
        return ((volume.astype(np.float32) - ground) * gain + usual).astype(np.float32)


def survey_channel(pixels: StoredPixels, *, even: bool = True) -> ChannelSurvey:
    """Look at one channel of an image in a file.

    Parameters
    ----------
    pixels : (*space), all finite.
    even : brighten planes in which nuclei fade with depth.
    """
    shape = pixels.shape if pixels.ndim == 3 else (1, *pixels.shape)
    lost = find_lost(pixels) if pixels.ndim == 3 else np.zeros(1, bool)
    levels = find_levels(pixels)
    found = ChannelSurvey(shape, levels, lost, ground=mend.find_ground(levels.field))
    if levels.bright > levels.dark:
        stripes = find_stripes(pixels, levels.span)
        found = replace(found, stripes=stripes, few=count_far(pixels, levels))
    gain = find_gain(levels.field) if even and pixels.ndim == 3 else None
    if gain is None:
        return replace(found, scaled=levels)
    found = replace(found, gain=gain)
    return replace(found, scaled=_find_even_levels(found, pixels))


def _find_even_levels(found: ChannelSurvey, pixels: StoredPixels) -> Levels:
    """The levels of planes that were brightened."""
    step, whole = find_step(pixels), slice(0, pixels.shape[0])
    windows = [found._brighten(one, whole) for one in gather_windows(pixels, step)]
    return find_levels_in(make_field(windows, step, quantum=0.0))


def find_lost(pixels: StoredPixels) -> np.ndarray:
    """(Z,) bool: planes that hold one value, where they were lost between others."""
    blank = []
    for _, slab in read_slabs(pixels):
        flat = slab.reshape(len(slab), -1)
        blank.append(flat.min(axis=1) == flat.max(axis=1))
    blank = np.concatenate(blank)
    return blank if len(blank) >= 3 and mend.are_lost(blank) else np.zeros(len(blank), bool)


def find_stripes(pixels: StoredPixels, span: float) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Axis → lines of the whole image that leave those beside them, and by how much.

    Parameters
    ----------
    pixels : (*space).
    span : from dark to bright.
    """
    shape, found = (1,) * (3 - pixels.ndim) + tuple(pixels.shape), {}
    for axis in (1, 2):
        depth, *place = mend.choose_lines(shape, axis)
        wanted = pixels if pixels.ndim == 2 else view_part(pixels, depth)
        part = view_part(wanted, tuple([slice(None)] * (pixels.ndim - 2) + place))
        thin = np.concatenate([slab for _, slab in read_slabs(part)])
        volume = thin if thin.ndim == 3 else thin[None]
        lines = np.moveaxis(volume, axis, 0).reshape(shape[axis], -1)
        stripes = mend.find_stripes(lines, span)
        if stripes is not None:
            found[axis] = stripes
    return found


def count_far(pixels: StoredPixels, levels: Levels) -> tuple[bool, ...]:
    """Whether the pixels that may be hot or dead are few in the whole image, of each kind."""
    counts = np.zeros(3, int)
    for _, slab in read_slabs(pixels):
        counts += [np.count_nonzero(mask) for mask in mend.find_far(slab, levels)]
    return tuple(0 < count <= mend.MANY * pixels.size for count in counts.tolist())


def find_box(pixels: StoredPixels) -> Place:
    """The box of an image without margins of one grey value, however wide they are.

    A margin ends at a line that shows a background of its own; a background that was cut off at 0
    goes on there.

    Parameters
    ----------
    pixels : (*space) grey values.

    Returns
    -------
    A slice along each axis.
    """
    lows, highs = _find_ranges(pixels)
    box = []
    for axis, (low, high) in enumerate(zip(lows, highs, strict=True)):
        varied = np.flatnonzero(low < high)
        if not len(varied):
            box.append(slice(0, len(low)))
            continue
        first, last = int(varied[0]), int(varied[-1])
        start = first if _middle_of(pixels, axis, first) != low[0] else 0
        stop = last + 1 if _middle_of(pixels, axis, last) != low[-1] else len(low)
        box.append(slice(start, stop))
    return tuple(box)


def _middle_of(pixels: StoredPixels, axis: int, line: int) -> float:
    return float(np.median(pixels.take(line, axis)[...]))


def _find_ranges(pixels: StoredPixels) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Smallest and largest grey value of each line, of each axis."""
    lows, highs = [[] for _ in pixels.shape], [[] for _ in pixels.shape]
    for _, slab in read_slabs(pixels):
        for axis in range(slab.ndim):
            others = tuple(a for a in range(slab.ndim) if a != axis)
            lows[axis].append(slab.min(axis=others))
            highs[axis].append(slab.max(axis=others))
    joined = []
    for kept, join in ((lows, np.minimum), (highs, np.maximum)):
        along = [np.concatenate(kept[0])]
        joined.append(along + [join.reduce(one) for one in kept[1:]])
    return joined[0], joined[1]


def read_thin(pixels: StoredPixels, most: int) -> np.ndarray:
    """Pixels on a regular grid through the whole image, about so many at most.

    Parameters
    ----------
    pixels : (*space, C).
    most : number of places.

    Returns
    -------
    (*thinned, C)
    """
    space = pixels.shape[:-1]
    step = max(1, int(np.ceil((prod(space) / most) ** (1 / len(space)))))
    inner = view_part(pixels, (slice(None), *[slice(None, None, step)] * (len(space) - 1)))
    kept = []
    for start in range(0, space[0], step * (rows := max(1, SLAB // max(1, prod(space[1:]))))):
        kept.append(view_part(inner, slice(start, start + step * rows, step))[...])
    return np.concatenate(kept)


def _round(values: np.ndarray, kind: np.dtype) -> np.ndarray:
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(kind)


def iterate_channels(pixels: StoredPixels) -> Iterator[StoredPixels]:
    """(*space) of each channel of (*space, C)."""
    for channel in range(pixels.shape[-1]):
        yield pixels.take(channel, pixels.ndim - 1)
