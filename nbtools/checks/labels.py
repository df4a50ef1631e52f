"""Checks of one label image or clean image.

A check takes a View and Requirements and yields findings; add it to PARTNER_CHECKS.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.checks.background import measure_background, measure_unknown
from nbtools.checks.correspondence import find_turn_to_shape
from nbtools.checks.finding import Finding, Regions, Requirements, View
from nbtools.checks.image_label_pairs import is_image_itself, is_swapped
from nbtools.checks.interpolated import Cores, find_cores
from nbtools.checks.other_tools import find_label_notes, find_labels_as_image
from nbtools.checks.slabs import count_pixels
from nbtools.geometry import crop_centre
from nbtools.io.stored import is_stored

RULE = "Labels are whole numbers: 0 for background, 1 to N for the nuclei."
TINY = {2: 10, 3: 20}  # pixels, by dimensions; smaller labels are dirt or remains of drawing
MAX_TINY_SHARE = 0.05
CORE_CROPS = {2: (768, 768), 3: (32, 160, 160)}  # where rims of interpolated labels are looked for


def find_unequal_shapes(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find label images and clean images whose shape differs from that of their image."""
    shape, label = view.image.space_shape, view.label
    moving = label is not None and "T" in label.axes and label.size("T") == view.image.size("T")
    if moving:
        shape = (view.image.size("T"), *shape)
    if label is not None and not label.is_rgb and label.shape != shape:
        in_memory = view.regions and not is_stored(label.pixels)
        turn = find_turn_to_shape(view.image, label.pixels)[0] if in_memory else None
        if turn is not None:
            yield Finding(
                "transposed_label",
                "error",
                view.label_file,
                (
                    f"The label image has shape {label.shape}, the image {shape}: axes are "
                    f"exchanged; {turn.name} they fit best."
                ),
                "nbtools check --fix does that; check that the labels then lie on the nuclei.",
            )
        else:
            yield Finding(
                "unequal_shapes",
                "error",
                view.label_file,
                f"The label image has shape {label.shape}, its image {shape}.",
                "Export both from the same image; or name the axes with --axes.",
            )
    if view.clean is not None and view.clean.shape != view.image.shape:
        yield Finding(
            "unequal_shapes",
            "error",
            view.clean_file,
            f"The clean image has shape {view.clean.shape}, its noisy partner {view.image.shape}.",
            "Export both from the same field, at the same size.",
        )


