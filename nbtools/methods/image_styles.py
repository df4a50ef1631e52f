"""Styles of images: groups of like brightness and texture, found by k-means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.cluster.vq import kmeans2

FINE, COARSE = 1.0, 4.0  # px; blurs of the plane between which texture is measured
FLAT = 1e-6  # standard deviation below which there is nothing to tell


@dataclass(frozen=True, eq=False)
class ImageStyles:
    """The styles of some images.

    Parameters
    ----------
    middles : (K, F) of each style, in features over their spread.
    offset, factor : (F,) of that: (features - offset) · factor.
    counts : (K,) images of each style.
    """

    middles: np.ndarray
    offset: np.ndarray
    factor: np.ndarray
    counts: np.ndarray

    def find(self, features: np.ndarray) -> int:
        """The number of the style nearest to (F,) features, see `describe_style`."""
        off = self.middles - (features - self.offset) * self.factor
        return int((off**2).sum(axis=1).argmin())


def describe_style(pixels: np.ndarray) -> np.ndarray:
    """Describe brightness and texture of an image by a few numbers.

    Parameters
    ----------
    pixels : (*space, C) grey values, normalised.

    Returns
    -------
    (5 C,) float64, per channel: mean, standard deviation and skewness of the grey values; standard
    deviation of what a blur of 1 px takes away (noise, edges), and of what remains between that and
    one of 4 px (texture of nuclei). The blurs are in the plane.

    Examples
    --------
    >>> describe_style(np.ones((8, 8, 1))).tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0]
    """
    found = []
    for channel in np.moveaxis(np.asarray(pixels, np.float64), -1, 0):
        plane = (0.0,) * (channel.ndim - 2)
        fine = ndimage.gaussian_filter(channel, (*plane, FINE, FINE))
        coarse = ndimage.gaussian_filter(channel, (*plane, COARSE, COARSE))
        mean, spread = channel.mean(), channel.std()
        skewness = ((channel - mean) ** 3).mean() / max(spread, FLAT) ** 3
        found += [mean, spread, skewness, (channel - fine).std(), (fine - coarse).std()]
    return np.array(found)


def cluster_styles(features: np.ndarray, *, count: int, seed: int = 0) -> ImageStyles:
    """Divide images into styles.

    Parameters
    ----------
    features : (N, F) of images, see `describe_style`.
    count : of styles; fewer come out where fewer images differ.
    seed : of the clustering.

    Examples
    --------
    >>> styles = cluster_styles(np.array([[0.0], [0.1], [5.0]]), count=2)
    >>> sorted(styles.counts.tolist()), styles.find(np.array([0.0])) == styles.find(np.array([1.0]))
    ([1, 2], True)
    """
    spread = features.std(axis=0)
    offset, factor = features.mean(axis=0), np.where(spread > FLAT, 1 / np.maximum(spread, FLAT), 0)
    scaled = (features - offset) * factor
    count = min(count, len(np.unique(scaled, axis=0)))
    middles, own = kmeans2(scaled, count, minit="++", seed=seed)
    numbers, counts = np.unique(own, return_counts=True)  # a cluster may have become empty
    return ImageStyles(middles[numbers], offset, factor, counts)
