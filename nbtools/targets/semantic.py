"""Foreground and its connected components: the target of plain semantic segmentation."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# probability of foreground above which a network sees something, whether it becomes a nucleus or
# not
SEEN = 0.3


def encode(label: np.ndarray) -> np.ndarray:
    """(*space) labels → (*space, 1) float32: 1 inside nuclei, 0 outside, -1 where the label is
    negative (ignored).
    """
    return np.where(label < 0, -1, label > 0).astype(np.float32)[..., None]


def decode(maps: np.ndarray, *, threshold: float = 0.5, min_size: int = 0) -> np.ndarray:
    """(*space, K) maps, of which the first is the probability of foreground → (*space) int32
    labels.

    Connected components above the threshold, of at least `min_size` pixels; touching nuclei stay
    one.
    """
    label, _ = ndimage.label(maps[..., 0] > threshold)
    return remove_small_objects(label.astype(np.int32, copy=False), min_size)


def remove_small_objects(label: np.ndarray, min_size: int) -> np.ndarray:
    """Remove labels of fewer than `min_size` pixels and number the others 1 … N."""
    sizes = np.bincount(label.ravel())
    sizes[0] = 0
    keep = sizes >= max(min_size, 1)
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[label]


def seed_unseeded_regions(foreground: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Give each connected foreground region without a seed one of its own: the whole region."""
    regions, count = ndimage.label(foreground)
    if not count:
        return seeds
    seeded = np.zeros(count + 1, bool)
    seeded[regions[seeds > 0]] = True
    orphans = np.where(seeded, 0, np.arange(count + 1))[regions]
    return np.where(orphans > 0, orphans + seeds.max(), seeds)
