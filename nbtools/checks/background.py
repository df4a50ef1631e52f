"""Checks of what stands for the background in a label image, and for what is unknown.

A check takes a View and Requirements and yields findings; add it to BACKGROUND_CHECKS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nbtools.checks.finding import Finding, Requirements, View
from nbtools.checks.slabs import count_pixels, pair_slabs, read_borders
from nbtools.geometry import face_neighbours

BORDER_SHARE = 0.5  # of the image's border that the background reaches
ENCLOSES = 4.0  # contacts of nuclei with the background over those with 0
MIN_SOLIDITY = 0.85  # of a hole in a mask that may be a nucleus; gaps between nuclei are concave
MIN_OBJECT = 10  # pixels; smaller holes are no nuclei
UNKNOWN_VALUES = (254, 255, 65534, 65535, 2**31 - 1, 2**32 - 1)  # largest values of file types
OVERSIZED, OVERSIZED_SHARE = 20.0, 0.05  # over the median nucleus; of the image
UNKNOWN_SIZE = 8.0  # times the median nucleus, above which the largest value may mean "unknown"


@dataclass(frozen=True)
class Background:
    """A value above 0 that stands for the background.

    Parameters
    ----------
    value : the number.
    inverted : whether nuclei have the value 0: a mask with the values exchanged.
    """

    value: int
    inverted: bool


def find_background_label(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find a label that surrounds all others: background that is not 0."""
    background = measure_background(view)
    if background is None:
        return
    pixels = view.label.pixels
    size = count_pixels(pixels, background.value) / pixels.size
    message = (
        f"The value {background.value} covers {size:.0%} of the image, reaches all its sides and "
        "surrounds the others: it is the background, which must be 0"
    )
    repair = "makes it 0"
    if background.inverted:
        repair += ", and numbers the nuclei; touching nuclei must be split by hand"
    yield Finding(
        "background_label",
        "error",
        view.label_file,
        f"{message}{'; the nuclei are 0 (an inverted mask)' if background.inverted else ''}.",
        f"nbtools check --fix {repair}.",
    )


