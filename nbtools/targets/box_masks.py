"""Boxes as the only truth: the region of each nucleus that its box and the grey values allow.

In each box a threshold of the grey values is looked for whose region, around the middle, fills the
box from edge to edge: a box is tight. That is the idea of learning from boxes with a prior of
tightness (Lempitsky et al. 2009), of GrabCut (Rother et al. 2004,
doi:10.1145/1015706.1015720) without its colour models, and of the boxes that Zhao et al. 2018
(doi:10.1007/978-3-030-00937-3_41) learn volumes from.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nbtools.augment import box_corners

THRESHOLDS = 16  # tried between darkest and brightest of a box
SMOOTHING = 1.0  # px of a Gaussian, in the plane, before thresholds are tried
ELLIPSE = 1.2  # how far beyond the inscribed ellipse a region may reach, in its radii
POOR = 0.5  # overlap of box and region below which the ellipse itself stands for the nucleus
INNER, ROUND = 0.9, 0.3  # radius of the ellipse in that case; how much roundness counts


def masks_of_boxes(
    image: np.ndarray, boxes: np.ndarray, *, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Find the nuclei inside of boxes.

    Parameters
    ----------
    image : (*space, C) grey values; nuclei may be brighter or darker than their surroundings.
    boxes : (N, 2 D) edges in pixels, columns y0, x0, y1, x1[, z0, z1], the last edge exclusive.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Returns
    -------
    (*space) int32 labels: the number of each box, from 1, inside its nucleus; 0 elsewhere. A pixel
    of two regions belongs to the box in which it lies nearer to the middle.

    Examples
    --------
    >>> image = np.zeros((9, 9, 1))
    >>> image[2:7, 2:7] = 1
    >>> label = masks_of_boxes(image, np.array([[2.0, 2, 7, 7]]))
    >>> int(label[4, 4]), int(label[4, 2]), int(label[0, 0])
    (1, 1, 0)
    """
    shape = image.shape[:-1]
    sigma = SMOOTHING / np.array(spacing or (1.0,) * len(shape))
    grey = ndimage.gaussian_filter(image.mean(axis=-1), np.minimum(sigma, SMOOTHING))
    label, best = np.zeros(shape, np.int32), np.full(shape, np.inf)
    for number, (low, high) in enumerate(zip(*box_corners(np.asarray(boxes)), strict=True), 1):
        first = np.maximum(np.rint(low).astype(int), 0)
        last = np.minimum(np.rint(high).astype(int), shape)
        if (last <= first).any():
            continue
        place = tuple(map(slice, first, last))
        away = measure_ellipse(low, high, first=first, last=last)
        region = fill_box(grey[place], away)
        mine = region & (away < best[place])
        label[place][mine] = number
        best[place][mine] = away[mine]
    return label


def measure_ellipse(
    low: np.ndarray, high: np.ndarray, *, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Measure how far pixels lie from the middle of a box, 1 on the ellipse inscribed in it.

    Parameters
    ----------
    low, high : (D,) edges of the box.
    first, last : (D,) the pixels that are looked at.

    Returns
    -------
    (*last - first) float.
    """
    middle, half = (low + high - 1) / 2, np.maximum((high - low) / 2, 0.5)
    axes = [
        ((np.arange(a, b) - m) / h) ** 2
        for a, b, m, h in zip(first, last, middle, half, strict=True)
    ]
    return np.sqrt(sum(np.ix_(*axes)))


def fill_box(grey: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Find the region around the middle of a box that fills it best.

    Parameters
    ----------
    grey : (*box) grey values.
    away : (*box) of `measure_ellipse`.

    Returns
    -------
    (*box) bool: of all thresholds, and of bright and dark regions, the connected region in the
    middle, holes filled, whose own bounding box overlaps most with the box, and that is most like
    the ellipse; the ellipse where none fills half of the box.
    """
    ellipse, allowed = away <= 1, away <= ELLIPSE
    best, found = POOR * (1 + ROUND), away <= INNER
    for sign in find_signs(grey, away):
        values = sign * grey
        for step in np.linspace(values.min(), values.max(), THRESHOLDS + 2)[1:-1]:
            region = take_middle((values > step) & allowed, away)
            if not region.any():
                continue
            shared = (region & ellipse).sum() / max((region | ellipse).sum(), 1)
            value = measure_tightness(region) + ROUND * shared
            if value > best:
                best, found = value, region
    return ndimage.binary_fill_holes(found)


def find_signs(grey: np.ndarray, away: np.ndarray) -> tuple[int, ...]:
    """1 where the middle of a box is brighter than its corners, -1 where it is darker.

    Parameters
    ----------
    grey : (*box) grey values.
    away : (*box) of `measure_ellipse`.

    Returns
    -------
    The sign; both where there are no corners, none where nothing differs.
    """
    corners = away > 1
    if grey.max() == grey.min():
        return ()
    if not corners.any():
        return (1, -1)
    return (1,) if grey[away <= 1].mean() > grey[corners].mean() else (-1,)


def take_middle(mask: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Of a mask (bool), the connected region that reaches nearest to the middle."""
    parts, count = ndimage.label(mask)
    if not count:
        return mask
    nearest = np.argmin(np.where(mask, away, np.inf))
    return parts == parts.flat[nearest]


def measure_tightness(region: np.ndarray) -> float:
    """Share of a box that the bounding box of a region (*box, bool, not empty) covers."""
    covered = 1.0
    for axis, size in enumerate(region.shape):
        others = tuple(a for a in range(region.ndim) if a != axis)
        filled = np.flatnonzero(region.any(axis=others))
        covered *= (filled[-1] - filled[0] + 1) / size
    return covered
