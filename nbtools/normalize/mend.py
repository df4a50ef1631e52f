"""Grey values of single pixels, lines, planes and margins that show nothing, made from others.

A network is given what is left of the field, not what a camera or a program has put there: a pixel
that stands out of its eight neighbours takes their median; a margin takes the background.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

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
    if not bad.any() or bad.mean() > LOST:
        return grey
    return _bridge(grey, bad, axis=0, excess=np.zeros(len(grey)))


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
    field = levels.field
    if field.valid.all():
        return volume
    blank = ~field.valid
    for axis in (1, 2):
        place = np.minimum(np.arange(volume.shape[axis]) // field.step, blank.shape[axis] - 1)
        blank = np.take(blank, place, axis)
    blank &= (volume < levels.dark) | (volume > levels.bright)
    ground = np.array([_middle(b[v]) for b, v in zip(field.background, field.valid, strict=True)])
    ground = np.where(np.isfinite(ground), ground, _middle(field.background[field.valid]))
    ground = np.broadcast_to(ground[:, None, None].astype(volume.dtype), volume.shape)
    return np.where(blank, ground, volume)


def _middle(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else np.nan


def mend_pixels(volume: np.ndarray, levels: Levels) -> np.ndarray:
    """Hot and dead pixels take the median of their eight neighbours in the plane.

    Parameters
    ----------
    volume : (Z, Y, X).
    levels : of this channel.
    """
    span = levels.span
    least = float(levels.field.smooth.min())
    found = volume
    for mask, rank, by in (
        (volume > levels.dark + BRIGHT * span, HALF, SINGLE * span),
        (volume < least, FEW, DARK * span),
        (volume == least, FEW, DARK * span),
    ):
        place = np.flatnonzero(mask)
        if not len(place) or len(place) > MANY * volume.size:
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
        thin = max(1, volume.shape[3 - axis] // LINES)
        deep = max(1, len(volume) // 16)
        part = volume[::deep, :, ::thin] if axis == 1 else volume[::deep, ::thin]
        lines = np.moveaxis(part, axis, 0).reshape(volume.shape[axis], -1)
        if len(lines) < 2 * AROUND:
            continue
        middle = np.median(lines, axis=1).astype(np.float32)
        excess = middle - ndimage.median_filter(middle, AROUND, mode="nearest")
        bad = np.abs(excess) > STRIPE * span
        if 0 < bad.mean() <= WIDE and _are_stripes(lines.astype(np.float32), bad, excess):
            volume = _bridge(volume, bad, axis=axis, excess=excess)
    return volume


def _are_stripes(lines: np.ndarray, bad: np.ndarray, excess: np.ndarray) -> bool:
    """Whether lines leave those beside them all along, as no row of nuclei does."""
    for i in np.flatnonzero(bad):
        low, high, share = _find_good(bad, i)
        left = lines[i] - (1 - share) * lines[low] - share * lines[high]
        if np.mean(left * np.sign(excess[i]) > 0.5 * abs(excess[i])) < EVERYWHERE:
            return False
    return True


def _find_good(bad: np.ndarray, i: int) -> tuple[int, int, float]:
    """The nearest good lines on both sides of one, and how near it is to the second of them."""
    good = np.flatnonzero(~bad)
    after = np.searchsorted(good, i)
    low, high = good[max(after - 1, 0)], good[min(after, len(good) - 1)]
    return low, high, (i - low) / (high - low) if high > low else 0.0


def _bridge(volume: np.ndarray, bad: np.ndarray, *, axis: int, excess: np.ndarray) -> np.ndarray:
    """Lines along an axis made from the nearest good ones, or less their excess."""
    lines = np.moveaxis(volume.astype(np.float32), axis, 0)
    for i in np.flatnonzero(bad):
        if np.ptp(lines[i]) > 0.1 * abs(excess[i]):  # it shows something
            lines[i] -= excess[i]
            continue
        low, high, share = _find_good(bad, i)
        lines[i] = (1 - share) * lines[low] + share * lines[high]
    found = np.moveaxis(lines, 0, axis)
    if volume.dtype.kind in "iu":
        limits = np.iinfo(volume.dtype)
        found = np.clip(np.rint(found), limits.min, limits.max)
    return found.astype(volume.dtype)
