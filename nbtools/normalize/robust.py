"""A scale of grey values that does not depend on which share of the field is bright or broken.

On usual fields it is the scale by percentiles 1 and 99.8. It differs where these would follow
something else than nuclei: margins and burned-in marks are left out, as are single pixels that
stand out of their neighbourhood and objects far brighter than most objects; where objects are rare,
the brighter part of their own pixels decides, not a share of the whole field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.normalize.constant import leave_out_constant
from nbtools.normalize.field import Field, sample_field, weighted_median

LOW, HIGH = 1.0, 99.8  # percentiles of the field
RARE = 0.02  # share of the field below which objects count as if they had it
CERTAIN = 15.0  # times the noise: where objects begin later, the background is not known
FEW = 5  # samples; fewer are no object
FAR, GAP, APART = 8.0, 2.2, 3.0  # times brighter than most objects, or than the next one
CLEAR = 3.0  # times higher than an object must be to show what objects look like
LEVELS = 8  # grey values that it must be high
TINY = 0.04  # of the area of most objects; smaller ones are specks
BRIGHT_FIELD = 0.6  # of the contrast, above which the median of a bright field lies
MINORITY = 0.25  # of all objects, of those beyond a gap
EMPTY = 15.0  # times the noise that an image without objects spans at least
HIGHEST = 4.0  # of scaled values: brighter ones would reach far into a network


@dataclass(frozen=True)
class Levels:
    """What grey values of one channel mean.

    Parameters
    ----------
    dark : grey value that becomes 0.
    bright : grey value that becomes 1.
    field : the sample they were measured on.
    """

    dark: float
    bright: float
    field: Field

    @property
    def span(self) -> float:
        """From dark to bright; 1 for a constant channel."""
        return self.bright - self.dark if self.bright > self.dark else 1.0


def find_levels(grey: np.ndarray) -> Levels:
    """Measure one channel.

    Parameters
    ----------
    grey : (*space) finite grey values; they may be in a file.
    """
    return find_levels_in(sample_field(grey))


def find_levels_in(field: Field) -> Levels:
    """Measure one channel, by its sample."""
    leave_out_constant(field)
    known = field.valid
    if is_bright_field(field):
        return _plain_levels(field)
    objects = field.objects
    known = known & ~find_strange(field)
    if known.sum() < FEW:
        known = np.ones(field.raw.shape, bool)
    values = leave_out_single(field, known)
    dark, bright = np.percentile(values[known], (LOW, HIGH))
    objects = objects & known
    share, count = objects.sum() / known.sum(), objects.sum()
    if field.least <= CERTAIN * field.noise and share < RARE:
        least = dark + EMPTY * field.noise if field.noise and count < FEW else dark
        if count >= FEW:
            least = np.percentile(values[objects], 100 - (100 - HIGH) / RARE)
        bright = max(bright, least)
    return Levels(float(dark), float(bright), field)


def is_bright_field(field: Field) -> bool:
    """Whether most of the field is bright: what is bright in it are no objects."""
    low, middle, high = np.percentile(field.smooth[field.valid], (LOW, 50, HIGH))
    return bool(middle - low > BRIGHT_FIELD * (high - low))


def _plain_levels(field: Field) -> Levels:
    values = leave_out_single(field, field.valid)
    dark, bright = np.percentile(values[field.valid], (LOW, HIGH))
    return Levels(float(dark), float(bright), field)


def leave_out_single(field: Field, known: np.ndarray) -> np.ndarray:
    """(Z, y, x) grey values of the samples; far from their neighbours, the median of these."""
    dark, bright = np.percentile(field.smooth[known], (LOW, HIGH))
    far = np.abs(field.raw - field.smooth) > max(bright - dark, 8 * field.noise)
    return np.where(far, field.smooth, field.raw)


def find_strange(field: Field) -> np.ndarray:
    """Find objects far brighter than most objects: dead cells, debris, dust.

    Parameters
    ----------
    field : with its objects.

    Returns
    -------
    (Z, y, x) bool.
    """
    nothing = np.zeros(field.raw.shape, bool)
    number, area, height = measure_objects(field, field.least)
    if len(area) and area.max() > 0.5 * area.sum():
        middle = float(np.median(field.height[field.objects]))
        number, area, height = measure_objects(field, max(field.least, middle / 4))
    clear = is_clear(area, height, field=field)
    if clear.sum() < 2:
        return nothing
    strange = height > find_limit(area[clear], height[clear])
    if not strange.any():
        return nothing
    return ndimage.binary_dilation(np.append(False, strange)[number], iterations=2)


def is_clear(area: np.ndarray, height: np.ndarray, *, field: Field) -> np.ndarray:
    """(n,) bool: objects well above the noise, and not tiny beside the others."""
    if not len(area):
        return np.zeros(0, bool)
    order = np.sort(area)
    large = area >= TINY * weighted_median(order, order)
    return large & (height > max(CLEAR * field.least, LEVELS * field.quantum))


def measure_objects(field: Field, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Z, y, x) numbers of connected objects, and area and largest height of each."""
    objects = (field.height > least) & field.valid
    number, count = ndimage.label(objects)
    inside = number[objects]
    area = np.bincount(inside, minlength=count + 1)[1:]
    height = np.zeros(count + 1, np.float32)
    np.maximum.at(height, inside, field.height[objects])
    large = np.append(False, area >= FEW)
    order = np.where(large, np.cumsum(large), 0)
    return order[number], area[large[1:]], height[1:][large[1:]]


def find_limit(area: np.ndarray, height: np.ndarray) -> float:
    """Height beyond which objects are no nuclei as the others.

    Parameters
    ----------
    area, height : of each object.

    Examples
    --------
    >>> find_limit(np.full(20, 50), np.array([1.0] * 19 + [30.0]))
    1.01
    """
    order = np.argsort(height)
    height, area = height[order], area[order]
    usual = weighted_median(np.sort(area), np.sort(area)) / 4
    weight = np.minimum(area, usual)
    typical = weighted_median(height, weight)
    limit, beyond = FAR * typical, np.cumsum(weight[::-1])[::-1] / weight.sum()
    gaps = (height[1:] > GAP * height[:-1]) & (height[1:] > APART * typical)
    gaps &= beyond[1:] < MINORITY
    if gaps.any():
        limit = min(limit, float(height[:-1][gaps][0]) * 1.01)
    return limit
