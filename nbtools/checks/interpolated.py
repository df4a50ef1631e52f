"""Label images that were resampled with interpolation: the values at edges belong to no nucleus.

Nearest-neighbour resampling keeps labels; linear and cubic ones put rims of intermediate values
around each nucleus. Its inner value survives, and from it the nucleus is restored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RIM_SHARE = 0.02  # of the labelled pixels, in rims of intermediate values
RIMMED_SHARE = 0.5  # of the nuclei with a value above the smallest that have such a rim
WHOLE = 1e-3  # distance from a whole number that rounding explains
PLATEAU_SHARE = 0.2  # of the largest core of one value; smaller ones lie in rims
BINARY_SHARE = 0.9  # of the pixels of cores; the rest may be noise of a JPEG
MIN_TOP = 4  # pixels of one value near the top of a region, where no core is left
BINARY_RANGE = 0.8  # inner values of a blurred mask lie between this share of the largest and it


@dataclass(frozen=True, eq=False)
class Cores:
    """The inner parts of labelled objects, in which all neighbours have one value.

    Parameters
    ----------
    values : (N,) the distinct values of cores.
    numbers : (*space) the number of the core, 1 to N, in its pixels; 0 elsewhere.
    rim_share : of the labelled pixels, those that lie in rims of intermediate values.
    rimmed_share : of the cores' objects, those that have a rim.
    regions_without : number of separate labelled regions without any core.
    """

    values: np.ndarray
    numbers: np.ndarray
    rim_share: float
    rimmed_share: float
    regions_without: int

    @property
    def is_interpolated(self) -> bool:
        """Whether rims of intermediate values surround most objects."""
        return self.rim_share >= RIM_SHARE and self.rimmed_share >= RIMMED_SHARE

    @property
    def is_binary(self) -> bool:
        """Whether all objects have nearly the same inner value, as those of a blurred mask."""
        high = self.values >= BINARY_RANGE * self.values.max()
        sizes = np.bincount(self.numbers.ravel(), minlength=len(self.values) + 1)[1:]
        return bool(sizes[high].sum() >= BINARY_SHARE * sizes.sum())


def find_cores(pixels: np.ndarray) -> Cores | None:
    """Find the inner values of labelled objects.

    Parameters
    ----------
    pixels : (*space) label image, whole or real numbers.

    Returns
    -------
    The cores; None where no object has one, or the label image has no values above 0.
    """
    from scipy import ndimage

    pixels = _snap(pixels)
    if pixels.max(initial=0) <= 0:
        return None
    constant = ndimage.maximum_filter(pixels, 3) == ndimage.minimum_filter(pixels, 3)
    constant &= (pixels > 0) & (pixels == np.rint(pixels))
    core = _drop_plateaus(np.where(constant, pixels, 0)) > 0
    inside = pixels > 0
    regions, count = ndimage.label(inside, np.ones((3,) * pixels.ndim))
    core |= _find_tops(pixels, regions, core)
    values = np.unique(pixels[core])
    if not len(values):
        return None
    numbers = np.where(core, np.searchsorted(values, pixels) + 1, 0)
    # what a core's value reaches from it without a step belongs to its object
    own = _grow_within(numbers, pixels, values)
    rim = inside & (own == 0)
    higher = ndimage.maximum_filter(np.where(own > 0, pixels, 0), 3)
    rim &= higher > pixels
    with_core = np.unique(regions[core])
    touching = np.unique(own[ndimage.maximum_filter(rim, 3) & (own > 0)])
    above = values > values.min()
    rimmed = np.isin(np.flatnonzero(above) + 1, touching).mean() if above.any() else 0.0
    if len(values) == 1:
        rimmed = float(len(touching))
    share = float(rim.sum() / inside.sum())
    return Cores(values, numbers, share, float(rimmed), count - len(with_core))


def restore_values(pixels: np.ndarray) -> np.ndarray | None:
    """Give each pixel of an interpolated label image the inner value of its nucleus.

    A pixel belongs to the nearest core of its region; where it borders the background, its value
    must reach half of the inner value, which is where the edge was before interpolation.

    Parameters
    ----------
    pixels : (*space) interpolated labels.

    Returns
    -------
    (*space) int32; None where a region has no inner value that is a whole number.
    """
    from scipy import ndimage

    pixels = _snap(pixels)
    cores = find_cores(pixels)
    if cores is None:
        return None
    inside = pixels > 0
    places = ndimage.distance_transform_edt(
        cores.numbers == 0, return_distances=False, return_indices=True
    )
    value = cores.values[cores.numbers[tuple(places)] - 1]
    kept = inside & (2 * pixels >= value)
    restored = np.where(kept, value, 0).astype(np.int32)
    restored[_are_astray(restored, cores.numbers > 0)] = 0
    regions, count = ndimage.label(inside, np.ones((3,) * pixels.ndim))
    lost = np.setdiff1d(np.arange(1, count + 1), np.unique(regions[restored > 0]))
    sizes = np.bincount(regions.ravel())
    return None if len(lost) and sizes[lost].max() > 2 else restored


def _drop_plateaus(core: np.ndarray) -> np.ndarray:
    """Core values without plateaus in rims: small ones of a value that has a large core."""
    from skimage.measure import label

    parts = label(core, background=0, connectivity=core.ndim)
    sizes = np.bincount(parts.ravel())
    values = np.zeros(len(sizes), core.dtype)
    values[parts] = core
    known, own = np.unique(values, return_inverse=True)
    largest = np.zeros(len(known), int)
    np.maximum.at(largest, own[1:], sizes[1:])
    kept = sizes >= PLATEAU_SHARE * largest[own]
    kept[0] = False
    return np.where(kept[parts], core, 0)


def _find_tops(pixels: np.ndarray, regions: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Pixels of the most frequent value near the top of each region that has no core."""
    from scipy import ndimage

    tops = np.zeros(core.shape, bool)
    with_core = set(np.unique(regions[core]).tolist())
    for number, box in enumerate(ndimage.find_objects(regions), start=1):
        if number in with_core or box is None:
            continue
        own = regions[box] == number
        high = own & (pixels[box] >= BINARY_RANGE * pixels[box][own].max())
        values, counts = np.unique(pixels[box][high], return_counts=True)
        value = values[counts.argmax()]
        if counts.max() >= MIN_TOP and value == np.rint(value):
            tops[box] |= own & (pixels[box] == value)
    return tops


def _are_astray(restored: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Pixels of pieces apart from any core: between two nuclei, rims are near the wrong one."""
    from skimage.measure import label

    parts = label(restored, background=0, connectivity=restored.ndim)
    has_core = np.zeros(parts.max() + 1, bool)
    has_core[parts[core]] = True
    return ~has_core[parts]


def _snap(pixels: np.ndarray) -> np.ndarray:
    """Real numbers that are whole but for rounding errors of resampling, as whole numbers."""
    if pixels.dtype.kind != "f":
        return pixels
    pixels = np.nan_to_num(pixels)
    whole = np.rint(pixels)
    return np.where(np.abs(pixels - whole) < WHOLE, whole, pixels)


def _grow_within(numbers: np.ndarray, pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Numbers of cores, grown to all connected pixels of the same value."""
    from skimage.measure import label

    known = np.isin(pixels, values)
    exact = np.where(known, np.searchsorted(values, np.where(known, pixels, values[0])) + 1, 0)
    parts = label(exact, background=0, connectivity=pixels.ndim)
    has_core = np.zeros(parts.max() + 1, bool)
    has_core[np.unique(parts[numbers > 0])] = True
    has_core[0] = False
    return np.where(has_core[parts], exact, 0)
