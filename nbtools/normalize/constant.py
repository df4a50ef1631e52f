"""Parts of an image that show nothing: margins of one grey value, and marks burned into it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nbtools.normalize.field import Field

SHARE = 0.005  # of the samples; less is no margin
MOST = 0.92  # of the samples; where more is constant, the rest is no field
NEAR = 0.02  # of the contrast of the field, within which a pixel is as dark as the margin
JUMP = 0.02  # of the contrast of the field, between a dark margin and what lies beside it
SURE = 2.0  # times the noise, the same
WHOLE = 0.5  # of what is left, in one piece: a field; else nuclei on an empty ground
BRIGHTEST = 99.5  # percentile that a bright margin or mark reaches, and its mirror a dark one
SIDE = 0.25  # of a side that a bright margin touches
DARK_FIELD = 0.5  # of its contrast, below which the median of a dark field lies
BAR = (3.0, 0.9)  # length over height of a burned-in bar, and share of its box that it fills
BAR_LENGTH = 0.04  # of the width of the image
LETTERS = 8  # heights of a bar, around it, in which its letters stand


def leave_out_constant(field: Field) -> None:
    """Take margins and marks out of the valid part of a field.

    Parameters
    ----------
    field : its `valid` is changed.
    """
    flat = field.flat & (field.smooth == field.raw)
    if np.count_nonzero(flat) < 9:
        return
    values = field.raw[flat]
    low, high = float(values.min()), float(values.max())
    lowest, highest = np.percentile(field.smooth, (100 - BRIGHTEST, BRIGHTEST))
    blank = np.zeros(flat.shape, bool)
    if low <= lowest:
        blank |= _find_dark_margin(field, flat & (field.raw == low))
    if high >= highest:
        blank |= _find_bright(field, field.smooth == high)
    if blank.any() and not blank.all():
        field.valid &= ~blank


def _find_dark_margin(field: Field, dark: np.ndarray) -> np.ndarray:
    nothing = np.zeros(dark.shape, bool)
    if not SHARE < dark.mean() < MOST:
        return nothing
    margin = _widen(dark)
    inside = ~margin
    if inside.mean() < 1 - MOST:
        return nothing
    low, high = np.percentile(field.smooth[inside], (1, 99.8))
    ground = float(field.raw[dark][0])
    beside = (field.smooth <= ground + NEAR * (high - low)) & ~_widen(dark, 1)
    least = max(JUMP * (high - low), SURE * field.measure_noise(inside))
    if low - ground <= least or beside.sum() > SHARE * inside.sum():
        return nothing  # dark pixels of the field itself, such as a clipped background
    pieces, _ = ndimage.label(inside)
    if np.bincount(pieces[inside]).max() < WHOLE * inside.sum():
        return nothing
    return margin


def _find_bright(field: Field, bright: np.ndarray) -> np.ndarray:
    """A bright margin, a burned-in bar and its letters."""
    found, margin = np.zeros(bright.shape, bool), np.zeros(bright.shape, bool)
    pieces, _ = ndimage.label(bright)
    width = bright.shape[2]
    boxes = ndimage.find_objects(pieces)
    for number, box in enumerate(boxes, 1):
        own = pieces[box] == number
        rows, cols = (s.stop - s.start for s in box[1:])
        if _is_margin(own, box, bright.shape):
            margin[box] |= own
        elif cols >= max(BAR[0] * rows, BAR_LENGTH * width) and own.mean() > BAR[1]:
            around = LETTERS * max(rows, 2)
            place = (box[0], *(slice(max(0, s.start - around), s.stop + around) for s in box[1:]))
            found[place] |= bright[place]
    if _leaves_dark_field(field, margin):
        found |= margin
    return _widen(found) if found.any() else found


def _leaves_dark_field(field: Field, margin: np.ndarray) -> bool:
    """Whether what a bright margin leaves is a field on dark ground that ends abruptly beside it.

    The saturated ground of a bright-field image is none: the tissue rises to it by and by.
    """
    inside = ~_widen(margin) & field.valid
    if not margin.any() or inside.mean() < 1 - MOST:
        return False
    ground = float(field.raw[margin][0])
    low, middle, high = np.percentile(field.smooth[inside], (1, 50, 99.8))
    beside = inside & (field.smooth >= ground - NEAR * (ground - low))
    return middle - low < DARK_FIELD * (high - low) and beside.sum() <= SHARE * inside.sum()


def _is_margin(own: np.ndarray, box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    """Whether a piece of one bright value lies in a corner, along a good part of a side."""
    if own.sum() < 2 * SHARE * own.shape[0] * shape[1] * shape[2]:
        return False
    y, x = box[1:]
    ends_y = [i for i, at in ((0, y.start == 0), (-1, y.stop == shape[1])) if at]
    ends_x = [i for i, at in ((0, x.start == 0), (-1, x.stop == shape[2])) if at]
    corner = any(own[:, i, j].any() for i in ends_y for j in ends_x)
    touched = [own[:, i].any(axis=0).sum() / shape[2] for i in ends_y]
    touched += [own[..., j].any(axis=0).sum() / shape[1] for j in ends_x]
    return corner and max(touched) >= SIDE


def _widen(mask: np.ndarray, count: int = 2) -> np.ndarray:
    """Some samples more in each plane: interpolated edges belong to it."""
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return ndimage.binary_dilation(mask, cross, iterations=count)
