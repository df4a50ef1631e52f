"""What checks know of a whole image, found slab by slab: images in files are never read at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from nbtools.io.stored import StoredPixels, is_stored, read_slabs

SLAB = 2**22  # pixels looked at together
MOST_PARTS = 2**22  # in labels that are looked at as a whole; photographs have more
Pixels = np.ndarray | StoredPixels


@dataclass(frozen=True)
class GreyFacts:
    """Grey values of an image.

    Parameters
    ----------
    first, lowest, highest : grey values; the first pixel, and the extremes (NaN where one is).
    at_highest, not_finite : numbers of pixels.
    equal_channels : whether all values along the last axis are equal.
    """

    first: np.generic
    lowest: np.generic
    highest: np.generic
    at_highest: int
    not_finite: int
    equal_channels: bool

    @property
    def is_flat(self) -> bool:
        """Whether all pixels have one value."""
        return bool(self.lowest == self.highest)

    @classmethod
    def of(cls, pixels: Pixels) -> GreyFacts:
        """Look at all pixels once, or twice where they are in a file.

        Parameters
        ----------
        pixels : of any shape.
        """
        lows, highs, odd, equal = [], [], 0, True
        for _, slab in read_slabs(pixels, most=SLAB):
            lows.append(slab.min())
            highs.append(slab.max())
            if slab.dtype.kind == "f":
                odd += int(slab.size - np.isfinite(slab).sum())
            equal = equal and bool((slab == slab[..., :1]).all())
        lowest, highest = np.min(lows), np.max(highs)
        count = count_pixels(pixels, highest)
        return cls(take_first(pixels), lowest, highest, count, odd, equal)


def take_first(pixels: Pixels) -> np.generic:
    """The first pixel."""
    return pixels[(0,) * pixels.ndim].reshape(-1)[0]


def count_pixels(pixels: Pixels, value: float) -> int:
    """The number of pixels of one value.

    Parameters
    ----------
    pixels : of any shape.
    value : that is counted.
    """
    return sum(int((slab == value).sum()) for _, slab in read_slabs(pixels, most=SLAB))


def read_borders(pixels: Pixels) -> list[np.ndarray]:
    """The first and the last pixels along Y and along X.

    Parameters
    ----------
    pixels : (*space).
    """
    ends = [(a, e) for a in (pixels.ndim - 2, pixels.ndim - 1) for e in (0, -1)]
    return [pixels[(slice(None),) * a + (e,)].ravel() for a, e in ends]


def pair_slabs(pixels: Pixels) -> Iterator[np.ndarray]:
    """Slabs that begin with the last pixels of the one before, so that all neighbours are seen.

    Parameters
    ----------
    pixels : (*space).
    """
    for place, slab in read_slabs(pixels, most=SLAB):
        start = max(place.start - 1, 0)
        yield slab if start == place.start else pixels[start : place.stop]


def are_whole(pixels: Pixels) -> bool:
    """Whether real numbers are whole and within the range of labels."""
    for _, slab in read_slabs(pixels, most=SLAB):
        finite = np.isfinite(slab).all()
        if not (finite and (slab == np.rint(slab)).all() and abs(slab).max(initial=0) < 2**31):
            return False
    return True


def list_parts(pixels: Pixels) -> tuple[np.ndarray, np.ndarray] | None:
    """Connected pixels of one value (diagonal neighbours are connected), joined across slabs.

    Parameters
    ----------
    pixels : (*space) whole numbers; those below 1 are background.

    Returns
    -------
    (P,) values and (P,) pixels of the parts; None where an image in a file has too many.
    """
    if not is_stored(pixels):
        values, sizes, _ = _label(pixels)
        return values, sizes
    values, sizes, links, count, last = [], [], [np.zeros((0, 2), np.int64)], 0, None
    for _, slab in read_slabs(pixels, most=SLAB):
        slab = slab.astype(np.int64) if slab.dtype.kind == "f" else slab
        own, size, parts = _label(slab)
        parts[parts > 0] += count
        if last is not None:
            links.append(_find_links(last, (slab[0], parts[0])))
        last = slab[-1].copy(), parts[-1].copy()
        values.append(own)
        sizes.append(size)
        count += len(own)
        if count > MOST_PARTS:
            return None
    return _join(np.concatenate(values), np.concatenate(sizes), np.concatenate(links) - 1)


def _label(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values and sizes of the parts 1 … P, and (*space) their numbers."""
    from skimage.measure import label as label_parts

    pixels = pixels if pixels.dtype.kind == "u" else np.maximum(pixels, 0)
    parts = label_parts(pixels, background=0, connectivity=pixels.ndim)
    flat = parts.ravel()
    sizes = np.bincount(flat)
    values = np.zeros(len(sizes), pixels.dtype)
    values[flat] = pixels.ravel()
    return values[1:], sizes[1:], parts


def _find_links(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """(L, 2) numbers of parts of one value that touch across two neighbouring planes.

    Each plane comes with its labels and the numbers of their parts.
    """
    pairs = []
    for shift in product((-1, 0, 1), repeat=one[0].ndim):
        near = tuple(slice(max(0, -s), min(n, n - s)) for s, n in zip(shift, one[0].shape))
        far = tuple(slice(max(0, s), min(n, n + s)) for s, n in zip(shift, one[0].shape))
        touching = (one[0][near] == other[0][far]) & (one[1][near] > 0)
        pairs.append(np.stack([one[1][near][touching], other[1][far][touching]], axis=-1))
    return np.unique(np.concatenate(pairs), axis=0)


def _join(
    values: np.ndarray, sizes: np.ndarray, links: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values and sizes of parts after those that are linked have become one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(values):
        return values, sizes
    ones = np.ones(len(links), bool)
    graph = coo_array((ones, tuple(links.T)), shape=(len(values),) * 2)
    count, group = connected_components(graph, directed=False)
    joined = np.zeros(count, values.dtype)
    joined[group] = values
    return joined, np.bincount(group, weights=sizes, minlength=count).astype(sizes.dtype)