def find_no_background(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find label images in which everything but the nuclei is marked -1, unknown."""
    if view.regions is None or not len(view.regions.values):
        return
    pixels = view.label.pixels
    if count_pixels(pixels, 0) or not count_pixels(pixels, -1):
        return
    yield Finding(
        "no_background",
        "warning",
        view.label_file,
        "No pixel is background (0): all outside the nuclei is -1, which means unknown.",
        "Use 0 for the background, if it is known; mark some of it, if it is not.",
    )


def find_unknown_label(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find the largest value of the file type, used for pixels that were not annotated."""
    value = measure_unknown(view)
    if value is not None:
        share, times = _measure_size(view, value)
        yield Finding(
            "unknown_label",
            "error",
            view.label_file,
            (
                f"The value {value} covers {share:.0%} of the image, {times:.0f} times the median "
                "nucleus: it seems to mark what is unknown. Here, -1 marks that."
            ),
            f"nbtools check --fix replaces {value} by -1.",
        )


def find_oversized(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find a nucleus out of all proportion to the others of its own image."""
    regions = view.regions
    if regions is None or len(regions.values) < 4 or measure_unknown(view) is not None:
        return
    background = measure_background(view)
    value = int(regions.values[regions.sizes.argmax()])
    share, times = _measure_size(view, value)
    if background is not None or times < OVERSIZED or share < OVERSIZED_SHARE:
        return
    yield Finding(
        "oversized_label",
        "warning",
        view.label_file,
        (
            f"The nucleus {value} covers {share:.0%} of the image, {times:.0f} times the median "
            "nucleus of this image."
        ),
        (
            "Look at it: joined nuclei must be split. If it marks what is unknown, nbtools check "
            f"--fix COPY --unknown {value} replaces it by -1."
        ),
    )


def measure_background(view: View) -> Background | None:
    """Find the value above 0 that stands for the background.

    Parameters
    ----------
    view : with a label image.

    Returns
    -------
    The background; None where 0 is the background, as it should be, or nothing surrounds the
    nuclei.
    """
    regions = view.regions
    if regions is None or not len(regions.values) or view.label.pixels.ndim > 3:
        return None
    pixels, value = view.label.pixels, regions.values[regions.sizes.argmax()]
    count = count_pixels(pixels, value)
    if count < 0.2 * pixels.size or count == pixels.size:
        return None
    sides = [side == value for side in read_borders(pixels)]
    border = np.concatenate(sides)
    if not all(side.any() for side in sides) or border.mean() < BORDER_SHARE:
        return None
    if len(regions.values) == 1:
        inverted = pixels.min() >= 0 and _shows_nuclei(view.near.label.pixels == 0)
        return Background(int(value), inverted=True) if inverted else None
    with_value, with_zero = _count_contacts(pixels, int(value))
    return Background(int(value), False) if with_value > ENCLOSES * with_zero else None


def measure_unknown(view: View) -> int | None:
    """Find the value that stands for unknown pixels: the largest of the file type, far off.

    Parameters
    ----------
    view : with a label image.

    Returns
    -------
    The value; None where there is none.
    """
    regions = view.regions
    if regions is None or len(regions.values) < 3:
        return None
    value, highest = int(regions.values[-1]), int(regions.values[-2])
    if value not in UNKNOWN_VALUES or value - highest < max(10, highest // 4):
        return None
    others = regions.part_sizes[regions.part_values != value]
    if np.median(others) < MIN_OBJECT or measure_background(view) is not None:
        return None  # specks are the edges of a blurred mask
    return value if _measure_size(view, value)[1] > UNKNOWN_SIZE else None


def _measure_size(view: View, value: int) -> tuple[float, float]:
    """Share of the image that a label covers, and its size over the median of the others."""
    regions = view.regions
    own = regions.values == value
    others = float(np.median(regions.sizes[~own])) if (~own).any() else np.inf
    size = float(regions.sizes[own].sum())
    return size / view.label.pixels.size, size / others


def _count_contacts(pixels: np.ndarray, value: int) -> tuple[int, int]:
    """Neighbouring pixels of other labels and `value`, and of other labels and 0."""
    with_value = with_zero = 0
    for number, slab in enumerate(pair_slabs(pixels)):
        for axis, (near, far) in enumerate(face_neighbours(pixels.ndim)):
            seen = slice(1 if number and axis else 0, None)  # its first plane was in the last slab
            one, other = slab[near][seen], slab[far][seen]
            differ = one != other
            one, other = one[differ], other[differ]
            others = ((one > 0) & (one != value)) | ((other > 0) & (other != value))
            with_value += int((((one == value) | (other == value)) & others).sum())
            with_zero += int((((one == 0) | (other == 0)) & others).sum())
    return with_value, with_zero


def _shows_nuclei(zeros: np.ndarray) -> bool:
    """Whether the pixels of value 0 are separate round objects, as nuclei, not gaps between."""
    from skimage.measure import label, regionprops

    objects = [r for r in regionprops(label(zeros, connectivity=1)) if r.area >= MIN_OBJECT]
    inner = [r for r in objects if _is_inside(r.bbox, zeros.shape)]
    if not inner:
        return False
    sizes = np.array([r.area for r in objects])
    if sizes.max() > 0.5 * zeros.size:
        return False
    fullness = [r.area_filled / max(r.area_convex, 1) for r in inner[:50]]
    return float(np.median(fullness)) >= MIN_SOLIDITY


def _is_inside(box: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a box does not touch the border in Y and X."""
    ndim = len(shape)
    return all(box[a] > 0 and box[ndim + a] < shape[a] for a in (ndim - 2, ndim - 1))


BACKGROUND_CHECKS = [
    find_background_label,
    find_no_background,
    find_unknown_label,
    find_oversized,
]
