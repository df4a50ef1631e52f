"""Checks of an image with its label image: swapped, shifted, holes, cut or dark nuclei, sizes.

A check takes a View and Requirements and yields findings; add it to PAIR_CHECKS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nbtools import io
from nbtools.checks.background import measure_background
from nbtools.checks.finding import Finding, Regions, Requirements, View
from nbtools.checks.slabs import read_borders
from nbtools.geometry import crop_centre, equivalent_diameter
from nbtools.image import Image

MIN_SHIFT_PX = 3  # px
MAX_CUT_SHARE = 0.75
MAX_HOLES_SHARE = 0.02
BRIGHTER_PERCENTILE = 98  # of a nucleus: what is brighter is no part of it
SMALL_NUCLEI_PX = 6  # px across
CROP_PX = 1024  # the centre of a larger plane is used


def find_swapped(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find labels in images/ with the image in labels/, or the image itself as its label image."""
    label, image = view.label, view.image
    if label is None or label.is_rgb or label.shape != image.shape:
        return
    if is_image_itself(view):
        yield Finding(
            "label_is_image",
            "error",
            view.label_file,
            "The label image is the image itself, pixel by pixel.",
            "Replace it by the label image.",
        )
    elif is_swapped(view):
        yield Finding(
            "swapped",
            "error",
            view.file,
            "The image holds labels and the label image grey values: they are swapped.",
            "nbtools check --fix swaps the two; or exchange the files.",
        )


