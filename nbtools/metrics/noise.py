"""What the noise of an image is like: how strong, how it grows with light, and whether neighbouring
pixels share it.

A camera's noise has the variance gain * (grey - offset) + (gain * read_noise)², a line over the
grey values: the photon-transfer line (Janesick 2007, Photon Transfer, doi:10.1117/3.725073).
Networks with blind spots need noise that differs from pixel to pixel; where neighbours share it,
they learn to keep it (Broaddus et al. 2020, doi:10.1109/ISBI45749.2020.9098336).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.image import Image

MAD = 0.6745  # median of |x| of a normal distribution of width 1
BINS, FEWEST = 40, 40  # grey levels that the line is fitted to at most, and pixels in each at least
LAGS = 8  # px
BLOCK, FLAT, FEWEST_BLOCKS = (
    16,
    0.1,
    8,
    # px of the squares that flat parts are sought in, share of them that is taken, and how many at
    # least
)
LARGEST = (32, 1024, 1024)  # planes and pixels that are looked at
CORRELATED = 0.15  # of the variance; less is no harm
SURE = 5.0  # standard errors


@dataclass(frozen=True)
class PoissonGaussianNoise:
    """The line that the variance of the noise follows: gain * grey + intercept, in grey values
    squared.

    offset : grey value without light, where it is known; it parts the intercept in offset and read
        noise.
    """

    gain: float
    intercept: float
    offset: float | None = None

    def variance(self, grey: np.ndarray) -> np.ndarray:
        """Of the noise at these true grey values; never below 0."""
        return np.maximum(self.gain * np.asarray(grey, float) + self.intercept, 0)

    @property
    def read_noise(self) -> float | None:
        """In photons; None where the offset is unknown or no photon noise was found."""
        if self.offset is None or self.gain <= 0:
            return None
        return math.sqrt(max(self.gain * self.offset + self.intercept, 0)) / self.gain


def estimate_noise(image: np.ndarray | Image) -> float:
    """Standard deviation of the noise in grey values, from the finest diagonal wavelet details
    (Donoho & Johnstone 1994,
    doi:10.1093/biomet/81.3.425): straight edges and slopes do not count. One number for all of the
    image; see `estimate_poisson_gaussian` where noise grows with light.

    >>> round(estimate_noise(np.random.default_rng(0).normal(100, 7, (256, 256))), 1)
    7.0
    """
    return math.sqrt(_variance(_find_details(_to_planes(image))[1]))


def estimate_poisson_gaussian(
    image: np.ndarray | Image, *, offset: float | None = None
) -> PoissonGaussianNoise:
    """How noise grows with light, from one image: variance of diagonal details in its smooth parts,
    at each grey level.

    offset : of the camera, where it is known.     Where the noise does not grow, or one grey level
        is all there is, the gain is 0.
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
    """Photon transfer: how noise grows with light, from many images of one still scene.

    frames : (frames, *space).
    offset : the mean of images taken in the dark, where there are any.

    >>> rng = np.random.default_rng(0)
    >>> law = fit_photon_transfer(2 * rng.poisson(rng.uniform(10, 90, (64, 64)), (100, 64, 64)) + 100.0, offset=100)
    >>> round(law.gain, 1)
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
    """How alike the noise of pixels is that lie 0, 1, 2 … px apart along each axis: 1 is equal, 0
    unrelated.

    Measured in the flattest parts. Along each axis the image is first cleared of what is smooth
    *across* it, by second differences, which leaves white noise without any correlation along it;
    what remains of structure is why values up to 0.1 say nothing.

    >>> noise = np.random.default_rng(0).normal(size=(128, 128))
    >>> [round(float(v), 1) for v in autocorrelate(noise + np.roll(noise, 1, axis=1))["X"][:3]]
    [1.0, 0.5, -0.0]
    """
    return {axis: values for axis, (values, _) in _correlate(image).items()}


def judge_noise(image: np.ndarray | Image) -> str | None:
    """A warning with its remedy where neighbouring pixels share noise, so that a network with blind
    spots must fail; else None.
    """
    found = explain_noise(image)
    return None if found is None else " ".join(found)


def explain_noise(image: np.ndarray | Image) -> tuple[str, str] | None:
    """What `judge_noise` says, as message and remedy."""
    found = {
        axis: values
        for axis, (values, error) in _correlate(image).items()
        if _is_correlated(values, error)
    }
    if not found:
        return None
    told = "; ".join(
        f"along {axis} " + ", ".join(f"{v:.2f} at {k} px" for k, v in enumerate(values[1:4], 1))
        for axis, values in found.items()
    )
    message = (
        f"Neighbouring pixels share their noise (correlation {told}): a network with blind spots "
        "takes it for signal."
    )
    if len(found) > 1:
        remedy = (
            "Use images from before they were scaled, filtered or compressed, or bin them 2 x 2; "
            "or train with clean partners."
        )
        return message, remedy
    axis = next(iter(found))
    return (
        message,
        f"Use the structured mask along {axis}: n2v with variant=struct and line_axis={axis}.",
    )


def _to_planes(image: np.ndarray | Image) -> np.ndarray:
    """(Z, Y, X) of the first channel and time point, without what is more than LARGEST around the
    middle.
    """
    pixels = (
        image.select(T=0, C=0).to("ZYX").pixels if isinstance(image, Image) else np.asarray(image)
    )
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    middle = tuple(
        slice(max(0, (n - most) // 2), max(0, (n - most) // 2) + most)
        for n, most in zip(pixels.shape, LARGEST, strict=True)
    )
    pixels = pixels[middle].astype(np.float32)
    if min(pixels.shape[1:]) < 4 or not np.isfinite(pixels).all():
        raise UserError(
            "Noise is measured in finite images of 4 x 4 pixels or more.",
            pixels.shape,
            "Check the image.",
        )
    return pixels


def _find_details(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Local mean, diagonal detail (of the width of the noise) and slope, one of each for four
    pixels: three arrays (Z, Y / 2, X / 2).
    """
    even = planes[:, : planes.shape[1] // 2 * 2, : planes.shape[2] // 2 * 2]
    a, b, c, d = even[:, ::2, ::2], even[:, ::2, 1::2], even[:, 1::2, ::2], even[:, 1::2, 1::2]
    four = (a + b + c + d) / 4
    slope = (
        ndimage.gaussian_filter(four, (0, 1.5, 1.5), order=(0, 1, 0)) ** 2
        + ndimage.gaussian_filter(four, (0, 1.5, 1.5), order=(0, 0, 1)) ** 2
    )
    return ndimage.gaussian_filter(four, (0, 1, 1)), (a - b - c + d) / 2, slope


def _choose_levels(mean: np.ndarray) -> list[float]:
    """Borders between grey levels: evenly spaced, but wider where an image has few pixels of a
    level.
    """
    ordered = np.sort(mean, axis=None)
    even = np.linspace(ordered[0], np.percentile(ordered, 99.9), BINS + 1)
    place = np.searchsorted(ordered, even)
    chosen = [0]
    for i in range(1, len(even)):
        if place[i] - place[chosen[-1]] >= FEWEST:
            chosen.append(i)
    return [float(even[i]) for i in chosen]


def _variance(details: np.ndarray) -> float:
    """Mean square without outliers: edges that got into it."""
    width = np.median(np.abs(details)) / MAD
    kept = details[np.abs(details) <= 3 * width] if width > 0 else details
    return float(
        np.mean(kept.astype(float) ** 2) / (0.9733 if width > 0 else 1)
    )  # what a normal distribution has within 3 widths


def _fit_line(rows: np.ndarray, offset: float | None) -> PoissonGaussianNoise:
    """Variance over grey value.  rows : (levels, 3) mean, variance and number of pixels; levels off
    the line count less.
    """
    mean, variance, count = rows.T
    design, weight = (
        np.stack([mean, np.ones_like(mean)], axis=1),
        count / np.maximum(variance, 1e-12 + 0.02 * variance.max()) ** 2,
    )
    for _ in range(5):
        root = np.sqrt(weight)
        gain, intercept = np.linalg.lstsq(design * root[:, None], variance * root, rcond=None)[0]
        line = np.maximum(gain * mean + intercept, 1e-12 + 0.02 * variance.max())
        off = (variance - line) / line * np.sqrt(count / 2)
        weight = count / line**2 / (1 + (off / 3) ** 2)
    if gain <= 0:
        return PoissonGaussianNoise(0.0, float(np.average(variance, weights=count)), offset)
    dark = mean.argmin()  # where the line must not come near 0: noise is there
    return PoissonGaussianNoise(
        float(gain), float(max(intercept, variance[dark] / 2 - gain * mean[dark])), offset
    )


def _correlate(image: np.ndarray | Image) -> dict[str, tuple[np.ndarray, float]]:
    """Axis → correlations at 0, 1, 2 … px, and their standard error for white noise."""
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
    flattest = np.argsort(sums[0])[: max(FEWEST_BLOCKS, round(FLAT * sums.shape[1]))]
    total = sums[:, flattest].sum(axis=1)
    pixels = max(1, len(flattest)) * min(BLOCK, noise.shape[1]) * min(BLOCK, reach)
    return (total / total[0] if len(flattest) else np.eye(len(sums))[0]), math.sqrt(
        35 / 18 / pixels
    )  # differences share pixels


def _sum_blocks(values: np.ndarray) -> np.ndarray:
    """Sum over each square of the planes: (squares,)."""
    high, wide = (min(BLOCK, n) for n in values.shape[1:])
    rows, columns = values.shape[1] // high, values.shape[2] // wide
    whole = values[:, : rows * high, : columns * wide].reshape(-1, rows, high, columns, wide)
    return whole.sum(axis=(2, 4), dtype=float).ravel()


def _is_correlated(values: np.ndarray, error: float) -> bool:
    return bool(np.abs(values[1:]).max(initial=0) > max(CORRELATED, SURE * error))
