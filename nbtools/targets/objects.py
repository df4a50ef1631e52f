"""Label images as objects: remove, seed, split and expand them.

Decoders and classical methods share these functions.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nbtools.targets.persistence import persistence_watershed

# foreground probability above which a network takes something for a nucleus, whether it becomes an
# object or not
SEEN = 0.3


def remove_small_objects(label: np.ndarray, min_size: int) -> np.ndarray:
    """Remove small objects, and number the others 1 … N.

    Parameters
    ----------
    label : (*space) labels from 0.
    min_size : objects of fewer pixels are removed.

    Returns
    -------
    (*space) int32 labels.

    Examples
    --------
    >>> remove_small_objects(np.array([0, 3, 3, 5, 8, 8]), 2).tolist()
    [0, 1, 1, 0, 2, 2]
    """
    sizes = np.bincount(label.ravel())
    sizes[0] = 0
    keep = sizes >= max(min_size, 1)
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[label]


def seed_unseeded_regions(foreground: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Give each connected foreground region without a seed one of its own: the whole region.

    Parameters
    ----------
    foreground : (*space) bool.
    seeds : (*space) int, 0 where there is none.

    Returns
    -------
    (*space) int seeds; new ones have numbers above the old ones, with gaps.

    Examples
    --------
    >>> seed_unseeded_regions(np.array([1, 1, 0, 1, 1]) > 0, np.array([0, 1, 0, 0, 0])).tolist()
    [0, 1, 0, 3, 3]
    """
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
    """Split connected regions at their waists, as classical methods do without a network.

    Holes are filled; a watershed on the distance to the background starts from its maxima.

    Parameters
    ----------
    foreground : (*space) bool.
    split : how much lower the distance must be between two maxima than at the lower of them, in the
        unit of the spacing.
    spacing : relative pixel size along each axis; None for 1.

    Returns
    -------
    (*space) int32 labels.
    """
    if not foreground.any():
        return np.zeros(foreground.shape, np.int32)
    foreground = ndimage.binary_fill_holes(foreground)
    depth = ndimage.distance_transform_edt(foreground, sampling=spacing).astype(np.float32)
    return persistence_watershed(depth, foreground, min_persistence=split)


def expand_labels(label: np.ndarray, nucleus: np.ndarray, *, steps: int) -> np.ndarray:
    """Expand all labels at once inside a region; none takes pixels from another.

    Parameters
    ----------
    label : (*space) int32 labels.
    nucleus : (*space) bool, where labels may grow.
    steps : by how many pixels, across faces; 0 changes nothing.

    Returns
    -------
    (*space) int32 labels.

    Examples
    --------
    >>> expand_labels(np.array([[1, 0, 0, 0, 2]]), np.ones((1, 5), bool), steps=1).tolist()
    [[1, 1, 0, 2, 2]]
    """
    from skimage.segmentation import watershed

    if not steps or not label.any():
        return label
    reach = ndimage.distance_transform_cdt(label == 0, metric="taxicab") <= steps
    return watershed(
        np.zeros(label.shape, np.uint8), label, mask=(nucleus & reach) | (label > 0)
    ).astype(np.int32, copy=False)
