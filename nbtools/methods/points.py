"""What the methods that detect points share: the radius of their maps, from the training images."""

from __future__ import annotations

import numpy as np

from nbtools.data import DataSet, Sample
from nbtools.geometry import equivalent_diameters

LOOKED_AT = 64  # training images that the radius is taken from
SMALLEST, LARGEST = 4.0, 15.0  # px; 15 is that of the published maps
SHARE = 0.5  # radius of a map over the diameter of the smaller nuclei
SMALLER = 25  # percentile of the diameters


def measure_radius(train: DataSet) -> float:
    """Half the diameter of the smaller nuclei of a data set, so that neighbours stay apart.

    Where there are no labels, half the distance between neighbouring points stands for it.

    Parameters
    ----------
    train : images with labels or points.

    Returns
    -------
    Radius in pixels of the finest axis, 4 to 15.
    """
    chosen = np.unique(np.linspace(0, len(train) - 1, LOOKED_AT).round().astype(int))
    sizes = [_measure_sizes(train[int(i)]) for i in chosen]
    sizes = np.concatenate([*sizes, np.zeros(0)])
    usual = float(np.percentile(sizes, SMALLER)) if len(sizes) else 2 * SMALLEST
    return round(float(np.clip(SHARE * usual, SMALLEST, LARGEST)), 1)


def _measure_sizes(sample: Sample) -> np.ndarray:
    """(N,) diameters of the nuclei, or distances to the next point."""
    from scipy.spatial import cKDTree

    relative = np.array(sample.image.relative_spacing or (1.0,) * len(sample.image.spatial))
    if sample.label is not None:
        size = equivalent_diameters(sample.label.pixels)
        return size * float(np.prod(relative)) ** (1 / len(relative))
    if sample.centres is None or len(sample.centres) < 2:
        return np.zeros(0)
    places = np.asarray(sample.centres) * relative
    return cKDTree(places).query(places, k=2)[0][:, 1]
