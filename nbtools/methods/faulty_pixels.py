"""Single pixels and margins that show nothing of the field, replaced before a threshold is found."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nbtools.populations import measure_noise

FAR = 8.0  # standard deviations of the noise by which a pixel leaves its neighbours
MANY = 0.1  # of all pixels; more are texture
MARGIN = 0.003  # share of the image that a margin has at least
LIKE_FIELD = 20  # percentile of the field that what lies beside a dark margin reaches


def mend(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replace hot and dead pixels by their neighbours' median, and margins by the background.

    Parameters
    ----------
    grey : (*space) grey values, in volumes plane by plane; NaN and infinite ones belong to margins.

    Returns
    -------
    (*space) float32, and (*space) bool: the margins.
    """
    mended, margin = grey.astype(np.float32), ~np.isfinite(grey)
    if margin.all():
        return np.zeros_like(mended), margin
    mended[margin] = np.median(mended[~margin]) if margin.any() else 0
    blank = find_margins(mended) | margin
    if blank.any() and not blank.all():
        beside = ndimage.binary_dilation(blank, iterations=3) & ~blank
        mended[blank] = np.percentile(mended[beside], 30) if beside.any() else 0
    return _replace_single(mended), blank


def find_margins(grey: np.ndarray) -> np.ndarray:
    """Find margins of one grey value, the lowest or highest: parts of a stitched field not taken.

    A dark background that was cut off at 0 is of one value, too. It is told from a margin by what
    lies beside it: there nuclei fade away, while a margin cuts off the field as it is.

    Parameters
    ----------
    grey : (*space) grey values.

    Returns
    -------
    (*space) bool.
    """
    found = np.zeros(grey.shape, bool)
    for value, bright in ((grey.min(), False), (grey.max(), True)):
        flat = _touching_border(grey == value)
        if not flat.any() or flat.all():
            continue
        beside = ndimage.binary_dilation(flat, iterations=2) & ~flat
        level = np.percentile(grey[~flat], 100 - LIKE_FIELD if bright else LIKE_FIELD)
        middle = np.median(grey[beside])
        if middle <= level if bright else middle >= level:
            found |= flat
    return found


def _touching_border(flat: np.ndarray) -> np.ndarray:
    """The large connected parts of a mask that reach the border of the image."""
    if flat.mean() < MARGIN:
        return np.zeros_like(flat)
    parts, count = ndimage.label(flat)
    at_border = np.zeros(count + 1, bool)
    for axis in range(flat.ndim):
        for end in (0, -1):
            at_border[np.unique(np.take(parts, end, axis))] = True
    at_border[0] = False
    return (at_border & (np.bincount(parts.ravel()) >= MARGIN * flat.size))[parts]


def _replace_single(grey: np.ndarray) -> np.ndarray:
    """`grey`, in which pixels far from the median of their eight neighbours take it."""
    if min(grey.shape[-2:]) < 3:
        return grey
    noise = measure_noise(grey)
    around = np.zeros_like(grey)
    for axis in (-2, -1):
        around += np.roll(grey, 1, axis) + np.roll(grey, -1, axis)
    place = np.argwhere(np.abs(grey - around / 4) > FAR * noise)
    if not len(place) or len(place) > MANY * grey.size:
        return grey
    *planes, y, x = place.T
    height, width = grey.shape[-2:]
    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    beside = [
        grey[(*planes, _mirror(y + dy, height), _mirror(x + dx, width))] for dy, dx in shifts
    ]
    middle = np.median(beside, axis=0)
    old = grey[tuple(place.T)]
    grey[tuple(place.T)] = np.where(np.abs(old - middle) > FAR * noise, middle, old)
    return grey


def _mirror(place: np.ndarray, size: int) -> np.ndarray:
    """Indices reflected at both ends."""
    return size - 1 - np.abs(size - 1 - np.abs(place))
