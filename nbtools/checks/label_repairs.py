"""Repairs of one label image or image: each takes the files of a sample, and returns a new image.

A repair is a function of (view, options) that returns None where it cannot be made, and a line in
LABEL_REPAIRS, IMAGE_REPAIRS or CLEAN_REPAIRS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nbtools.brightness import even_out_depth
from nbtools.checks.background import measure_background, measure_unknown
from nbtools.checks.correspondence import find_turn_to_shape
from nbtools.checks.depth import measure_fading
from nbtools.checks.finding import Regions, View
from nbtools.checks.image_label_pairs import fill_holes
from nbtools.checks.interpolated import find_cores, restore_values
from nbtools.checks.labels import is_interpolated
from nbtools.image import Image


@dataclass(frozen=True)
class RepairOptions:
    """What a repair may do that is not certain, and only a person can decide.

    Parameters
    ----------
    allow_fewer : write repaired labels that hold fewer nuclei than before.
    unknown : label values that mark unknown pixels; they become -1.
    even_depth : give the nuclei of all planes of a volume one brightness, where it fades with
        depth; grey values change.
    """

    allow_fewer: bool = False
    unknown: tuple[int, ...] = ()
    even_depth: bool = False


Repair = Callable[[View, RepairOptions], Image | None]


def number_objects(view: View, _options: RepairOptions) -> Image:
    """Number the separate objects of a mask; values above half of the largest are foreground."""
    from skimage.measure import label as label_parts

    pixels = view.label.pixels
    parts = label_parts(pixels > pixels.max() / 2, connectivity=pixels.ndim).astype(np.int32)
    return view.label.replace(pixels=_keep_unknown(parts, pixels))


def restore_inner_values(view: View, _options: RepairOptions) -> Image | None:
    """Give the rims of interpolated labels the inner value of their nucleus."""
    restored = restore_values(view.label.pixels)
    return None if restored is None else view.label.replace(pixels=restored)


def number_parts(view: View, _options: RepairOptions) -> Image:
    """Give each separate part of a label a number of its own; pixels marked -1 stay."""
    from skimage.measure import label as label_parts

    pixels = view.label.pixels
    parts = label_parts(np.maximum(pixels, 0), background=0, connectivity=pixels.ndim)
    return view.label.replace(pixels=_keep_unknown(parts.astype(np.int32), pixels))


def clear_background(view: View, _options: RepairOptions) -> Image | None:
    """Make the value of the background 0; number the nuclei of an inverted mask."""
    from skimage.measure import label as label_parts

    background, pixels = measure_background(view), view.label.pixels
    if background is None:
        return None
    if background.inverted:
        parts = label_parts(pixels == 0, connectivity=pixels.ndim).astype(np.int32)
        return view.label.replace(pixels=parts)
    return view.label.replace(pixels=np.where(pixels == background.value, 0, pixels))


def mark_unknown(view: View, options: RepairOptions) -> Image | None:
    """Replace the value that marks unknown pixels by -1."""
    values = set(options.unknown) | {measure_unknown(view)} - {None}
    if not values:
        return None
    pixels = view.label.pixels.astype(np.int64)
    return view.label.replace(pixels=np.where(np.isin(pixels, list(values)), -1, pixels))


def round_label(view: View, _options: RepairOptions) -> Image | None:
    """Convert whole numbers stored as real numbers to integers; None where they are not whole."""
    pixels = view.label.pixels
    whole = np.isfinite(pixels).all() and (pixels == np.rint(pixels)).all()
    return view.label.replace(pixels=pixels.astype(np.int64)) if whole else None


def keep_one_label_channel(view: View, _options: RepairOptions) -> Image | None:
    """Keep one channel of labels stored as colours; None where the channels differ."""
    return _keep_one_channel(view.label)


def exchange_axes(view: View, _options: RepairOptions) -> Image | None:
    """Exchange axes, so that labels have the shape of the image and lie on its nuclei."""
    turn = find_turn_to_shape(view.image, view.label.pixels)[0]
    return None if turn is None else _turn(view.label, turn.apply)


def turn_labels(view: View, _options: RepairOptions) -> Image | None:
    """Turn labels so that they lie on the nuclei."""
    if view.fit is None or not view.fit.turned:
        return None
    return _turn(view.label, view.fit.turn.apply)


def fill_small_holes(view: View, _options: RepairOptions) -> Image:
    """Fill holes in nuclei, but none that is larger or brighter than the nucleus around it."""
    return fill_holes(view.label, view.image)


def keep_one_channel(view: View, _options: RepairOptions) -> Image | None:
    """Keep one channel of a grey image stored as colours; None where the channels differ."""
    return _keep_one_channel(view.image)


def fill_with_median(view: View, _options: RepairOptions) -> Image | None:
    """Replace NaN and infinity by the median of the other pixels; None where there are none."""
    pixels = view.image.pixels
    finite = np.isfinite(pixels)
    if not finite.any():
        return None
    return view.image.replace(pixels=np.where(finite, pixels, np.median(pixels[finite])))


def even_out_brightness(view: View, options: RepairOptions) -> Image | None:
    """Give the nuclei of all planes one brightness; only where that was asked for."""
    profile = measure_fading(view) if options.even_depth else None
    if profile is None:
        return None
    return view.image.replace(pixels=even_out_depth(view.image.pixels, profile))


LABEL_REPAIRS: dict[str, Repair] = {
    "rgb_label": keep_one_label_channel,
    "float_label": round_label,
    "background_label": clear_background,
    "unknown_label": mark_unknown,
    "interpolated_label": restore_inner_values,
    "binary_label": number_objects,
    "antialiased_label": number_objects,
    "label_in_parts": number_parts,
    "transposed_label": exchange_axes,
    "turned_label": turn_labels,
    "holes": fill_small_holes,
}
IMAGE_REPAIRS: dict[str, Repair] = {
    "grey_as_rgb": keep_one_channel,
    "not_finite": fill_with_median,
    "fades_with_depth": even_out_brightness,
}


def count_nuclei(view: View) -> int | None:
    """Count the nuclei that a label image shows, whatever is wrong with it.

    Parameters
    ----------
    view : with a label image.

    Returns
    -------
    The number of values of labels, of separate objects of a mask or of blurred labels, of holes in
    an inverted mask; None without a label image.
    """
    if view.label is None:
        return None
    if view.label.is_rgb:
        view = View("", image=view.image, label=view.label.select(C=0))
    regions, pixels = view.regions, view.label.pixels
    if is_interpolated(view):
        return len(find_cores(pixels).values)
    if regions is None:
        return _count_objects(pixels > pixels.max(initial=0) / 2)
    if not len(regions.values):
        return 0
    background, unknown = measure_background(view), measure_unknown(view)
    if background is not None and background.inverted:
        return _count_objects(pixels == 0)
    values = len(regions.values) - (background is not None) - (unknown is not None)
    if values == 1 and background is not None:
        return _count_objects((pixels > 0) & (pixels != background.value))
    if len(regions.values) == 1 or _is_blurred(regions):
        return _count_objects(pixels > 0)
    return values


def _is_blurred(regions: Regions) -> bool:
    """Whether most separate parts are specks or rims, so that values are no nuclei."""
    return bool(
        len(regions.part_values) >= 1.5 * len(regions.values)
        and np.median(regions.part_sizes) < 0.1 * regions.part_sizes.max()
    )


def _count_objects(inside: np.ndarray) -> int:
    """Separate objects that are larger than a speck."""
    from scipy import ndimage

    objects = ndimage.label(inside, np.ones((3,) * inside.ndim))[0]
    return int((np.bincount(objects.ravel())[1:] > 2).sum())


def _keep_unknown(parts: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    return np.where(pixels < 0, -1, parts)


def _keep_one_channel(image: Image) -> Image | None:
    if not (image.pixels == image.pixels[..., :1]).all():
        return None
    return image.select(C=0).replace(channels=())


def _turn(label: Image, apply: Callable[[np.ndarray], np.ndarray]) -> Image:
    return label.replace(pixels=np.ascontiguousarray(apply(label.pixels)))
