"""Checks of one image.

A check takes a View and Requirements and yields findings; add it to IMAGE_CHECKS.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.checks.finding import Finding, Requirements, View
from nbtools.checks.large import describe_parts
from nbtools.checks.slabs import GreyFacts
from nbtools.data import doubt_time
from nbtools.io.series import list_names
from nbtools.io.stored import StoredPixels

SATURATED_SHARE = 0.01
FULL_SCALES = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))


def find_not_finite(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find NaN and infinity."""
    count = view.greys.not_finite
    if count:
        yield Finding(
            "not_finite",
            "error",
            view.file,
            f"{count} pixels are NaN or infinite.",
            (
                "nbtools check --fix replaces them by the median of the image; or find out where "
                "they come from."
            ),
        )


def find_colour(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Find colours or channels where fewer are needed, and grey images stored as colours."""
    image = view.image
    allowed = requirements.channels
    allowed = (allowed,) if isinstance(allowed, int) else allowed
    if image.is_rgb and view.greys.equal_channels:
        yield Finding(
            "grey_as_rgb",
            "note" if allowed is None or 3 in allowed else "error",
            view.file,
            "A grey image is stored as colours: all three channels are equal.",
            "nbtools check --fix keeps one of them; or read one with --channel 0.",
        )
    elif image.is_rgb and (allowed is None or 3 not in allowed):
        yield Finding(
            "rgb",
            "note" if allowed is None else "error",
            view.file,
            "The image has colours (RGB); most methods work on one grey channel.",
            "Choose one with --channel 0, 1 or 2, or use a method that accepts colours.",
        )
    elif not image.is_rgb and allowed is not None and image.size("C") not in allowed:
        names = f" ({', '.join(image.channels)})" if image.channels else ""
        yield Finding(
            "several_channels",
            "error",
            view.file,
            f"The image has {image.size('C')} channels{names}; one is needed.",
            f"Choose one with --channel 0 to {image.size('C') - 1}, or by name.",
        )


def find_time_series(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Find movies, whose time points may be the slices of a volume; methods learn from images."""
    count = view.image.size("T")
    doubt = doubt_time(view.image, view.label)
    learns = requirements.needs not in ("nothing", "clean")
    if count < 2 or not (learns or doubt):
        return
    dims = len(view.image.axes)
    message = f"The image is a movie of {count} time points ({dims} dimensions, {view.image.axes})."
    remedy = "Choose one with --time 0, or treat each as an image with --time all."
    if doubt:
        slices = f"If they are the slices of a volume, name the axes: --axes {doubt.axes}."
        sign = (
            "its labels go on from plane to plane" if doubt.continuous else "no interval is known"
        )
        message += f" They may be slices, since {sign}."
        remedy = f"{slices} Otherwise choose one with --time 0, or take each with --time all."
    yield Finding("time_series", "error" if learns else "note", view.file, message, remedy)


def find_wrong_dimensions(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Find 2D images where 3D is needed, or the other way round."""
    dims = len(view.image.spatial)
    if dims not in requirements.dims:
        needed = " or ".join(f"{d}D" for d in requirements.dims)
        yield Finding(
            "wrong_dimensions",
            "error",
            view.file,
            f"The image is {dims}D ({view.image.axes}); {needed} is needed.",
            "Choose a method for it, or correct the axes with --axes.",
        )


def find_empty(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find images with a single grey value."""
    if view.greys.is_flat:
        yield Finding(
            "empty_image",
            "warning",
            view.file,
            f"The image is empty: every pixel is {view.greys.first:g}.",
            "Export it again, or remove it and its labels.",
        )


def find_saturated(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find images with many pixels at the largest value; not in colours, where white is normal."""
    share = 0.0 if view.image.is_rgb else _share_at_full_scale(view.greys, view.image.pixels)
    if share > SATURATED_SHARE:
        yield Finding(
            "saturated",
            "warning",
            view.file,
            (
                f"{share:.1%} of the pixels are at the largest value, {view.greys.highest}: "
                "brightness there is lost."
            ),
            (
                "Use the original file, not one with stretched contrast; or acquire the image "
                "again with less light or a shorter exposure."
            ),
        )


def measure_saturation(pixels: np.ndarray) -> float:
    """Measure the share of pixels at the largest value that a camera or a file can hold.

    Parameters
    ----------
    pixels : grey values of any shape.

    Returns
    -------
    0 to 1; 0 where the largest value is not a full scale of 8, 10, 12, 14 or 16 bits.

    Examples
    --------
    >>> measure_saturation(np.array([0, 10, 255, 255], np.uint8))
    0.5
    """
    return _share_at_full_scale(GreyFacts.of(pixels), pixels)


def _share_at_full_scale(greys: GreyFacts, pixels: np.ndarray | StoredPixels) -> float:
    if pixels.dtype.kind not in "iu" or int(greys.highest) not in FULL_SCALES or greys.is_flat:
        return 0.0
    return greys.at_highest / pixels.size


def find_small(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Find images smaller than the training patch."""
    if requirements.patch_size is None:
        return
    shape, wanted = view.image.space_shape, requirements.patch_size
    wanted = (wanted,) * min(2, len(shape)) if isinstance(wanted, int) else tuple(wanted)
    if any(n < w for n, w in zip(shape[::-1], wanted[::-1], strict=False)):
        yield Finding(
            "smaller_than_patch",
            "warning",
            view.file,
            (
                f"The image, {' x '.join(map(str, shape))} pixels, is smaller than the patch, "
                f"{' x '.join(map(str, wanted))}."
            ),
            (
                f"Set patch_size to {max(1, min(shape[-2:]) // 16) * 16} or less, or use larger "
                "images."
            ),
        )


def find_several_images(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find files that hold several images (positions, scenes), of which none was chosen."""
    if "series" in view.guesses:
        yield Finding(
            "several_images",
            "warning",
            view.file,
            f"The file holds {len(view.series)} images: {list_names(view.series)}. Only the first "
            "was looked at here; other verbs refuse the file until one is chosen.",
            f"Choose one with --series 0 (or a name: --series {view.series[-1]}), or take each as "
            "an image of its own with --series all.",
        )


def find_gaps(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find images with places that no tile of the microscope covers."""
    if "gaps" in view.guesses:
        yield Finding(
            "gaps",
            "warning",
            view.file,
            "Some pixels were never written, since no tile lies there; they are 0 here.",
            "Cut the image to where tiles lie, or leave out nuclei that touch the gaps.",
        )


def find_large(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Say what was looked at where an image is larger than the memory."""
    for message, remedy in describe_parts(view):
        yield Finding("checked_in_parts", "note", view.file, message, remedy)


IMAGE_CHECKS = [
    find_large,
    find_not_finite,
    find_colour,
    find_time_series,
    find_wrong_dimensions,
    find_empty,
    find_saturated,
    find_small,
    find_several_images,
    find_gaps,
]