def find_shift(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find labels that fit the image better after a shift: an error where they lie beside it."""
    shift = find_displacement(view)
    if shift is not None:
        severity = "error" if view.fit.misplaced else "warning"
        yield _describe_shift(view, shift, severity=severity)


def find_displacement(view: View) -> tuple[int, ...] | None:
    """Find by how much the labels are shifted, along the last axes of the image.

    Parameters
    ----------
    view : image and label.

    Returns
    -------
    (y, x) or (z, y, x) in px; None where there is no shift, or no certain one.
    """
    if not _is_comparable(view) or is_swapped(view) or view.fit is None or view.fit.turned:
        return None
    fit = view.fit
    if fit.shifted:
        return tuple(-s for s in fit.shift)
    shift, gain = measure_shift(view.near.image, view.near.label)
    if max(map(abs, shift)) < MIN_SHIFT_PX or gain <= 1.25:
        return None
    # labels of another image may happen to fit somewhere: two measures must agree on the place
    apart = np.abs(np.add(fit.shift[-2:], shift)).max()
    return None if fit.misplaced and apart > MIN_SHIFT_PX else shift


def find_beside(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Find only those shifts after which labels lie beside their nuclei: quick where they fit."""
    if view.fit is not None and view.fit.misplaced:
        yield from find_shift(view, requirements)


def is_beside(view: View) -> bool:
    """Whether labels lie beside their nuclei, and a shift explains it."""
    misplaced = view.fit is not None and view.fit.misplaced
    return misplaced and find_displacement(view) is not None


def _describe_shift(view: View, shift: Sequence[int], *, severity: str) -> Finding:
    """The finding for labels that lie away from their nuclei by a shift along the last axes."""
    axes = view.image.spatial[-len(shift) :]
    along = [f"{s:+d} px in {a}" for s, a in zip(shift, axes, strict=True)]
    return Finding(
        "shifted_label",
        severity,
        view.label_file,
        (
            f"The labels are shifted by {', '.join(along[:-1])} and {along[-1]} against the "
            "nuclei of the image."
        ),
        (
            "Check that both were cropped and registered in the same way, and that the labels "
            "belong to this image."
        ),
    )


def find_holes(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find background that is enclosed by one nucleus."""
    if view.regions is None or not len(view.regions.values) or not _is_comparable(view):
        return
    if view.label_file and not io.is_image(view.label_file):
        return  # a hole that was drawn is meant
    view = view.near
    count = int((fill_holes(view.label, view.image).pixels != view.label.pixels).sum())
    if count > MAX_HOLES_SHARE * view.regions.sizes.sum():
        yield Finding(
            "holes",
            "warning",
            view.label_file,
            f"The labels have holes, {count} pixels in total.",
            "nbtools check --fix fills them; holes change areas and distances to the edge.",
        )


def find_cut(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find images in which most nuclei are cut by the border."""
    if view.regions is None or not _is_comparable(view):
        return
    border = np.concatenate(read_borders(view.label.pixels))
    cut, count = len(np.setdiff1d(border, [0, -1])), len(view.regions.values)
    if count >= 4 and cut > MAX_CUT_SHARE * count:
        yield Finding(
            "cut_objects",
            "note",
            view.label_file,
            f"{cut} of {count} nuclei are cut by the border of the image.",
            (
                "Use larger images or tiles where you can; leave out cut nuclei when you measure "
                "sizes."
            ),
        )


def find_dark(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find nuclei darker than their surroundings."""
    if not _is_comparable(view) or is_swapped(view):
        return
    view = view.near
    grey, inside = project_to_plane(view.image), view.label.pixels > 0
    inside = inside if inside.ndim == 2 else inside.any(axis=0)
    if 0 < inside.mean() < 0.9 and np.median(grey[inside]) < np.percentile(grey[~inside], 25):
        yield Finding(
            "dark_nuclei",
            "note",
            view.file,
            "The nuclei are darker than the background.",
            (
                "Nothing to do if all images are like this; weights trained on bright nuclei need "
                "the inverted image."
            ),
        )


def find_size(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Find nuclei too large for the patch or the receptive field, or of a few pixels only."""
    diameter = measure_diameter(view)
    if diameter is None or not _is_comparable(view):
        return
    patch = requirements.patch_size
    patch = min(patch[-2:]) if isinstance(patch, tuple) else patch
    # Only for labels: a denoiser learns noise from any part of an image.
    if requirements.needs == "labels" and patch is not None and diameter > patch / 2:
        yield Finding(
            "nuclei_large_for_patch",
            "warning",
            view.label_file,
            (
                f"Nuclei are {diameter:.0f} px across, more than half of the patch ({patch} px): "
                "few patches contain a whole nucleus."
            ),
            f"Set patch_size to {_next_16(3 * diameter)} or more.",
        )
    field = requirements.receptive_field
    if field is not None and diameter > field:
        yield Finding(
            "nuclei_large_for_network",
            "warning",
            view.label_file,
            (
                f"Nuclei are {diameter:.0f} px across, the receptive field of the network is "
                f"{field} px: it is too small to find the edges of a nucleus."
            ),
            "Use a deeper network, or scale the images down with --diameter.",
        )
    if diameter < SMALL_NUCLEI_PX:
        yield Finding(
            "small_nuclei",
            "note",
            view.label_file,
            f"Nuclei are only {diameter:.1f} px across: too small to show their shape.",
            "Record at a higher magnification, or scale the images up with --diameter.",
        )


def is_image_itself(view: View) -> bool:
    """Whether the label image equals the image, which has more grey values than nuclei."""
    view = view.near
    image, label = view.image.pixels, view.label.pixels
    if (
        label.shape != image.shape
        or label.dtype != image.dtype
        or not (label == image).all()
        or view.regions is None
    ):
        return False
    return len(view.regions.part_values) > 2 * len(view.regions.values) > 4


def is_swapped(view: View) -> bool:
    """Whether each value of the image is one region, and values of the label image are not."""
    view = view.near
    image, label = view.image, view.regions
    if (
        label is None
        or image.is_rgb
        or image.pixels.dtype.kind not in "iu"
        or len(label.values) < 8
    ):
        return False
    if len(label.part_values) < 3 * len(label.values) or (image.pixels == 0).mean() < 0.05:
        return False
    regions = Regions.of(image.pixels)
    return len(regions.values) >= 2 and len(regions.part_values) <= 1.2 * len(regions.values)


def measure_shift(image: Image, label: Image) -> tuple[tuple[int, int], float]:
    """Measure by how much the labels are shifted against the image.

    Foreground and grey values are cross-correlated by the Fourier transform, in the central
    CROP_PX.

    Parameters
    ----------
    image : any axes; averaged to (Y, X).
    label : (Z, Y, X) or (Y, X).

    Returns
    -------
    Shift (y, x) in px, up to an eighth of the image, and the correlation there relative to that
    without a shift; ((0, 0), 1.0) where no shift is certain.
    """
    grey, inside = project_to_plane(image), label.pixels > 0
    inside = inside if inside.ndim == 2 else inside.mean(axis=0)
    grey, inside = (crop_centre(plane, (CROP_PX,) * 2) for plane in (grey, inside))
    inside = inside.astype(np.float32)
    if not 0.005 < inside.mean() < 0.8 or grey.min() == grey.max():
        return (0, 0), 1.0
    low, high = np.percentile(grey, (1, 99))
    grey = np.clip(grey, low, high)
    # Cross-correlation at all shifts at once; its magnitude, since nuclei may be the darker part.
    product = np.fft.rfft2(inside - inside.mean()) * np.conj(np.fft.rfft2(grey - grey.mean()))
    fit = np.abs(np.fft.irfft2(product, s=grey.shape)) / (
        inside.std() * grey.std() * grey.size + 1e-12
    )
    reach = [max(MIN_SHIFT_PX + 1, n // 8) for n in grey.shape]
    rows, columns = (np.r_[-r : r + 1] for r in reach)
    near = fit[np.ix_(rows % grey.shape[0], columns % grey.shape[1])]
    place = np.unravel_index(near.argmax(), near.shape)
    shift = int(rows[place[0]]), int(columns[place[1]])
    return (shift, float(near.max() / max(fit[0, 0], 1e-6))) if near.max() > 0.4 else ((0, 0), 1.0)


def measure_diameter(view: View) -> float | None:
    """Measure the median diameter of the nuclei: that of a disc or ball of as many pixels.

    Parameters
    ----------
    view : image and label.

    Returns
    -------
    px of the finest axis; None without labels, and where the label image is a mask.
    """
    regions = view.regions
    if (
        regions is None
        or not len(regions.values)
        or is_swapped(view)
        or len(regions.values) < len(regions.part_values) / 2
    ):
        return None
    size, ndim = float(np.median(regions.sizes)), view.label.pixels.ndim
    if ndim == 3 and view.label.shape == view.image.space_shape:
        size *= float(np.prod(view.image.relative_spacing))
    return float(equivalent_diameter(size, ndim))


def fill_holes(label: Image, image: Image | None = None) -> Image:
    """Assign enclosed background to the nucleus around it, plane by plane in a volume.

    A hole that is larger than its nucleus, or brighter than nearly all of it, stays: it may be
    another nucleus, or what is labelled is not a nucleus.

    Parameters
    ----------
    label : (Z, Y, X) or (Y, X) label image.
    image : of the same space; without it, brightness is not looked at.

    Returns
    -------
    A new label image of the same axes.
    """
    from scipy import ndimage

    filled, grey = label.pixels.copy(), _average_channels(image)
    for z, plane in enumerate(filled if filled.ndim == 3 else [filled]):
        if (ndimage.binary_fill_holes(plane != 0) == (plane != 0)).all():
            continue  # the usual case, fast
        values = np.where(plane > 0, plane, 0).astype(np.int64)
        numbers = np.unique(values)
        compact = np.searchsorted(numbers, values)
        compact = compact if numbers[0] == 0 else compact + 1
        shades = None if grey is None else grey[z] if filled.ndim == 3 else grey
        for n, box in enumerate(ndimage.find_objects(compact), start=1):
            if box is not None and (compact[box] == 0).any():
                own = compact[box] == n
                holes = ndimage.binary_fill_holes(own) & (plane[box] == 0)
                holes &= _are_fillable(holes, own, None if shades is None else shades[box])
                plane[box][holes] = plane[box][own][0]
    return label.replace(pixels=filled)


def _are_fillable(holes: np.ndarray, own: np.ndarray, grey: np.ndarray | None) -> np.ndarray:
    """Pixels of holes that are smaller than their nucleus and not brighter than it."""
    from scipy import ndimage

    parts, count = ndimage.label(holes)
    sizes = np.bincount(parts.ravel())
    fillable = sizes < own.sum()
    if grey is not None and count:
        levels = ndimage.median(grey, parts, np.arange(1, count + 1))
        fillable[1:] &= levels <= np.percentile(grey[own], BRIGHTER_PERCENTILE)
    fillable[0] = False
    return fillable[parts]


def _average_channels(image: Image | None) -> np.ndarray | None:
    """(*space) grey values; None for colours, where bright is white, and for movies."""
    if image is None or image.is_rgb or "T" in image.axes:
        return None
    return image.pixels.mean(axis=image.axes.index("C")) if "C" in image.axes else image.pixels


def project_to_plane(image: Image) -> np.ndarray:
    """Average all axes but Y and X: (Y, X) grey values."""
    others = tuple(i for i, a in enumerate(image.axes) if a not in "YX")
    return np.nan_to_num(
        image.pixels.mean(axis=others) if others else image.pixels.astype(np.float32)
    )


def _is_comparable(view: View) -> bool:
    """Whether the labels can be compared with the image: same grid, no movie, neither is empty."""
    return view.comparison is not None and measure_background(view) is None


def _next_16(length: float) -> int:
    return int(-(-length // 16) * 16)


PAIR_CHECKS = [find_swapped, find_shift, find_holes, find_cut, find_dark, find_size]
