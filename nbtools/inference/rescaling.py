"""Bring an image to the pixel size of a model, and its labels back to the grid of the image.

Labels, not maps, travel back: decoding values that are in pixels (smallest size, depth of a waist,
lengths of rays) then mean in every image what they meant in training, whatever the method.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.targets.objects import remove_small_objects

if TYPE_CHECKING:
    from nbtools.methods.domain import Domain

TOLERANCE = 1.15  # networks bear this much in size: their training patches were varied by more
SLAB = 4_000_000  # pixels treated together
MOST, LEAST = 16.0, 1 / 32  # beyond, the pixel size of a file is more likely wrong than true


def find_zoom(
    image: Image, domain: Domain, *, diameter: float | None = None
) -> tuple[float, ...] | None:
    """Find by what factor an image must be resampled to the pixel size of a model.

    Parameters
    ----------
    image : with its spacing, or None where it is unknown.
    domain : what the model was trained on.
    diameter : of the nuclei of the image, in the unit of its spacing (µm, or pixels where the unit
        is "pixel"); it takes precedence over the spacing.

    Returns
    -------
    Factor of the number of pixels along each spatial axis of the domain; None where the pixel size
    is unknown, or differs too little to matter.

    Raises
    ------
    UserError : a diameter is given, but the model does not know the size of its nuclei, or the
        image has no spacing; or the factor is out of the range that true pixel sizes give.
    """
    wanted = _find_wanted(image, domain, diameter)
    if wanted is None:
        return None
    known = dict(zip(image.spatial, image.spacing, strict=True))
    zoom = tuple(known[axis] / size for axis, size in zip(domain.axes, wanted, strict=True))
    if max(zoom) > MOST or min(zoom) < LEAST:
        received = (
            f"{image.name or 'image'} with {_say(image.spacing)} {image.unit} a pixel, "
            f"{max(max(zoom), 1 / min(zoom)):.0f} times off"
        )
        raise UserError(
            "The pixel size must be near that of the training images.",
            received,
            "Give the true one with --spacing.",
        )
    return zoom if max(max(z, 1 / z) for z in zoom) > TOLERANCE else None


def _find_wanted(image: Image, domain: Domain, diameter: float | None) -> tuple[float, ...] | None:
    """The spacing at which this image would look like the training images, in its own unit.

    None where it is unknown.
    """
    if diameter is not None:
        return _by_diameter(image, domain, diameter)
    if image.spacing is None:
        return None
    if image.unit == (domain.unit if domain.spacing else "pixel"):
        return (
            domain.spacing or (1.0,) * domain.ndim
        )  # without a spacing, the pixel of the training images is the unit
    if domain.spacing is None:
        return None
    finest = min(
        image.spacing
    )  # only the ratio is known, on one side at least: axes can be brought to it, sizes cannot
    return tuple(finest * s / min(domain.spacing) for s in domain.spacing)


def require_spacing(image: Image) -> tuple[float, ...]:
    """The pixel size of an image whose nuclei have a given diameter; a UserError without one.

    Parameters
    ----------
    image : to predict.
    """
    if image.spacing is None:
        remedy = "Add --spacing Z,Y,X in µm, or give the diameter in pixels with --unit pixel."
        raise UserError(
            "A diameter in µm needs the pixel size.",
            f"{image.name or 'image'} of unknown pixel size",
            remedy,
        )
    return image.spacing


def _by_diameter(image: Image, domain: Domain, diameter: float) -> tuple[float, ...]:
    if domain.nucleus_size is None:
        raise UserError(
            "The model must know the size of the nuclei it was trained on.",
            "a model without it",
            "Leave out --diameter.",
        )
    require_spacing(image)
    ratio = np.array(domain.spacing or (1.0,) * domain.ndim)
    mean = float(np.exp(np.log(ratio).mean()))
    return tuple(float(r) * diameter / domain.nucleus_size / mean for r in ratio)


def zoom_pixels(pixels: np.ndarray, zoom: tuple[float, ...] | None) -> np.ndarray:
    """Resample grey values linearly, smoothed first where the number of pixels falls.

    Parameters
    ----------
    pixels : (*space, C) grey values.
    zoom : factor of the number of pixels along each spatial axis; None changes nothing.

    Returns
    -------
    (*zoomed, C) float32; without a zoom, the input itself.
    """
    if zoom is None:
        return pixels
    from skimage.transform import resize

    shape = find_shape(pixels.shape[:-1], zoom)
    grey = pixels.astype(np.float32)
    return resize(
        grey,
        (*shape, pixels.shape[-1]),
        order=1,
        mode="reflect",
        anti_aliasing=True,
        preserve_range=True,
    ).astype(np.float32)


def find_shape(shape: tuple[int, ...], zoom: tuple[float, ...]) -> tuple[int, ...]:
    """The shape of a resampled image.

    Parameters
    ----------
    shape : (*space) of the image.
    zoom : factor of the number of pixels along each axis.
    """
    return tuple(max(1, round(n * z)) for n, z in zip(shape, zoom, strict=True))


def return_maps(maps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resample maps to a grid of another shape, linearly.

    Parameters
    ----------
    maps : (*space, K).
    shape : (*space) of the new grid, over the same field of view.
    """
    from skimage.transform import resize

    return resize(
        maps,
        (*shape, maps.shape[-1]),
        order=1,
        mode="edge",
        anti_aliasing=False,
        preserve_range=True,
    ).astype(np.float32)


