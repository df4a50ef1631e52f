"""A sample of one channel of an image, in which what is field, background and object is told apart.

Large images are looked at in every n-th pixel, each with its eight neighbours, so that the cost and
the result hardly depend on the size of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from nbtools.io.stored import SLAB, StoredPixels, is_stored, read_slabs

SAMPLE = {2: 1_000_000, 3: 2_000_000}  # pixels looked at, about
BLOCK = 64  # samples along each side of a block, whose darker pixels are its background
SIGNIFICANT = 6.0  # standard deviations of the noise by which an object exceeds its background
# exchanges of two of nine values, after which the fifth is their median (Devillard's network)
EXCHANGES = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)


@dataclass
class Field:
    """One channel of an image, sampled.

    Parameters
    ----------
    raw : (Z, y, x) float32 grey values of the samples; Z is 1 for planes.
    smooth : (Z, y, x) float32 median of each with its eight neighbours in the plane.
    flat : (Z, y, x) bool: it equals its eight neighbours.
    bend : (Z, y, x) float32 second difference along X.
    step : pixels from sample to sample, along Y and X.
    quantum : distance of two grey values that can be told apart, 0 for real numbers.
    """

    raw: np.ndarray
    smooth: np.ndarray
    flat: np.ndarray
    bend: np.ndarray
    step: int
    quantum: float

    def __post_init__(self):
        self.valid = np.ones(self.raw.shape, bool)

    @cached_property
    def noise(self) -> float:
        """Standard deviation between neighbouring pixels that no straight line explains."""
        return self.measure_noise(self.valid)

    def measure_noise(self, inside: np.ndarray) -> float:
        """As `noise`, of a part of the samples: (Z, y, x) bool."""
        bend = np.abs(self.bend[inside])
        found = float(np.median(bend)) / 0.6745 / np.sqrt(6) if bend.size else 0.0
        return max(found, self.quantum / np.sqrt(12))

    @cached_property
    def background(self) -> np.ndarray:
        """(Z, y, x) float32 the darker pixels around, linear between blocks of each plane."""
        return find_background(self.smooth, self.valid)

    @cached_property
    def height(self) -> np.ndarray:
        """(Z, y, x) float32 smooth grey values above the background."""
        size = [1, *(min(3, n) for n in self.raw.shape[1:])]
        return ndimage.uniform_filter(self.smooth, size, mode="nearest") - self.background

    @cached_property
    def least(self) -> float:
        """Height from which on a sample belongs to an object."""
        known = self.height[self.valid]
        if not known.size:
            return np.inf
        low, middle = np.percentile(known[:: max(1, known.size // 200_000)], (16, 50))
        return SIGNIFICANT * max(float(middle - low), 0.25 * self.noise)

    @cached_property
    def objects(self) -> np.ndarray:
        """(Z, y, x) bool."""
        return (self.height > self.least) & self.valid


def sample_field(grey: np.ndarray | StoredPixels) -> Field:
    """Sample one channel.

    Parameters
    ----------
    grey : (*space) grey values, all finite; they may be in a file.
    """
    step = find_step(grey)
    quantum = 1.0 if grey.dtype.kind in "iub" else 0.0
    return make_field(gather_windows(grey, step), step, quantum=quantum)


def find_step(grey: np.ndarray | StoredPixels) -> int:
    """Every how many pixels an image is looked at."""
    return max(1, int(np.ceil(np.sqrt(grey.size / SAMPLE[grey.ndim]))))


def make_field(windows: list[np.ndarray], step: int, *, quantum: float) -> Field:
    """The field of the pixels around every n-th one.

    Parameters
    ----------
    windows : nine arrays (Z, y, x), as of `gather_windows`.
    step, quantum : of the field.
    """
    raw, flat = windows[4].astype(np.float32), np.ones(windows[4].shape, bool)
    for other in (*windows[:4], *windows[5:]):
        flat &= other == windows[4]
    bend = windows[3].astype(np.float32) - 2 * raw + windows[5]
    smooth = _median_of_nine(list(windows)).astype(np.float32)
    return Field(raw, smooth, flat, bend, step, quantum)


def gather_windows(grey: np.ndarray | StoredPixels, step: int) -> list[np.ndarray]:
    """The nine pixels around every n-th one, (Z, y, x) each; at borders the nearest pixel.

    Parameters
    ----------
    grey : (*space) grey values; those of a file are read slab by slab.
    step : n.
    """
    if not is_stored(grey):
        volume = grey if grey.ndim == 3 else grey[None]
        rows = _choose(volume.shape[1], step)
        return _gather(volume, rows, step=step, shape=volume.shape)
    if grey.ndim == 3:
        rows = _choose(grey.shape[1], step)
        parts = [_gather(s, rows, step=step, shape=grey.shape) for _, s in read_slabs(grey)]
        return [np.concatenate(one) for one in zip(*parts, strict=True)]
    height, parts = grey.shape[0], []
    rows = _choose(height, step)
    for some in np.array_split(rows, 1 + grey.size // SLAB):
        if len(some):
            low = max(int(some[0]) - 1, 0)
            slab = grey[low : int(some[-1]) + 2][None]
            shape = (1, height, grey.shape[1])
            parts.append(_gather(slab, some, step=step, shape=shape, low=low))
    return [np.concatenate(one, axis=1) for one in zip(*parts, strict=True)]


def _choose(count: int, step: int) -> np.ndarray:
    return np.arange(min(step // 2, count - 1), count, step)


def _gather(
    volume: np.ndarray, rows: np.ndarray, *, step: int, shape: tuple[int, ...], low: int = 0
) -> list[np.ndarray]:
    """The nine pixels around some rows; the volume begins at row `low` of the image."""
    cols, windows = _choose(shape[2], step), []
    for dy in (-1, 0, 1):
        line = volume[:, np.clip(rows + dy, 0, shape[1] - 1) - low]
        windows += [line[..., np.clip(cols + dx, 0, shape[2] - 1)] for dx in (-1, 0, 1)]
    return windows


def _median_of_nine(windows: list[np.ndarray]) -> np.ndarray:
    spare = np.empty_like(windows[0])
    for i, j in EXCHANGES:
        np.minimum(windows[i], windows[j], out=spare)
        np.maximum(windows[i], windows[j], out=windows[j])
        windows[i], spare = spare, windows[i]
    return windows[4]


def find_background(smooth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Find the background of each plane: the darker pixels of blocks, linear between these.

    Parameters
    ----------
    smooth : (Z, y, x) grey values without outliers.
    valid : (Z, y, x) bool: pixels of the field.

    Returns
    -------
    (Z, y, x) float32.
    """
    counts = [max(1, round(n / BLOCK)) for n in smooth.shape[1:]]
    edges = [
        np.linspace(0, n, k + 1).astype(int) for n, k in zip(smooth.shape[1:], counts, strict=True)
    ]
    whole = valid.all()
    grid = np.full((len(smooth), *counts), np.nan, np.float32)
    for i in range(counts[0]):
        for j in range(counts[1]):
            place = (..., slice(*edges[0][i : i + 2]), slice(*edges[1][j : j + 2]))
            block = smooth[place].reshape(len(smooth), -1)
            if whole:
                grid[:, i, j] = np.percentile(block, 30, axis=1)
                continue
            inside = valid[place].reshape(len(smooth), -1)
            for z in np.flatnonzero(inside.mean(axis=1) > 0.1):
                grid[z, i, j] = np.percentile(block[z][inside[z]], 30)
    return _spread(grid, smooth.shape)


def _spread(grid: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(Z, blocks, blocks) → (Z, y, x), linear; blocks without a value take the median."""
    middle = np.nanmedian(grid) if np.isfinite(grid).any() else 0.0
    grid = np.where(np.isfinite(grid), grid, middle).astype(np.float32)
    for axis in (1, 2):
        n, k = shape[axis], grid.shape[axis]
        place = np.clip((np.arange(n) + 0.5) * k / n - 0.5, 0, k - 1)
        low = np.minimum(place.astype(int), max(k - 2, 0))
        share = (place - low).astype(np.float32)
        share = share[:, None] if axis == 1 else share
        high = np.minimum(low + 1, k - 1)
        grid = np.take(grid, low, axis) * (1 - share) + np.take(grid, high, axis) * share
    return grid


def weighted_median(values: np.ndarray, weight: np.ndarray) -> float:
    """The value up to which half of the weight lies; values in rising order."""
    total = np.cumsum(weight)
    return float(values[np.searchsorted(total, total[-1] / 2)])
