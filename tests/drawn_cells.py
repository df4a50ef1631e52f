"""Drawn cells, many of which touch, in memory and in files: for tests of images in blocks."""

import numpy as np
from scipy import ndimage

from nbtools.image import Image
from nbtools.io.stored import StoredPixels
from nbtools.targets.objects import split_touching_objects


def draw_discs(shape, *, count, radius, seed=0):
    """A mask of discs or balls at random places, many of which touch."""
    rng, inside = np.random.default_rng(seed), np.zeros(shape, bool)
    for centre in rng.uniform(0, shape, (count, len(shape))):
        low = np.maximum(centre - 1.2 * radius, 0).astype(int)
        place = tuple(slice(a, int(c + 1.2 * radius) + 2) for a, c in zip(low, centre, strict=True))
        grid = np.indices(inside[place].shape).T + low - centre
        inside[place] |= rng.uniform(0.6, 1.2) * radius**2 > np.square(grid).sum(axis=-1).T
    return inside


def segment(inside):
    """Labels of a mask, split at waists: what a classical method does with a block."""
    return split_touching_objects(inside, split=1.0)


def store(path, pixels, axes="YX", **about):
    """An image whose pixels are in a file."""
    pixels.tofile(path)
    return Image(StoredPixels(path, pixels.shape, pixels.dtype), axes, **about)


def draw_cells(shape, *, seed=0, kind=np.uint16):
    """Bright discs or balls on a noisy background: grey values, and the mask of them."""
    rng = np.random.default_rng(seed)
    inside = draw_discs(shape, count=int(np.prod(shape) / 45 ** len(shape) * 2), radius=10)
    grey = ndimage.gaussian_filter(inside * 300.0, 1) + 100 + rng.normal(0, 6, shape)
    return grey.clip(0).astype(kind), inside
