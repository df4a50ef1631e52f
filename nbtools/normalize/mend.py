"""Grey values of single pixels, lines, planes and margins that show nothing, made from others.

A network is given what is left of the field, not what a camera or a program has put there: a pixel
that stands out of its eight neighbours takes their median; a margin takes the background.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from nbtools.normalize.field import Field
from nbtools.normalize.robust import Levels

SINGLE = 0.75  # of the span by which a single pixel leaves its neighbours
BRIGHT = 1.5  # scaled values beyond which pixels are looked at
DARK = 0.4  # of the span by which a dead pixel lies below its neighbours
MANY = 0.06  # of all pixels; more candidates than that are no single pixels
LINES = 200  # pixels along a line that are looked at, at most
AROUND = 9  # lines that a line is compared with
STRIPE = 0.25  # of the span by which a line leaves the others
WIDE = 0.05  # of all lines; more are no stripes
LOST = 0.2  # of all planes; where more are blank, the volume ends there
EVERYWHERE = 0.9  # of the pixels of a stripe, that must leave those beside it
HALF, FEW = 4, 2  # of eight neighbours in order: as high as half of them, as all but two
NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def bridge_planes(grey: np.ndarray) -> np.ndarray:
    """Planes of a volume that hold one value, made from those above and below.

    Parameters
    ----------
    grey : (Z, Y, X); is not changed. An image of two axes is returned as it is.
    """
    if grey.ndim != 3 or len(grey) < 3:
        return grey
    thin = grey[:, ::8, ::8].reshape(len(grey), -1)
    bad = thin.min(axis=1) == thin.max(axis=1)
    for z in np.flatnonzero(bad):
        bad[z] = grey[z].min() == grey[z].max()
    if not are_lost(bad):
        return grey
    return bridge(grey, bad, axis=0, excess=np.zeros(len(grey)))


def are_lost(blank: np.ndarray) -> bool:
    """Whether blank planes were lost; where many are blank, the volume ends there.

    Parameters
    ----------
    blank : (Z,) bool.
    """
    return bool(blank.any() and blank.mean() <= LOST)


def mend_channel(grey: np.ndarray, levels: Levels) -> np.ndarray:
    """Mend one channel.

    Parameters
    ----------
    grey : (*space) finite grey values; is not changed.
    levels : of this channel.

    Returns
    -------
    (*space) of the same type; the same array where nothing is to be mended.
    """
    volume = grey if grey.ndim == 3 else grey[None]
    if levels.bright <= levels.dark:
        return grey
    found = _fill_blank(volume, levels)
    found = mend_lines(found, levels.span)
    found = mend_pixels(found, levels)
    return found if grey.ndim == 3 else found[0]


def _fill_blank(volume: np.ndarray, levels: Levels) -> np.ndarray:
    """Margins and marks take the background of their plane."""
    if levels.field.valid.all():
        return volume
    return fill_blank(volume, levels, ground=find_ground(levels.field))


def find_ground(field: Field) -> np.ndarray:
    """(Z,) background of each plane; of planes without one, that of the others."""
    ground = np.array([_middle(b[v]) for b, v in zip(field.background, field.valid, strict=True)])
    return np.where(np.isfinite(ground), ground, _middle(field.background[field.valid]))


def fill_blank(
    volume: np.ndarray,
    levels: Levels,
    *,
    ground: np.ndarray,
    start: tuple[int, int, int] = (0, 0, 0),
) -> np.ndarray:
    """Margins and marks take the background of their plane, in a volume or a block of one.

    Parameters
    ----------
    volume : (Z, Y, X).
    levels : of the whole channel.
    ground : (Z,) of the whole channel, by `find_ground`.
    start : place of the block in the volume.
    """
    field, depth = levels.field, slice(start[0], start[0] + len(volume))
    blank = ~field.valid[depth]
    for axis in (1, 2):
        place = (start[axis] + np.arange(volume.shape[axis])) // field.step
        blank = np.take(blank, np.minimum(place, blank.shape[axis] - 1), axis)
    blank &= (volume < levels.dark) | (volume > levels.bright)
    filled = np.broadcast_to(ground[depth, None, None].astype(volume.dtype), volume.shape)
    return np.where(blank, filled, volume)


def _middle(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else np.nan


def mend_pixels(volume: np.ndarray, levels: Levels) -> np.ndarray:
    """Hot and dead pixels take the median of their eight neighbours in the plane.

    Parameters
    ----------
    volume : (Z, Y, X).
    levels : of this channel.
    """
    few = [0 < np.count_nonzero(mask) <= MANY * volume.size for mask in find_far(volume, levels)]
    return mend_single(volume, levels, few=few)


def find_far(volume: np.ndarray, levels: Levels) -> Iterator[np.ndarray]:
    """(Z, Y, X) bool of each kind: pixels that may be hot, dead, or dead and the least of all."""
    least = float(levels.field.smooth.min())
    yield volume > levels.dark + BRIGHT * levels.span
    yield volume < least
    yield volume == least


def mend_single(volume: np.ndarray, levels: Levels, *, few: Sequence[bool]) -> np.ndarray:
    """Single pixels of the kinds that are few take the median of their neighbours.

    Parameters
    ----------
    volume : (Z, Y, X), or a block of it.
    levels : of the whole channel.
    few : of each kind of `find_far`, whether its pixels are few enough in the whole channel.
    """
    span, found = levels.span, volume
    how = ((HALF, SINGLE * span), (FEW, DARK * span), (FEW, DARK * span))
    for mask, (rank, by), wanted in zip(find_far(volume, levels), how, few, strict=True):
        place = np.flatnonzero(mask) if wanted else ()
        if not len(place):
            continue
        around = _sort_neighbours(volume, place)
        middle = around[HALF]
        alone = np.abs(around[rank] - volume.reshape(-1)[place]) > by
        if alone.any():
            found = volume.copy() if found is volume else found
            found.reshape(-1)[place[alone]] = middle[alone].astype(volume.dtype)
    return found


def _sort_neighbours(volume: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(8, n) float32 neighbours in the plane of pixels given by their flat indices, in order."""
    z, y, x = np.unravel_index(place, volume.shape)
    height, width = volume.shape[1:]
    values = [
        volume[z, np.abs(height - 1 - np.abs(height - 1 - y - dy)), _mirror(x + dx, width)]
        if height > 1
        else volume[z, y, _mirror(x + dx, width)]
        for dy, dx in NEIGHBOURS
    ]
    return np.sort(np.stack(values).astype(np.float32), axis=0)


