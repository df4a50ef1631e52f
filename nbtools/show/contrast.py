"""From measured grey values to colours: percentile contrast, one colour per channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.show.colors import channel_colors


@dataclass(frozen=True)
class Contrast:
    """How grey values become colours.

    Parameters
    ----------
    low, high : (C,) grey values shown as black and as full colour.
    tints : (C, 3) colour of each channel, from 0 to 1.
    as_is : True for an 8-bit colour image, which is shown unchanged.
    """

    low: np.ndarray
    high: np.ndarray
    tints: np.ndarray
    as_is: bool = False

    def color(self, pixels: np.ndarray) -> np.ndarray:
        """Grey values (..., C) as colours (..., 3) uint8; NaN is black."""
        if self.as_is:
            return pixels
        total = np.zeros((*pixels.shape[:-1], 3), np.float32)
        for c, tint in enumerate(self.tints.astype(np.float32)):
            grey = (pixels[..., c].astype(np.float32) - self.low[c]) / (self.high[c] - self.low[c])
            grey = np.nan_to_num(grey, nan=0.0, posinf=1.0, neginf=0.0)
            total += np.clip(grey, 0, 1)[..., None] * tint
        return (np.clip(total, 0, 1) * 255 + 0.5).astype(np.uint8)


def measure_contrast(
    pixels: np.ndarray, *, rgb: bool = False, percentiles: tuple[float, float] = (1, 99.8)
) -> Contrast:
    """Stretch each channel between two percentiles; the channels of a colour image alike.

    Parameters
    ----------
    pixels : (..., C) grey values.
    rgb : whether the channels are red, green and blue; 8-bit colours stay as they are.
    percentiles : percent (0 to 100) of the grey values that become black and full colour, measured
        on about a million pixels.
    """
    count = pixels.shape[-1]
    if rgb and pixels.dtype == np.uint8:
        return Contrast(np.zeros(count), np.full(count, 255.0), np.eye(3), as_is=True)
    low, high = _find_limits(
        _sample_pixels(pixels.reshape(-1, count)), percentiles, axis=None if rgb else 0
    )
    return Contrast(low, high, np.eye(3) if rgb else channel_colors(count))


def _sample_pixels(flat: np.ndarray) -> np.ndarray:
    flat = flat[:: max(1, len(flat) // 1_000_000)].astype(np.float64)
    flat[~np.isfinite(flat)] = np.nan
    return np.zeros_like(flat) if np.isnan(flat).all() else flat


def _find_limits(
    flat: np.ndarray, percentiles: tuple[float, float], axis: int | None
) -> tuple[np.ndarray, np.ndarray]:
    count = flat.shape[-1]
    low, high = (
        np.array(np.broadcast_to(v, count)) for v in np.nanpercentile(flat, percentiles, axis=axis)
    )
    narrow = ~(high > low)  # a blank image, or one with few bright pixels: show its whole range
    low[narrow], high[narrow] = np.nanmin(flat), np.nanmax(flat)
    high[~(high > low)] += 1
    return np.nan_to_num(low), np.nan_to_num(high, nan=1.0)
