"""Bring grey values to a common range, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE = 2_000_000  # pixels for percentiles: precise to 0.1 %, whatever the size of the image


@dataclass(frozen=True)
class Scale:
    """A linear map of grey values: normalised = (grey - offset) / factor.

    Parameters
    ----------
    offset : one value per channel, in grey values.
    factor : one value per channel, in grey values.

    Examples
    --------
    >>> scale = Scale((100.0,), (50.0,))
    >>> scale.apply(np.array([[100.0], [200.0]])).tolist()
    [[0.0], [2.0]]
    >>> scale.undo(np.array([[0.0], [2.0]])).tolist()
    [[100.0], [200.0]]
    """

    offset: tuple[float, ...]
    factor: tuple[float, ...]

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """(..., C) grey values → (..., C) float32 normalised."""
        return (
            (pixels.astype(np.float32, copy=False) - np.float32(self.offset))
            / np.float32(self.factor)
        ).astype(np.float32, copy=False)

    def undo(self, pixels: np.ndarray) -> np.ndarray:
        """(..., C) normalised → (..., C) float32 grey values in the unit of the input."""
        return pixels * np.float32(self.factor) + np.float32(self.offset)


def by_percentiles(pixels: np.ndarray, *, low: float = 1.0, high: float = 99.8) -> Scale:
    """Scale that maps two percentiles of each channel to 0 and 1.

    Parameters
    ----------
    pixels : (*space, C) grey values; those that are not finite are left out.
    low, high : percentiles, 0 … 100. A constant image maps to 0, not to amplified noise.

    Examples
    --------
    >>> by_percentiles(np.arange(101.0).reshape(101, 1), low=0, high=100)
    Scale(offset=(0.0,), factor=(100.0,))
    """
    flat = _sample(pixels)
    offset, top = np.percentile(flat, (low, high), axis=0)
    return Scale(tuple(map(float, offset)), tuple(float(f) if f > 0 else 1.0 for f in top - offset))


def by_moments(pixels: np.ndarray) -> Scale:
    """Scale that gives each channel mean 0 and standard deviation 1.

    Parameters
    ----------
    pixels : (*space, C) grey values; those that are not finite are left out.

    Examples
    --------
    >>> by_moments(np.array([[1.0], [3.0]]))
    Scale(offset=(2.0,), factor=(1.0,))
    """
    flat = _sample(pixels).astype(np.float64)
    return Scale(
        tuple(map(float, flat.mean(axis=0))),
        tuple(float(f) if f > 0 else 1.0 for f in flat.std(axis=0)),
    )


def _sample(pixels: np.ndarray) -> np.ndarray:
    """(n, C) finite pixels on a regular grid through the whole image, about SAMPLE at most."""
    space = pixels.shape[:-1]
    step = max(1, int(np.ceil((np.prod(space) / SAMPLE) ** (1 / len(space)))))
    flat = pixels[(slice(None, None, step),) * len(space)].reshape(-1, pixels.shape[-1])
    finite = np.isfinite(flat).all(axis=1) if flat.dtype.kind == "f" else np.ones(len(flat), bool)
    return flat[finite] if finite.any() else np.zeros((1, flat.shape[-1]), np.float32)
