"""Features of a pixel classifier: brightness, edges and blobs around each pixel, at several scales.

The set of ilastik and Weka (Berg et al. 2019, doi:10.1038/s41592-019-0582-9; Arganda-Carreras et
al. 2017, doi:10.1093/bioinformatics/btx180), computed in one unit along all axes: in volumes with a
coarse z, blur and slopes along z reach as far in µm as those in the plane. scikit-image's
`multiscale_basic_features` knows no spacing, so it is not used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations_with_replacement, pairwise

import numpy as np
from scipy import ndimage

from nbtools import runtime

TRUNCATE = 3.0  # standard deviations after which the blur is cut off


def compute_features(
    pixels: np.ndarray, sigmas: Sequence[float], *, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Compute features of every pixel, at several scales.

    For each channel and scale these are the blurred value, the gradient magnitude, the Laplacian
    and the eigenvalues of the Hessian, largest first; and the difference between each scale and the
    next.

    Parameters
    ----------
    pixels : (*space, C) normalised grey values.
    sigmas : of the Gaussians, in pixels of the finest axis, ascending.
    spacing : relative pixel size along each axis, the finest 1; None for equal ones.

    Returns
    -------
    (F, *space) float32.

    References
    ----------
    Berg et al. 2019, doi:10.1038/s41592-019-0582-9.

    Examples
    --------
    >>> compute_features(np.zeros((8, 9, 1)), (1.0, 2.0)).shape
    (11, 8, 9)
    """
    spacing = spacing or (1.0,) * (pixels.ndim - 1)
    found = []
    with ThreadPoolExecutor(runtime.cores()) as pool:
        for channel in np.moveaxis(pixels.astype(np.float32, copy=False), -1, 0):
            scales = list(
                pool.map(lambda sigma, channel=channel: _look(channel, sigma, spacing), sigmas)
            )
            found += [feature for scale in scales for feature in scale]
            found += [wide[0] - narrow[0] for narrow, wide in pairwise(scales)]
    return np.stack(found)


def find_reach(sigmas: Sequence[float], spacing: tuple[float, ...]) -> tuple[int, ...]:
    """Pixels on either side, along each axis, that influence the features of one pixel.

    Parameters
    ----------
    sigmas : of the Gaussians, in pixels of the finest axis.
    spacing : relative pixel size along each axis, the finest 1.
    """
    return tuple(int(TRUNCATE * max(sigmas) / s + 0.5) + 2 for s in spacing)


def _look(image: np.ndarray, sigma: float, spacing: tuple[float, ...]) -> list[np.ndarray]:
    """The features of one channel at one scale, each (*space)."""
    blurred = ndimage.gaussian_filter(
        image, [sigma / s for s in spacing], truncate=TRUNCATE, mode="nearest"
    )
    slopes = [_difference(blurred, axis, spacing) for axis in range(image.ndim)]
    steepness = np.sqrt(sum(slope**2 for slope in slopes))
    curves = {
        (a, b): _bend(blurred, a, spacing) if a == b else _difference(slopes[a], b, spacing)
        for a, b in combinations_with_replacement(range(image.ndim), 2)
    }
    total = sum(curves[a, a] for a in range(image.ndim))
    return [blurred, steepness, total, *find_curvatures(curves)]


def _difference(image: np.ndarray, axis: int, spacing: tuple[float, ...]) -> np.ndarray:
    return ndimage.correlate1d(
        image, [-0.5 / spacing[axis], 0, 0.5 / spacing[axis]], axis=axis, mode="nearest"
    )


def _bend(image: np.ndarray, axis: int, spacing: tuple[float, ...]) -> np.ndarray:
    return ndimage.correlate1d(
        image, np.array([1, -2, 1]) / spacing[axis] ** 2, axis=axis, mode="nearest"
    )


def find_curvatures(curves: dict[tuple[int, int], np.ndarray]) -> list[np.ndarray]:
    """Eigenvalues of symmetric 2 x 2 or 3 x 3 matrices, one per pixel, in closed form.

    Parameters
    ----------
    curves : (row, column) of the upper triangle → (*space).

    Returns
    -------
    Two or three arrays (*space), largest eigenvalue first.

    References
    ----------
    Smith 1961, doi:10.1145/355578.366316.

    Examples
    --------
    >>> curves = {(0, 0): np.array([2.0]), (0, 1): np.array([1.0]), (1, 1): np.array([2.0])}
    >>> [float(value[0]) for value in find_curvatures(curves)]
    [3.0, 1.0]
    """
    if (2, 2) not in curves:
        middle, half = (curves[0, 0] + curves[1, 1]) / 2, (curves[0, 0] - curves[1, 1]) / 2
        radius = np.sqrt(half**2 + curves[0, 1] ** 2)
        return [middle + radius, middle - radius]
    a, b, c = (curves[i, i] for i in range(3))
    d, e, f = curves[0, 1], curves[0, 2], curves[1, 2]
    middle = (a + b + c) / 3
    a, b, c = a - middle, b - middle, c - middle
    width = np.sqrt((a**2 + b**2 + c**2 + 2 * (d**2 + e**2 + f**2)) / 6)
    safe = np.maximum(width, np.finfo(np.float32).tiny ** 0.25)
    a, b, c, d, e, f = (part / safe for part in (a, b, c, d, e, f))
    determinant = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)
    angle = np.arccos(np.clip(determinant / 2, -1, 1)) / 3
    first, last = (
        middle + 2 * width * np.cos(angle),
        middle + 2 * width * np.cos(angle + np.float32(2 * np.pi / 3)),
    )
    return [first, 3 * middle - first - last, last]
