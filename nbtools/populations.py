"""Whether an image shows two groups of grey values, objects and background, or only one.

A threshold always parts an image in two. Where there is nothing to part, as in noise, haze or a
gradient, its outline runs through places like any other. Around objects it runs along edges.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SEPARATE = 2.9  # edge contrast from which on outlines follow edges; see `measure_edge_contrast`
SHARE_OF_DIAMETER = 0.1  # of the objects, over which grey values are smoothed
SMOOTHEST = 3.0  # px
SAMPLED = 500_000  # pixels, of which statistics are precise to a percent
FEW = 0.1  # share of the image far from outlines, below which all of it is compared


def measure_edge_contrast(grey: np.ndarray, inside: np.ndarray, *, diameter: float) -> float:
    """Measure how much steeper grey values are along outlines than elsewhere.

    In a Gaussian random field, such as noise or haze of any grain, the steepness at a pixel does
    not depend on its grey value. Along a level it is 4 / pi = 1.27 times the mean, since a level is
    longer where the field is steep (Rice 1945). Outlines of objects lie on edges: 5 and more.

    Parameters
    ----------
    grey : (*space) grey values, smoothed over about a pixel. In volumes, steepness is measured
        within planes.
    inside : (*space) bool, what was found.
    diameter : of the objects, in pixels.

    Returns
    -------
    Mean steepness along the outlines over that of the whole image, times the same over that far
    from the outlines; 0 without outlines.

    References
    ----------
    Rice 1945, doi:10.1002/j.1538-7305.1945.tb00453.x.

    Examples
    --------
    >>> noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(128, 128)), 1)
    >>> measure_edge_contrast(noise, noise > 0, diameter=8) < SEPARATE
    True
    >>> disc = np.hypot(*np.ogrid[-64:64, -64:64]) < 20
    >>> measure_edge_contrast(noise + 9 * disc, disc, diameter=40) > SEPARATE
    True
    """
    width = find_edge_width(diameter)
    sums = sum_edges(grey, inside, width=width)
    return rate_edges(sums, least=expect_steepness(measure_noise(grey), width))


def find_edge_width(diameter: float) -> float:
    """Standard deviation, in pixels, over which grey values are smoothed to find edges."""
    return float(np.clip(SHARE_OF_DIAMETER * diameter, 1.0, SMOOTHEST))


def sum_edges(
    grey: np.ndarray, inside: np.ndarray, *, width: float, part: tuple[slice, ...] = ()
) -> np.ndarray:
    """Sum steepness along outlines, far from them, and everywhere; sums of blocks add up.

    Parameters
    ----------
    grey, inside : as for `measure_edge_contrast`.
    width : of `find_edge_width`.
    part : of the image, that is summed over; all of it where it is empty.

    Returns
    -------
    (3, 2) pixels and steepness: everywhere, far from outlines, and along them.
    """
    further = np.sqrt(max(width**2 - 1, 0.0))  # beyond the pixel that grey values are smoothed by
    planar = (0.0,) * (grey.ndim - 2) + (further, further)
    steepness = measure_steepness(ndimage.gaussian_filter(grey.astype(np.float32), planar))
    outline = find_outlines(inside)
    far = ~outline
    if outline.any():
        far = ~ndimage.binary_dilation(outline, iterations=int(np.ceil(width)))
    steepness, outline, far = (array[part] for array in (steepness, outline, far))
    every = np.ones((), bool)
    return np.array(
        [
            (
                np.count_nonzero(mask) if mask.ndim else steepness.size,
                steepness.sum(dtype=float, where=mask),
            )
            for mask in (every, far, outline)
        ]
    )


def rate_edges(sums: np.ndarray, *, least: float) -> float:
    """How much steeper outlines are than elsewhere, see `measure_edge_contrast`.

    Parameters
    ----------
    sums : (3, 2) of `sum_edges`.
    least : steepness that noise has by itself, see `expect_steepness`.
    """
    (every, total), (distant, total_far), (length, total_along) = sums
    if not length:
        return 0.0
    usual = max(total / every, least)
    away = max(total_far / distant, least) if distant > FEW * every else usual
    return float((total_along / length) ** 2 / max(usual * away, 1e-12))


def measure_steepness(grey: np.ndarray) -> np.ndarray:
    """(*space) float32 length of the gradient within planes, in grey values per pixel."""
    squared = np.zeros(grey.shape, np.float32)
    for axis in (-2, -1):
        if grey.shape[axis] > 1:
            squared += np.gradient(grey, axis=axis) ** 2
    return np.sqrt(squared)


def find_outlines(inside: np.ndarray) -> np.ndarray:
    """(*space) bool: pixels on either side of an outline, within planes."""
    outline = np.zeros(inside.shape, bool)
    for axis in (-2, -1):
        one, other = (np.moveaxis(a, axis, 0) for a in (outline, inside))
        differs = other[1:] != other[:-1]
        one[1:] |= differs
        one[:-1] |= differs
    return outline


def measure_noise(pixels: np.ndarray) -> float:
    """Standard deviation between neighbouring pixels that a straight line does not explain.

    Parameters
    ----------
    pixels : (*space) grey values.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(50, 4, (200, 200))
    >>> round(measure_noise(noise + np.arange(200)), 1)
    4.0
    """
    if pixels.shape[-1] < 3:
        return 0.0
    lines = max(1, pixels.size // SAMPLED) if pixels.ndim > 1 else 1
    real = pixels[..., ::lines, :] if pixels.ndim > 1 else pixels
    return rate_bends(find_bends(real.astype(np.float32, copy=False)))


def find_bends(real: np.ndarray) -> np.ndarray:
    """(..., X - 2) second differences along X."""
    return real[..., 2:] - 2 * real[..., 1:-1] + real[..., :-2]


def rate_bends(bends: np.ndarray) -> float:
    """Standard deviation of the noise that makes such second differences."""
    return float(np.median(np.abs(bends)) / 0.6745 / np.sqrt(6)) if bends.size else 0.0


def thin(values: np.ndarray) -> np.ndarray:
    """(n,) values at regular intervals, of large images not all, for percentiles.

    Parameters
    ----------
    values : of any shape.

    Examples
    --------
    >>> thin(np.zeros((4, 5))).shape, len(thin(np.zeros((2000, 2000)))) < 4_000_000
    ((20,), True)
    """
    return values.ravel()[:: max(1, values.size // SAMPLED) | 1]


def expect_steepness(noise: float, width: float) -> float:
    """Mean steepness of white noise as strong as in most places, smoothed over a width.

    Counts of a few photons are constant between the photons: there they are flat by chance.

    Parameters
    ----------
    noise : of `measure_noise`, in grey values that are smoothed over a pixel.
    width : standard deviation of the smoothing, in pixels.
    """
    # smoothed over one pixel, noise of 1 keeps 0.082 by `measure_noise`; smoothed over w, its
    # gradient has the mean length sqrt(pi / 2) / (sqrt(8 pi) w²) = 1 / (4 w²)
    return noise / 0.082 / (4 * width**2)