def find_wrong_kind(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find label images with colours, real or negative numbers."""
    label = view.label
    if label is None:
        return
    if label.is_rgb:
        yield Finding(
            "rgb_label",
            "error",
            view.label_file,
            f"The label image has colours. {RULE}",
            (
                "Export them as 16-bit grey TIFF; where the three channels are equal, nbtools "
                "check --fix keeps one."
            ),
        )
    elif label.pixels.dtype.kind == "f" and not is_interpolated(view):
        whole = view.regions is not None
        yield Finding(
            "float_label",
            "error",
            view.label_file,
            (
                f"The label image holds {'whole numbers stored as' if whole else ''} "
                f"{label.pixels.dtype}. {RULE}"
            ).replace("  ", " "),
            "nbtools check --fix writes them as 16 bit."
            if whole
            else "This may be a probability map: export the labels instead.",
        )
    elif label.pixels.dtype.kind != "f" and label.pixels.min(initial=0) < -1:
        yield Finding(
            "negative_label",
            "error",
            view.label_file,
            f"The label image holds the negative number {label.pixels.min()}. {RULE}",
            "Number the nuclei from 1; only -1 is allowed, for pixels to ignore.",
        )


def find_interpolated(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find labels with rims of intermediate values, from scaling with interpolation."""
    if is_interpolated(view):
        yield Finding(
            "interpolated_label",
            "error",
            view.label_file,
            (
                "The labels were resampled with interpolation: rims of other values surround the "
                "nuclei."
            ),
            (
                "nbtools check --fix gives the rims the inner value of their nucleus; it is better "
                "to resample the original labels with nearest neighbours."
            ),
        )


def find_mask(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find masks where labels are needed: two values, perhaps with blurred edges between them."""
    regions = view.regions
    if regions is None or is_swapped(view) or is_image_itself(view):
        return
    if is_interpolated(view) or measure_background(view) is not None:
        return
    if is_binary(regions):
        yield Finding(
            "binary_label",
            "error",
            view.label_file,
            (
                f"The label image is a mask: {len(regions.part_values)} separate objects all have "
                f"the value {regions.values[0]}."
            ),
            (
                "nbtools check --fix gives each separate object its own number; touching nuclei "
                "must be split by hand."
            ),
        )
    elif is_antialiased(view):
        yield Finding(
            "antialiased_label",
            "error",
            view.label_file,
            (
                f"The label image is a mask with blurred edges: {len(regions.values)} grey values, "
                "most of them in specks."
            ),
            (
                "nbtools check --fix thresholds it and numbers the objects; it is better to export "
                "it again without smoothing, not as JPEG."
            ),
        )


def find_void(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find label images with pixels of -1, which nobody looked at."""
    label = view.label
    if label is None or label.pixels.dtype.kind != "i":
        return
    share = count_pixels(label.pixels, -1) / label.pixels.size
    if share:
        yield Finding(
            "partial_labels",
            "note",
            view.label_file,
            f"{share:.1%} of the pixels are -1: nobody looked at them.",
            "Nothing to do: they are left out of training and of scores, and count as background "
            "where nuclei are measured.",
        )


def find_parts(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find labels that consist of several separate parts."""
    regions = view.regions
    if regions is None or is_binary(regions) or is_antialiased(view) or is_swapped(view):
        return
    if is_interpolated(view) or measure_background(view) is not None:
        return
    divided = regions.values[regions.n_parts > 1]
    divided = divided[divided != measure_unknown(view)]
    if len(divided):
        some = ", ".join(map(str, divided[:5])) + (", …" if len(divided) > 5 else "")
        yield Finding(
            "label_in_parts",
            "warning",
            view.label_file,
            f"{len(divided)} of {len(regions.values)} labels consist of separate parts: {some}.",
            (
                "nbtools check --fix gives each part its own number; check whether they are one "
                "nucleus, two, or stray pixels."
            ),
        )


def find_empty_label(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find label images without nuclei."""
    if view.regions is not None and not len(view.regions.values):
        yield Finding(
            "empty_label",
            "warning",
            view.label_file,
            "The label image has no nuclei.",
            "Keep it if the image shows no nuclei; otherwise label them, or remove the pair.",
        )


def find_tiny(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find label images in which many labels have only a few pixels."""
    regions = view.regions
    if regions is None or not len(regions.values) or is_antialiased(view):
        return
    limit = TINY.get(view.label.pixels.ndim, TINY[3])
    count = int((regions.sizes < limit).sum())
    if count > max(1, MAX_TINY_SHARE * len(regions.values)):
        yield Finding(
            "tiny_objects",
            "note",
            view.label_file,
            f"{count} of {len(regions.values)} labels are smaller than {limit} pixels.",
            "Check whether they are nuclei; leave out smaller ones with --min-size.",
        )


def is_interpolated(view: View) -> bool:
    """Whether labels of several nuclei, not a mask, were resampled with interpolation.

    Parameters
    ----------
    view : label image; its central part is looked at.
    """
    label = view.label
    if label is None or label.is_rgb or label.pixels.dtype.kind not in "iuf":
        return False
    regions = view.regions
    if regions is not None and not _have_rims(regions):
        return False
    cores = _find_central_cores(label.pixels)
    return cores is not None and cores.is_interpolated and not cores.is_binary


def _have_rims(regions: Regions) -> bool:
    """Whether separate parts could be rims: more parts than labels, or most of them small."""
    if len(regions.values) < 2:
        return False
    small = np.median(regions.part_sizes) < 0.3 * regions.part_sizes.max()
    return bool(len(regions.part_values) > len(regions.values) or small)


def _find_central_cores(pixels: np.ndarray) -> Cores | None:
    return find_cores(crop_centre(pixels, CORE_CROPS[pixels.ndim])) if pixels.ndim < 4 else None


def is_binary(regions: Regions) -> bool:
    """Whether one value stands for several separate objects, or is the 255 of a mask."""
    return len(regions.values) == 1 and (len(regions.part_values) > 1 or regions.values[0] == 255)


def is_antialiased(view: View) -> bool:
    """Whether most components are specks that join into few objects at half of the largest value.

    Such specks are the blurred edges of a mask, not nuclei.

    Parameters
    ----------
    view : label image with its regions.
    """
    view = view.near
    regions = view.regions
    if (
        len(regions.values) < 3
        or np.median(regions.part_sizes) > 2
        or len(regions.part_values) < 1.5 * len(regions.values)
    ):
        return False
    pixels = view.label.pixels
    objects = Regions.of((pixels > pixels.max() / 2).astype(np.uint8))
    return len(regions.part_values) > 5 * len(objects.part_values)


PARTNER_CHECKS = [
    find_label_notes,
    find_labels_as_image,
    find_unequal_shapes,
    find_wrong_kind,
    find_interpolated,
    find_mask,
    find_void,
    find_parts,
    find_empty_label,
    find_tiny,
]
