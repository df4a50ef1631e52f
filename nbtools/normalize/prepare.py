"""An image made ready for its scale: faults mended, depth made even."""

from __future__ import annotations

import numpy as np

from nbtools.normalize.depth import find_gain, flatten
from nbtools.normalize.mend import bridge_planes, mend_channel
from nbtools.normalize.robust import Levels, find_levels


def prepare_channels(pixels: np.ndarray) -> tuple[np.ndarray, list[Levels]]:
    """Mend each channel, and measure what its grey values mean.

    Parameters
    ----------
    pixels : (*space, C) grey values; is not changed.

    Returns
    -------
    (*space, C) mended, the same array where nothing was to be done; and the levels per channel.
    """
    done = [_prepare(pixels[..., c]) for c in range(pixels.shape[-1])]
    if all(np.shares_memory(grey, pixels) for grey, _ in done):
        return pixels, [levels for _, levels in done]
    return np.stack([grey for grey, _ in done], axis=-1), [levels for _, levels in done]


def mend_channels(pixels: np.ndarray) -> np.ndarray:
    """(*space, C) → the same with faults mended, and depth as it is."""
    done = [_mend(pixels[..., c])[0] for c in range(pixels.shape[-1])]
    if all(np.shares_memory(grey, pixels) for grey in done):
        return pixels
    return np.stack(done, axis=-1)


def _prepare(grey: np.ndarray) -> tuple[np.ndarray, Levels]:
    mended, levels = _mend(grey)
    gain = find_gain(levels.field) if grey.ndim == 3 else None
    if gain is None:
        return mended, levels
    even = flatten(mended, levels.field, gain=gain)
    return even, find_levels(even)


def _mend(grey: np.ndarray) -> tuple[np.ndarray, Levels]:
    grey = bridge_planes(_fill_unknown(grey))
    levels = find_levels(grey)
    return mend_channel(grey, levels), levels


def _fill_unknown(grey: np.ndarray) -> np.ndarray:
    """NaN and infinite values take the median of the others."""
    if grey.dtype.kind != "f":
        return grey
    known = np.isfinite(grey)
    if known.all():
        return grey
    return np.where(known, grey, np.median(grey[known]) if known.any() else 0).astype(grey.dtype)
