"""Image resolution by Fourier ring correlation of two images of one object, or of one image split.

Two images of one object with independent noise agree in coarse detail and disagree where noise
dominates. The correlation of their Fourier transforms, ring by ring of spatial frequency, falls
from 1 to 0; the resolution is 1 / the frequency at which it falls below 1/7. In volumes the rings
are shells. No clean image is needed. The result does not tell whether detail is true: detail that
a network invents in both images counts as resolved.

References
----------
Banterle et al. 2013, doi:10.1016/j.jsb.2013.05.004.
Nieuwenhuizen et al. 2013, doi:10.1038/nmeth.2448.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image

THRESHOLD = 1 / 7  # Rosenthal & Henderson 2003, doi:10.1016/j.jmb.2003.07.013
MIN_SIZE_PX = 32  # in Y and X
FIRST_RING = 3  # the innermost rings hold so few pixels that even noise can correlate there


@dataclass(frozen=True, eq=False)
class Resolution:
    """A measured resolution and the curve it was read from.

    Parameters
    ----------
    resolution : smallest resolved detail, in `unit`; None where the curve never falls below the
        threshold (the pixels limit the resolution) or never rises above it (only noise).
    unit : "um" or "px".
    limit : smallest detail that the pixels can show, in `unit`.
    frequency : (rings,) in 1 / unit.
    correlation : (rings,) Fourier ring correlation, at most 1.
    threshold : correlation at which the resolution is read.
    """

    resolution: float | None
    unit: str
    limit: float
    frequency: np.ndarray
    correlation: np.ndarray
    threshold: float = THRESHOLD


def measure_resolution(
    image: Image | np.ndarray,
    other: Image | np.ndarray | None = None,
    *,
    spacing: tuple[float, ...] | None = None,
) -> Resolution:
    """Measure the resolution of two images of one object, or of a single image.

    Parameters
    ----------
    image, other : equal shape, 2D or 3D, at least 32 px in Y and X. Each must come from an exposure
        of its own: two images made from one share their noise as well. Without `other`, the image
        is split into its even and its odd pixels along the diagonals. The noise must then be
        independent from pixel to pixel (it is not after denoising, deconvolution or scaling), and
        detail finer than four pixels cannot be measured.
    spacing : pixel size of arrays in µm; an Image brings its own.

    Returns
    -------
    The resolution, in µm where the pixel size is known, else in pixels.

    Raises
    ------
    UserError : shapes differ, an image is too small or holds NaN, or both images are equal.

    References
    ----------
    Koho et al. 2019, doi:10.1038/s41467-019-11024-z (single-image split).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(2, 64, 64))
    >>> measure_resolution(*noise).resolution is None
    True
    """
    one, spacing, unit = _take(image, spacing)
    if other is not None:
        two = _take(other, spacing)[0]
        _check(one, two)
        pairs = [(one, two, np.zeros(one.ndim))]
    else:
        _check(one, None)
        pairs, spacing = _split(one), tuple(2 * s for s in spacing)
    sums = [_sum_rings(a, b, shift=shift, spacing=spacing) for a, b, shift in pairs]
    step, curve = sums[0][0], np.mean([_correlate(s) for _, s in sums], axis=0)
    frequency = (np.arange(len(curve)) + 0.5) * step
    return Resolution(_find_crossing(frequency, curve), unit, 2 * max(spacing), frequency, curve)


def _take(
    image: Image | np.ndarray, spacing: tuple[float, ...] | None
) -> tuple[np.ndarray, tuple[float, ...], str]:
    """Grey values as real numbers, pixel size, and unit."""
    if isinstance(image, Image):
        pixels = image.to(image.spatial).pixels
        return (
            pixels.astype(float),
            image.spacing_um or image.relative_spacing,
            "um" if image.spacing_um else "px",
        )
    pixels = np.asarray(image, float)
    return pixels, tuple(spacing or (1.0,) * pixels.ndim), "um" if spacing else "px"


def _check(one: np.ndarray, two: np.ndarray | None) -> None:
    if two is not None and one.shape != two.shape:
        raise UserError(
            "Two images of one object must have the same shape.",
            f"{one.shape} and {two.shape}",
            "Crop both to the same field.",
        )
    if one.ndim not in (2, 3) or min(one.shape[-2:]) < MIN_SIZE_PX:
        raise UserError(
            f"Resolution needs 2D or 3D images of at least {MIN_SIZE_PX} px in Y and X.",
            one.shape,
            "Use a larger part of the image.",
        )
    if not np.isfinite(one).all() or (two is not None and not np.isfinite(two).all()):
        raise UserError(
            "Resolution needs finite grey values.",
            "NaN or infinity",
            "Replace these pixels, or crop them away.",
        )
    if two is not None and np.array_equal(one, two):
        raise UserError(
            "Two images with independent noise are needed.",
            "the same image twice",
            "Leave out the second one; the first is then split in two.",
        )


def _split(image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two pairs of sub-images of every second pixel, and the shift between the two of a pair.

    The shift is in pixels of the sub-images. Along Y and X the members of a pair differ by one
    pixel of the image, once along each diagonal.
    """
    image = image[tuple(slice(n // 2 * 2) for n in image.shape)]
    lead, pairs = (slice(0, None, 2),) * (image.ndim - 2), []
    for (y, x), (v, u) in (((0, 0), (1, 1)), ((0, 1), (1, 0))):
        one, two = (
            image[(*lead, slice(a, None, 2), slice(b, None, 2))] for a, b in ((y, x), (v, u))
        )
        pairs.append((one, two, np.array([0.0] * (image.ndim - 2) + [(v - y) / 2, (u - x) / 2])))
    return pairs


def _sum_rings(
    one: np.ndarray, two: np.ndarray, *, shift: np.ndarray, spacing: tuple[float, ...]
) -> tuple[float, np.ndarray]:
    """Width of a ring, and (3, rings) sums: cross product, and power of each image."""
    # A Hann window: without it, the jump between opposite borders correlates along the axes.
    window = np.ones(())
    for axis, n in enumerate(one.shape):
        window = window * np.hanning(n + 2)[1:-1].reshape(
            [-1 if a == axis else 1 for a in range(one.ndim)]
        )
    ours, theirs = (np.fft.fftn((image - image.mean()) * window) for image in (one, two))
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in one.shape), indexing="ij", sparse=True)
    # A shift in space is a phase in frequency (Fourier shift theorem): it undoes that of the split.
    theirs = theirs * np.exp(-2j * np.pi * sum(g * s for g, s in zip(grids, shift, strict=True)))
    radius = np.sqrt(sum((g / s) ** 2 for g, s in zip(grids, spacing, strict=True)))
    step = max(1 / (n * s) for n, s in zip(one.shape, spacing, strict=True))
    ring = (radius / step).astype(int).ravel()
    count = int(0.5 / max(spacing) / step)
    sums = [
        np.bincount(ring, weights=w.ravel())[:count]
        for w in ((ours * theirs.conj()).real, np.abs(ours) ** 2, np.abs(theirs) ** 2)
    ]
    return step, np.array(sums)


def _correlate(sums: np.ndarray) -> np.ndarray:
    """(3, rings) sums to (rings,) correlation, smoothed: rings of few pixels vary by chance."""
    product, one, two = sums
    raw = product / np.maximum(np.sqrt(one * two), np.finfo(float).tiny)
    return np.convolve(np.pad(raw, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")


def _find_crossing(frequency: np.ndarray, curve: np.ndarray) -> float | None:
    """1 / the frequency where the curve first falls below the threshold, interpolated."""
    below = np.flatnonzero(curve < THRESHOLD)
    if not len(below) or below[0] < FIRST_RING:
        return None
    i = int(below[0])
    share = (curve[i - 1] - THRESHOLD) / (curve[i - 1] - curve[i])
    return float(1 / (frequency[i - 1] + share * (frequency[i] - frequency[i - 1])))