def _mirror(place: np.ndarray, size: int) -> np.ndarray:
    """Indices reflected at both ends, the border pixel not doubled."""
    return np.abs(size - 1 - np.abs(size - 1 - place)) if size > 1 else np.zeros_like(place)


def mend_lines(volume: np.ndarray, span: float) -> np.ndarray:
    """Rows and columns far from those beside them: made even, or bridged where they are constant.

    Parameters
    ----------
    volume : (Z, Y, X).
    span : from dark to bright.
    """
    for axis in (1, 2):
        part = volume[choose_lines(volume.shape, axis)]
        lines = np.moveaxis(part, axis, 0).reshape(volume.shape[axis], -1)
        found = find_stripes(lines, span)
        if found is not None:
            volume = bridge(volume, found[0], axis=axis, excess=found[1])
    return volume


def choose_lines(shape: tuple[int, ...], axis: int) -> tuple[slice, slice, slice]:
    """The pixels that are looked at along the lines of an axis.

    Parameters
    ----------
    shape : of the volume.
    axis : 1 or 2.
    """
    thin = max(1, shape[3 - axis] // LINES)
    place = [slice(None, None, max(1, shape[0] // 16)), slice(None), slice(None)]
    place[3 - axis] = slice(None, None, thin)
    return tuple(place)


def find_stripes(lines: np.ndarray, span: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Lines far from those beside them.

    Parameters
    ----------
    lines : (lines, n) some pixels of each.
    span : from dark to bright.

    Returns
    -------
    (lines,) bool, and by how much each leaves those around; None where there are no stripes.
    """
    if len(lines) < 2 * AROUND:
        return None
    middle = np.median(lines, axis=1).astype(np.float32)
    excess = middle - ndimage.median_filter(middle, AROUND, mode="nearest")
    bad = np.abs(excess) > STRIPE * span
    if 0 < bad.mean() <= WIDE and _are_stripes(lines.astype(np.float32), bad, excess):
        return bad, excess
    return None


def _are_stripes(lines: np.ndarray, bad: np.ndarray, excess: np.ndarray) -> bool:
    """Whether lines leave those beside them all along, as no row of nuclei does."""
    for i in np.flatnonzero(bad):
        low, high, share = find_good(bad, i)
        left = lines[i] - (1 - share) * lines[low] - share * lines[high]
        if np.mean(left * np.sign(excess[i]) > 0.5 * abs(excess[i])) < EVERYWHERE:
            return False
    return True


def find_good(bad: np.ndarray, i: int) -> tuple[int, int, float]:
    """The nearest good lines on both sides of one, and how near it is to the second of them.

    Parameters
    ----------
    bad : (lines,) bool.
    i : number of the line.
    """
    good = np.flatnonzero(~bad)
    after = np.searchsorted(good, i)
    low, high = good[max(after - 1, 0)], good[min(after, len(good) - 1)]
    return low, high, (i - low) / (high - low) if high > low else 0.0


def bridge(volume: np.ndarray, bad: np.ndarray, *, axis: int, excess: np.ndarray) -> np.ndarray:
    """Lines along an axis made from the nearest good ones, or less their excess.

    Parameters
    ----------
    volume : (Z, Y, X).
    bad, excess : (lines,) as of `find_stripes`.
    axis : along which lines follow each other.
    """
    lines = np.moveaxis(volume.astype(np.float32), axis, 0)
    for i in np.flatnonzero(bad):
        if np.ptp(lines[i]) > 0.1 * abs(excess[i]):  # it shows something
            lines[i] -= excess[i]
            continue
        low, high, share = find_good(bad, i)
        lines[i] = (1 - share) * lines[low] + share * lines[high]
    found = np.moveaxis(lines, 0, axis)
    if volume.dtype.kind in "iu":
        limits = np.iinfo(volume.dtype)
        found = np.clip(np.rint(found), limits.min, limits.max)
    return found.astype(volume.dtype)
