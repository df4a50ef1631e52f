"""Noise of an image: its strength, its growth with the signal, and correlation between pixels.

The noise of a camera has the variance gain * (grey - offset) + (gain * read_noise)², a straight
line over the grey value: the photon transfer curve. Blind-spot networks need noise that is
independent from pixel to pixel; where neighbouring pixels share noise, the networks learn to keep
it.

References
----------
Janesick 2007, Photon Transfer, doi:10.1117/3.725073.
Broaddus et al. 2020, doi:10.1109/ISBI45749.2020.9098336.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.geometry import crop_centre
from nbtools.image import Image

MAD = 0.6745  # median of |x| of a standard normal distribution
BINS, MIN_PIXELS = 40, 40  # most grey levels for the fit, and fewest pixels in each
LAGS = 8  # px; largest distance at which correlation is measured
BLOCK = 16  # px; side of the squares among which flat parts are searched
FLAT, MIN_BLOCKS = 0.1, 8  # share of the squares that counts as flat, and their least number
LARGEST = (32, 1024, 1024)  # Z, Y, X; the centre of a larger image is used
CORRELATED = 0.15  # less does no harm in training
SIGNIFICANT = 5.0  # standard errors


@dataclass(frozen=True)
class PoissonGaussianNoise:
    """Noise whose variance is linear in the grey value: gain * grey + intercept.

    Parameters
    ----------
    gain : grey values per photon.
    intercept : variance at grey value 0, in grey values squared.
    offset : grey value without light, where it is known; separates the read noise from the
        intercept.
    """

    gain: float
    intercept: float
    offset: float | None = None

    def variance(self, grey: np.ndarray) -> np.ndarray:
        """Compute the variance of the noise at noise-free grey values; never below 0."""
        return np.maximum(self.gain * np.asarray(grey, float) + self.intercept, 0)

    @property
    def read_noise(self) -> float | None:
        """Read noise in photons; None where the offset is unknown or there is no photon noise."""
        if self.offset is None or self.gain <= 0:
            return None
        return math.sqrt(max(self.gain * self.offset + self.intercept, 0)) / self.gain


def estimate_noise(image: np.ndarray | Image) -> float:
    """Estimate the standard deviation of the noise from the finest diagonal wavelet details.

    Straight edges and slopes do not contribute. The result is one number for the whole image; see
    `estimate_poisson_gaussian` where noise grows with the signal.

    Parameters
    ----------
    image : 2D or 3D; of an Image, the first channel and time point.

    Returns
    -------
    The standard deviation, in grey values.

    Raises
    ------
    UserError : fewer than 4 x 4 pixels, NaN or infinity.

    References
    ----------
    Donoho & Johnstone 1994, doi:10.1093/biomet/81.3.425.

    Examples
    --------
    >>> round(estimate_noise(np.random.default_rng(0).normal(100, 7, (256, 256))), 1)
    7.0
    """
    return math.sqrt(_variance(_find_details(_to_planes(image))[1]))


def estimate_poisson_gaussian(
    image: np.ndarray | Image, *, offset: float | None = None
) -> PoissonGaussianNoise:
    """Estimate from one image how noise grows with the signal.

    The variance of diagonal details is taken in smooth parts, per grey level, and a line is fitted.

    Parameters
    ----------
    image : 2D or 3D; of an Image, the first channel and time point.
    offset : grey value of the camera without light, where it is known.

    Returns
    -------
    The line; its gain is 0 where noise does not grow with the signal, or where the image has too
    few grey levels.

    Raises
    ------
    UserError : fewer than 4 x 4 pixels, NaN or infinity.

    References
    ----------
    Foi et al. 2008, doi:10.1109/TIP.2008.2001399.
    """
    mean, details, slope = _find_details(_to_planes(image))
    rows = []
    for low, high in itertools.pairwise(_choose_levels(mean)):
        inside = (mean >= low) & (mean < high)
        inside &= slope <= np.median(slope[inside])
        rows.append((mean[inside].mean(), _variance(details[inside]), inside.sum()))
    if len(rows) < 3:
        return PoissonGaussianNoise(0.0, _variance(details), offset)
    return _fit_line(np.array(rows), offset)


def fit_photon_transfer(frames: np.ndarray, *, offset: float | None = None) -> PoissonGaussianNoise:
    """Fit the photon transfer curve to many images of one still scene.

    Parameters
    ----------
    frames : (frames, *space) grey values, 20 frames or more.
    offset : mean grey value of images taken in the dark, where there are any.

    Returns
    -------
    The line of variance over mean.

    Raises
    ------
    UserError : fewer than two frames.

    References
    ----------
    Janesick 2007, Photon Transfer, doi:10.1117/3.725073.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> photons = rng.poisson(rng.uniform(10, 90, (64, 64)), (100, 64, 64))
    >>> round(fit_photon_transfer(2 * photons + 100.0, offset=100).gain, 1)
    2.0
    """
    frames = np.asarray(frames, float)
    if len(frames) < 2:
        raise UserError(
            "A photon-transfer line needs several images of one scene.",
            len(frames),
            "Give 20 or more; or use estimate_poisson_gaussian.",
        )
    mean, variance = frames.mean(axis=0).ravel(), frames.var(axis=0, ddof=1).ravel()
    order = np.argsort(mean)
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    rows = np.array(
        [(mean[p].mean(), variance[p].mean(), len(p) * (len(frames) - 1)) for p in parts]
    )
    return _fit_line(rows, offset)


def autocorrelate(image: np.ndarray | Image) -> dict[str, np.ndarray]:
    """Measure how far the noise of neighbouring pixels is correlated, along each axis.

    Measured in the flattest parts. Along each axis, smooth content is first removed by second
    differences *across* it, which add no correlation along it. Some structure remains, so that
    values up to 0.1 mean nothing.

    Parameters
    ----------
    image : 2D or 3D; of an Image, the first channel and time point.

    Returns
    -------
    Axis ("Z", "Y", "X") to (lags,) correlation at distances of 0, 1, 2, … px: 1 equal, 0
    independent.

    Raises
    ------
    UserError : fewer than 4 x 4 pixels, NaN or infinity.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(128, 128))
    >>> [round(float(v), 1) for v in autocorrelate(noise + np.roll(noise, 1, axis=1))["X"][:3]]
    [1.0, 0.5, -0.0]
    """
    return {axis: values for axis, (values, _) in _correlate(image).items()}


def judge_noise(image: np.ndarray | Image) -> str | None:
    """Return a warning with its remedy where neighbouring pixels share noise, else None."""
    warning = explain_noise(image)
    return None if warning is None else " ".join(warning)


def explain_noise(image: np.ndarray | Image) -> tuple[str, str] | None:
    """Return the warning of `judge_noise` as message and remedy, or None.

    Parameters
    ----------
    image : 2D or 3D; of an Image, the first channel and time point.

    Raises
    ------
    UserError : fewer than 4 x 4 pixels, NaN or infinity.
    """
    correlated = {
        axis: values
        for axis, (values, error) in _correlate(image).items()
        if _is_correlated(values, error)
    }
    if not correlated:
        return None
    correlations = "; ".join(
        f"along {axis} " + ", ".join(f"{v:.2f} at {k} px" for k, v in enumerate(values[1:4], 1))
        for axis, values in correlated.items()
    )
    message = (
        f"Neighbouring pixels share their noise (correlation {correlations}): a blind-spot network "
        "mistakes it for signal."
    )
    if len(correlated) > 1:
        return message, (
            "Use the images as they were before scaling, filtering or compression, or bin them "
            "2 x 2; or train with clean partners."
        )
    axis = next(iter(correlated))
    return (
        message,
        f"Use the structured mask along {axis}: n2v with variant=struct and line_axis={axis}.",
    )


def _to_planes(image: np.ndarray | Image) -> np.ndarray:
    """(Z, Y, X) of the first channel and time point, cropped to the central LARGEST."""
    pixels = (
        image.select(T=0, C=0).to("ZYX").pixels if isinstance(image, Image) else np.asarray(image)
    )
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    pixels = crop_centre(pixels, LARGEST).astype(np.float32)
    if min(pixels.shape[1:]) < 4 or not np.isfinite(pixels).all():
        raise UserError(
            "Noise is measured in finite images of at least 4 x 4 pixels.",
            pixels.shape,
            "Use a larger image, without NaN or infinity.",
        )
    return pixels


def _find_details(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Local mean, diagonal detail and slope of each 2 x 2 block: (Z, Y / 2, X / 2) each."""
    even = planes[:, : planes.shape[1] // 2 * 2, : planes.shape[2] // 2 * 2]
    a, b, c, d = even[:, ::2, ::2], even[:, ::2, 1::2], even[:, 1::2, ::2], even[:, 1::2, 1::2]
    # The diagonal Haar detail (a - b - c + d) / 2 of white noise has the variance of the noise.
    four = (a + b + c + d) / 4
    slope = (
        ndimage.gaussian_filter(four, (0, 1.5, 1.5), order=(0, 1, 0)) ** 2
        + ndimage.gaussian_filter(four, (0, 1.5, 1.5), order=(0, 0, 1)) ** 2
    )
    return ndimage.gaussian_filter(four, (0, 1, 1)), (a - b - c + d) / 2, slope


def _choose_levels(mean: np.ndarray) -> list[float]:
    """Limits between grey levels: evenly spaced, wider where few pixels have a level."""
    ordered = np.sort(mean, axis=None)
    even = np.linspace(ordered[0], np.percentile(ordered, 99.9), BINS + 1)
    place = np.searchsorted(ordered, even)
    chosen = [0]
    for i in range(1, len(even)):
        if place[i] - place[chosen[-1]] >= MIN_PIXELS:
            chosen.append(i)
    return [float(even[i]) for i in chosen]


def _variance(details: np.ndarray) -> float:
    """Mean square without the outliers that edges leave."""
    width = np.median(np.abs(details)) / MAD
    kept = details[np.abs(details) <= 3 * width] if width > 0 else details
    # 0.9733 is the variance of a standard normal distribution cut at 3 standard deviations.
    return float(np.mean(kept.astype(float) ** 2) / (0.9733 if width > 0 else 1))


def _fit_line(rows: np.ndarray, offset: float | None) -> PoissonGaussianNoise:
    """Line of variance over grey value; rows : (levels, 3) mean, variance, number of pixels."""
    mean, variance, count = rows.T
    design, weight = (
        np.stack([mean, np.ones_like(mean)], axis=1),
        count / np.maximum(variance, 1e-12 + 0.02 * variance.max()) ** 2,
    )
    # Weighted least squares, reweighted: a sample variance of n pixels has the variance
    # 2 variance² / n, and levels far from the line (edges, saturation) count less (Cauchy
    # weights).
    for _ in range(5):
        root = np.sqrt(weight)
        gain, intercept = np.linalg.lstsq(design * root[:, None], variance * root, rcond=None)[0]
        line = np.maximum(gain * mean + intercept, 1e-12 + 0.02 * variance.max())
        off = (variance - line) / line * np.sqrt(count / 2)
        weight = count / line**2 / (1 + (off / 3) ** 2)
    if gain <= 0:
        return PoissonGaussianNoise(0.0, float(np.average(variance, weights=count)), offset)
    dark = mean.argmin()  # the line must stay well above 0 here: there is noise in the dark, too
    return PoissonGaussianNoise(
        float(gain), float(max(intercept, variance[dark] / 2 - gain * mean[dark])), offset
    )


def _correlate(image: np.ndarray | Image) -> dict[str, tuple[np.ndarray, float]]:
    """Axis to correlations at 0, 1, 2, … px, and their standard error for white noise."""
    planes = _to_planes(image)
    pairs = {"Y": (1, 2), "X": (2, 1)} | ({"Z": (0, 1)} if len(planes) > 3 else {})
    return {
        axis: _correlate_along(planes, along, across=across)
        for axis, (along, across) in pairs.items()
    }


def _correlate_along(planes: np.ndarray, along: int, *, across: int) -> tuple[np.ndarray, float]:
    noise = np.moveaxis(np.diff(planes, n=2, axis=across), (across, along), (1, 2))
    reach = noise.shape[2] - min(LAGS, noise.shape[2] // 2)
    sums = np.stack(
        [
            _sum_blocks(noise[:, :, :reach] * noise[:, :, k : reach + k])
            for k in range(noise.shape[2] - reach + 1)
        ]
    )
    sums = sums[:, sums[0] > 0]
    flattest = np.argsort(sums[0])[: max(MIN_BLOCKS, round(FLAT * sums.shape[1]))]
    total = sums[:, flattest].sum(axis=1)
    pixels = max(1, len(flattest)) * min(BLOCK, noise.shape[1]) * min(BLOCK, reach)
    # Second differences of white noise are correlated (-2/3, 1/6): the variance of a correlation
    # estimated from them grows by the sum of squares, 35 / 18.
    error = math.sqrt(35 / 18 / pixels)
    return (total / total[0] if len(flattest) else np.eye(len(sums))[0]), error


def _sum_blocks(values: np.ndarray) -> np.ndarray:
    """Sum over each square of the planes: (squares,)."""
    high, wide = (min(BLOCK, n) for n in values.shape[1:])
    rows, columns = values.shape[1] // high, values.shape[2] // wide
    whole = values[:, : rows * high, : columns * wide].reshape(-1, rows, high, columns, wide)
    return whole.sum(axis=(2, 4), dtype=float).ravel()


def _is_correlated(values: np.ndarray, error: float) -> bool:
    return bool(np.abs(values[1:]).max(initial=0) > max(CORRELATED, SIGNIFICANT * error))
