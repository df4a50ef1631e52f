"""Label images as objects: small ones removed, unseeded ones seeded, touching ones split, cores
expanded. What decoders and classical methods share.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# foreground probability above which a network takes something for a nucleus, whether it becomes an
# object or not
SEEN = 0.3


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


def split_touching_objects(
    foreground: np.ndarray, *, split: float, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """(*space) bool → (*space) int32 labels: connected regions, holes filled, parted where a waist
    is deeper than `split`.

    The classical way, without a network: each pixel's distance to the background, and a watershed
    from its maxima.
    split : how much lower the distance must be between two maxima, in pixels of the finest axis.
    spacing : relative; None for equal.
    """
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    if not foreground.any():
        return np.zeros(foreground.shape, np.int32)
    foreground = ndimage.binary_fill_holes(foreground)
    depth = ndimage.distance_transform_edt(foreground, sampling=spacing).astype(np.float32)
    seeds, _ = ndimage.label(h_maxima(depth, split), np.ones((3,) * foreground.ndim))
    return watershed(-depth, seeds, mask=foreground)


def expand_labels(label: np.ndarray, nucleus: np.ndarray, *, steps: int) -> np.ndarray:
    """Let every label grow by some pixels, all at once, inside the region `nucleus` (*space) bool;
    none takes from another.
    """
    from skimage.segmentation import watershed

    if not steps or not label.any():
        return label
    reach = ndimage.distance_transform_cdt(label == 0, metric="taxicab") <= steps
    return watershed(
        np.zeros(label.shape, np.uint8), label, mask=(nucleus & reach) | (label > 0)
    ).astype(np.int32, copy=False)
