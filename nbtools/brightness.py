"""How bright nuclei are in each plane of a volume: fading with depth, and its removal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MIN_PIXELS = 20  # foreground pixels of a plane that say how bright it is
MIN_PLANES = 6  # planes with nuclei, below which no trend is measured
FOREGROUND_SD = 5.0  # of the background above its level: noise of a whole plane stays below
BRIGHT_PERCENTILE = 80  # of the foreground: its dim edges belong to nuclei of other planes


@dataclass(frozen=True, eq=False)
class DepthProfile:
    """Brightness of background and nuclei in each plane of a volume.

    Parameters
    ----------
    background : (Z,) grey value of the background.
    brightness : (Z,) grey value of the nuclei above the background; NaN in planes without nuclei.
    slope : change of the logarithm of `brightness` per plane; 0 where there is no trend.
    agreement : rank correlation of brightness and depth, 0 to 1, without its sign.
    """

    background: np.ndarray
    brightness: np.ndarray
    slope: float
    agreement: float

    @property
    def fading(self) -> float:
        """Brightness of the brighter half of the planes over that of the dimmer half, >= 1."""
        return float(np.exp(abs(self.slope) * len(self.background) / 2))

    @property
    def dim_half(self) -> str:
        """Which half of the planes is dimmer: "first" or "second"."""
        return "second" if self.slope < 0 else "first"


def measure_depth_profile(pixels: np.ndarray, inside: np.ndarray | None = None) -> DepthProfile:
    """Measure how bright background and nuclei are in each plane.

    Background and its noise come from the dark side of each plane's grey values, which nuclei do
    not reach unless they cover more than half of it; exact zeros are left out where they are
    many, since a stitched volume is padded with them.

    Parameters
    ----------
    pixels : (Z, Y, X) grey values, nuclei brighter than background.
    inside : (Z, Y, X), above 0 in the known nuclei; by default what stands out of each plane's
        background.

    Returns
    -------
    The profile. Its slope is 0 where fewer than six planes show nuclei.

    Examples
    --------
    >>> volume = np.full((12, 40, 40), 100.0) + np.arange(1600).reshape(40, 40) % 7
    >>> volume[:, 10:20, 10:20] += 800 * np.exp(-np.arange(12) / 6)[:, None, None]
    >>> round(measure_depth_profile(volume).fading, 1)  # exp(6 planes / 6)
    2.7
    """
    from scipy import ndimage

    background, brightness = np.zeros(len(pixels)), np.full(len(pixels), np.nan)
    for z, plane in enumerate(pixels):
        plane = ndimage.gaussian_filter(np.nan_to_num(plane.astype(np.float32)), 1)
        background[z], noise = _measure_background(plane)
        stands_out = plane > background[z] + FOREGROUND_SD * noise
        foreground = stands_out if inside is None else inside[z] > 0
        if foreground.sum() >= MIN_PIXELS:
            level = np.percentile(plane[foreground], BRIGHT_PERCENTILE) - background[z]
            brightness[z] = level if level > 0 else np.nan
    return DepthProfile(background, brightness, *_fit_trend(brightness))


def even_out_depth(pixels: np.ndarray, profile: DepthProfile) -> np.ndarray:
    """Give the nuclei of all planes the brightness of the brightest ones, along the fitted trend.

    Noise grows by the same factor; grey values can no longer be compared between volumes.

    Parameters
    ----------
    pixels : (Z, Y, X) grey values.
    profile : of these pixels.

    Returns
    -------
    (Z, Y, X) of the type of `pixels`, cut off at its largest value.
    """
    depth = np.arange(len(pixels))
    depth = depth if profile.slope < 0 else depth - depth[-1]
    gain = np.exp(-profile.slope * depth)[:, None, None]
    level = profile.background[:, None, None]
    evened = np.median(profile.background) + (pixels - level) * gain
    if pixels.dtype.kind in "iu":
        limits = np.iinfo(pixels.dtype)
        evened = np.clip(np.rint(evened), limits.min, limits.max)
    return evened.astype(pixels.dtype)


def _measure_background(plane: np.ndarray) -> tuple[float, float]:
    """Level and noise of the background, from two percentiles of a plane's dark side."""
    values = plane.ravel()
    lit = values[values > values.min()] if (values == values.min()).mean() > 0.05 else values
    if not len(lit):
        return float(values[0]), 0.0
    p2, p20 = np.percentile(lit, (2, 20))
    noise = (p20 - p2) / 1.212  # these percentiles of a Gaussian lie 2.054 and 0.842 sd below
    return float(p20 + 0.842 * noise), float(max(noise, 1e-6))


def _fit_trend(brightness: np.ndarray) -> tuple[float, float]:
    """Slope of the logarithm over the planes, by the median of pairwise slopes, and agreement."""
    from scipy.stats import spearmanr, theilslopes

    known = np.flatnonzero(np.isfinite(brightness))
    if len(known) < MIN_PLANES or np.ptp(brightness[known]) == 0:
        return 0.0, 0.0
    # Theil-Sen: a few planes with one very bright nucleus do not turn the line
    slope = theilslopes(np.log(brightness[known]), known)[0]
    return float(slope), float(abs(spearmanr(known, brightness[known]).statistic))
