"""Whether an image shows two groups of grey values, objects and background, or only one.

A threshold always parts an image in two. Where there is nothing to part, as in noise, haze or a
gradient, its outline runs through places like any other. Around objects it runs along edges.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SEPARATE = 2.9  # edge contrast from which on outlines follow edges; see `measure_edge_contrast`
ONE_WAY = 1.6  # the same along one axis, below which outlines only follow stripes along it
SHARE_OF_DIAMETER = 0.1  # of the objects, over which grey values are smoothed
SMOOTHEST = 3.0  # px
CROWDED = 15.0  # px, a diameter at which outlines are looked at, too: that of clumps is too large
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
    return _measure_contrasts(grey, inside, diameter=diameter)[0]


def follows_edges(grey: np.ndarray, inside: np.ndarray, *, diameter: float) -> bool:
    """Whether outlines lie on edges, so that what was found can be objects.

    Where nuclei are crowded, what is taken for one is a clump, and smoothing over a share of its
    diameter would blur the gaps between nuclei. So a small diameter is tried, too. Stripes have
    edges along one axis alone; objects have them along both.

    Parameters
    ----------
    grey, inside, diameter : as for `measure_edge_contrast`.

    Examples
    --------
    >>> noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(128, 128)), 1)
    >>> follows_edges(noise, noise > 0, diameter=40)
    False
    """
    tries = (diameter, CROWDED) if diameter > CROWDED else (diameter,)
    found = (_measure_contrasts(grey, inside, diameter=one) for one in tries)
    return any(whole > SEPARATE and min(single, default=0.0) > ONE_WAY for whole, *single in found)


def _measure_contrasts(grey: np.ndarray, inside: np.ndarray, *, diameter: float) -> list[float]:
    """Edge contrast of the steepness, then of its part along each axis of the planes."""
    width = float(np.clip(SHARE_OF_DIAMETER * diameter, 1.0, SMOOTHEST))
    further = np.sqrt(max(width**2 - 1, 0.0))  # beyond the pixel that grey values are smoothed by
    planar = (0.0,) * (grey.ndim - 2) + (further, further)
    parts = _measure_slopes(ndimage.gaussian_filter(grey.astype(np.float32), planar))
    outline = find_outlines(inside)
    if not outline.any() or not parts:
        return [0.0]
    far = ~ndimage.binary_dilation(outline, iterations=int(np.ceil(width)))
    far = far if far.mean() > FEW else np.ones_like(far)
    least = _expected_steepness(grey, width)
    found = []
    # of the mean length of a gradient in noise, each of two components has 2 / pi
    for steepness, share in [(_add_up(parts), 1.0), *((abs(part), 2 / np.pi) for part in parts)]:
        usual = max(float(steepness.mean()), share * least)
        away = max(float(steepness[far].mean()), share * least)
        found.append(float(steepness[outline].mean()) ** 2 / max(usual * away, 1e-12))
    return found


def measure_steepness(grey: np.ndarray) -> np.ndarray:
    """(*space) float32 length of the gradient within planes, in grey values per pixel."""
    return _add_up(_measure_slopes(grey) or [np.zeros(grey.shape, np.float32)])


def _measure_slopes(grey: np.ndarray) -> list[np.ndarray]:
    """Slope along Y and X, (*space) each, in grey values per pixel; none along an axis of one."""
    return [np.gradient(grey, axis=axis) for axis in (-2, -1) if grey.shape[axis] > 1]


def _add_up(parts: list[np.ndarray]) -> np.ndarray:
    """(*space) float32 length of the gradient of these components."""
    squared = np.zeros(parts[0].shape, np.float32)
    for part in parts:
        squared += part**2
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
    real = real.astype(np.float32, copy=False)
    bend = real[..., 2:] - 2 * real[..., 1:-1] + real[..., :-2]
    return float(np.median(np.abs(bend)) / 0.6745 / np.sqrt(6))


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


def _expected_steepness(grey: np.ndarray, width: float) -> float:
    """Mean steepness of white noise as strong as in most places, smoothed over a width.

    Counts of a few photons are constant between the photons: there they are flat by chance.
    """
    # smoothed over one pixel, noise of 1 keeps 0.082 by `measure_noise`; smoothed over w, its
    # gradient has the mean length sqrt(pi / 2) / (sqrt(8 pi) w²) = 1 / (4 w²)
    return measure_noise(grey) / 0.082 / (4 * width**2)