def return_size(label: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resample labels to a grid of another shape, and number them 1 … N.

    Each pixel takes the label with the largest weight in linear interpolation, so that enlarged
    outlines have no steps.

    Parameters
    ----------
    label : (*space) integer labels; anything else, and labels of this shape, are returned
        unchanged.
    shape : (*space) of the new grid, over the same field of view.

    Returns
    -------
    Labels of the given shape, int32.
    """
    if label.shape == shape or label.dtype.kind not in "iu" or label.ndim != len(shape):
        return label
    low, share = zip(
        *(find_neighbours(new, old) for new, old in zip(shape, label.shape, strict=True)),
        strict=True,
    )
    out = np.zeros(shape, np.int32)
    slab = max(1, SLAB // max(1, int(np.prod(shape[1:]))))
    for start in range(0, shape[0], slab):
        rows = slice(start, start + slab)
        out[rows] = vote(label, (low[0][rows], *low[1:]), share=(share[0][rows], *share[1:]))
    return remove_small_objects(out, 1)


def find_neighbours(new: int, old: int) -> tuple[np.ndarray, np.ndarray]:
    """For each new pixel along an axis, the old pixel before it and the share of the next one.

    Parameters
    ----------
    new, old : numbers of pixels over the same field of view.
    """
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    before = np.floor(place).astype(int)
    return before, (place - before).astype(np.float32)


def vote(label: np.ndarray, low: tuple, *, share: tuple) -> np.ndarray:
    """The label with most weight among the neighbours of each pixel.

    Parameters
    ----------
    label : (*space) labels.
    low, share : along each axis, as of `find_neighbours`.

    Returns
    -------
    (*new) int32.
    """
    shape = tuple(len(axis) for axis in low)
    corners, weights = [], []
    for far in itertools.product((0, 1), repeat=label.ndim):
        index = [
            np.minimum(first + step, n - 1)
            for first, step, n in zip(low, far, label.shape, strict=True)
        ]
        corners.append(label[np.ix_(*index)])
        weights.append(
            _outer([part if step else 1 - part for part, step in zip(share, far, strict=True)])
        )
    out, best = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for candidate in corners:
        held = sum(
            weight * (corner == candidate) for corner, weight in zip(corners, weights, strict=True)
        )
        better = held > best
        out[better], best[better] = candidate[better], held[better]
    return out


def _outer(parts: list[np.ndarray]) -> np.ndarray:
    """Product of one factor an axis, on the whole grid."""
    product = parts[0]
    for part in parts[1:]:
        product = product[..., None] * part
    return product


def _say(spacing: tuple[float, ...]) -> str:
    return " x ".join(f"{s:.3g}" for s in spacing)
