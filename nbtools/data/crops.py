"""One small image per labelled nucleus, all at one physical scale, for classification.

A crop is centred on its nucleus and has as many pixels as any other. Names are those of the image
and the label, so that a crop is found again; the image it comes from is its group, unless the data
set has groups of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.data.dataset import DataSet
from nbtools.data.sample import Sample
from nbtools.errors import UserError
from nbtools.geometry import number_densely
from nbtools.image import Image

MASK = "mask"  # name of the channel that is 1 inside the nucleus
MASKS = ("none", "channel", "apply")
ROOM = 1.25  # side of a crop over the largest extent of most nuclei
MOST = 95  # percentile of the extents that a crop has to hold
LARGEST_SIDE = 512  # px


@dataclass(frozen=True)
class CropPlan:
    """Size and scale of all crops of a data set.

    Parameters
    ----------
    shape : pixels along each spatial axis.
    spacing : pixel size along each of them, in `unit`; None where it is unknown: pixels then stay.
    unit : "um" or "pixel".
    mask : "none"; "channel" adds a channel that is 1 inside the nucleus; "apply" sets what lies
        outside of it to the background.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    unit: str = "um"
    mask: str = "none"


def plan_crops(
    dataset: DataSet,
    *,
    size_um: float | None = None,
    spacing: tuple[float, ...] | None = None,
    mask: str = "none",
) -> CropPlan:
    """Choose one size and one scale for the crops of a data set.

    Parameters
    ----------
    dataset : images with labels.
    size_um : side of a crop, in the unit of the spacing; None: a quarter more than the extent of 95
        in 100 nuclei.
    spacing : pixel size of the crops; None: that of the coarsest image along each axis, so that no
        image is made to look sharper than it is.
    mask : as of `CropPlan`.

    Raises
    ------
    UserError : no labels; pixel sizes that only some images have; a size that nothing fits into.
    """
    known, units, extents = [], set(), []
    for sample in _with_labels(dataset):
        known.append(sample.image.spacing)
        units.add(sample.image.unit if sample.image.spacing else "")
        extents += _measure_extents(sample)
    if not extents:
        raise UserError(
            "Crops are cut around labelled nuclei.",
            f"{dataset.name or 'a data set'} without labels",
            "Put one label image for each image into labels/, or predict them first.",
        )
    if len(units) > 1:
        raise UserError(
            "Crops of one scale need the pixel size of every image.",
            f"{sum(one is None for one in known)} of {len(known)} images without one",
            "Give it with --spacing, or write spacing_um into dataset.toml.",
        )
    unit = units.pop() or "pixel"
    target = spacing or (None if known[0] is None else tuple(np.max(known, axis=0).tolist()))
    step = np.array(target or (1.0,) * len(extents[0]))
    most = np.percentile(np.array(extents), MOST, axis=0).max()
    side = size_um or ROOM * float(most)
    shape = tuple(int(np.ceil(side / s)) for s in step)
    if max(shape) > LARGEST_SIDE or min(shape) < 1:
        raise UserError(
            f"A crop has at most {LARGEST_SIDE} pixels along an axis.",
            " x ".join(map(str, shape)),
            "Give a smaller --size, or a coarser --spacing.",
        )
    return CropPlan(shape, target, unit, mask)


def cut_crops(dataset: DataSet, plan: CropPlan) -> DataSet:
    """Cut one image per labelled nucleus.

    Parameters
    ----------
    dataset : images with labels; the class of a nucleus is its own, else that of its image.
    plan : size, scale and mask of the crops.

    Returns
    -------
    In memory, in the order of the images and of the labels. Movies give a crop per time point. Each
    entry knows its image and its label.
    """
    found = []
    for sample in _with_labels(dataset.frames()):
        found += list(cut_sample(sample, plan))
    made = DataSet.of(found, name=f"{dataset.name} crops".strip())
    columns = {f"{s.name}": s for s in found}
    for entry in made.entries:
        name, _, label = columns[entry.name].name.rpartition("_n")
        entry.columns.update({"image": name, "label": str(int(label))})
    return made


def cut_sample(sample: Sample, plan: CropPlan) -> Iterator[Sample]:
    """The crops of one image, a sample per nucleus.

    Parameters
    ----------
    sample : image with labels.
    plan : size, scale and mask of the crops.
    """
    axes = sample.image.spatial
    label, before = number_densely(sample.label.to(axes).pixels)
    pixels = sample.image.to(axes + "C").pixels
    own = np.array(sample.image.spacing or (1.0,) * len(axes))
    step = np.array(plan.spacing or own) / own
    fill = [
        float(np.median(channel[label == 0])) if (label == 0).any() else float(channel.min())
        for channel in np.moveaxis(pixels, -1, 0)
    ]
    sharp = _blur_for(pixels, step)
    for number, box in enumerate(ndimage.find_objects(np.maximum(label, 0)), start=1):
        if box is None:
            continue
        mask = label[box] == number
        centre = np.array(ndimage.center_of_mass(mask)) + [s.start for s in box]
        start = centre - step * (np.array(plan.shape) - 1) / 2
        cut = [_sample(c, start, step=step, shape=plan.shape, fill=f) for c, f in zip(sharp, fill)]
        inside = _sample(label == number, start, step=step, shape=plan.shape, fill=0, order=0)
        number = before.get(number, number)
        yield _make(sample, cut, inside > 0, plan=plan, number=number, fill=fill)


def _make(
    sample: Sample,
    cut: list[np.ndarray],
    inside: np.ndarray,
    *,
    plan: CropPlan,
    number: int,
    fill: list[float],
) -> Sample:
    """One crop as a sample, with its class and group."""
    image, axes = sample.image, sample.image.spatial
    names = list(image.channels) or ([str(c) for c in range(len(cut))] if len(cut) > 1 else ["0"])
    if plan.mask == "apply":
        cut = [np.where(inside, c, f).astype(c.dtype) for c, f in zip(cut, fill)]
    if plan.mask == "channel":
        cut, names = [*cut, inside.astype(cut[0].dtype)], [*names, MASK]
    several = len(cut) > 1
    pixels = np.stack(cut, axis=-1) if several else cut[0]
    name = f"{sample.name}_n{number:04d}"
    about = {"spacing": plan.spacing, "unit": plan.unit, "name": name}
    crop = Image(pixels, axes + "C" * several, channels=tuple(names) if several else (), **about)
    classes = sample.classes if sample.classes is not None else {}
    kind = classes.get(number, sample.class_name if not classes else None)
    return Sample(name, crop, class_name=kind, group=sample.group or sample.name)


def _with_labels(dataset: DataSet) -> Iterator[Sample]:
    for i, entry in enumerate(dataset.entries):
        if "labels" in entry.files or getattr(entry.sample, "label", None) is not None:
            yield dataset[i]


def _measure_extents(sample: Sample) -> list[np.ndarray]:
    """Extent of each nucleus along each axis, in the unit of the spacing."""
    axes = sample.image.spatial
    label, _ = number_densely(sample.label.select(T=0).to(axes).pixels)
    own = np.array(sample.image.spacing or (1.0,) * len(axes))
    boxes = [box for box in ndimage.find_objects(np.maximum(label, 0)) if box is not None]
    return [own * [s.stop - s.start for s in box] for box in boxes]


def _blur_for(pixels: np.ndarray, step: np.ndarray) -> list[np.ndarray]:
    """Each channel, smoothed along axes that become coarser, so that nothing fine is aliased."""
    sigma = np.where(step > 1.05, 0.4 * step, 0)
    channels = list(np.moveaxis(pixels, -1, 0))
    if not sigma.any():
        return channels
    return [ndimage.gaussian_filter(c.astype(np.float32), sigma) for c in channels]


def _sample(
    array: np.ndarray,
    start: np.ndarray,
    *,
    step: np.ndarray,
    shape: tuple[int, ...],
    fill: float,
    order: int = 1,
) -> np.ndarray:
    """Values at start + step * (0, 1, 2, ...) along each axis, or whole pixels as they are.

    Beyond the border it is the fill. Resampled grey values are float32.
    """
    if np.allclose(step, 1):
        return _slice(array, np.round(start).astype(int), shape=shape, fill=fill)
    low = np.maximum(np.floor(start).astype(int) - 1, 0)
    high = np.ceil(start + step * np.array(shape)).astype(int) + 2
    part = array[tuple(map(slice, low, np.maximum(high, low + 1)))].astype(np.float32)
    if 0 in part.shape:
        return np.full(shape, fill, np.float32)
    about = {"output_shape": shape, "order": order, "mode": "constant", "cval": fill}
    return ndimage.affine_transform(part, step, start - low, **about)


def _slice(
    array: np.ndarray, start: np.ndarray, *, shape: tuple[int, ...], fill: float
) -> np.ndarray:
    found = np.full(shape, fill).astype(array.dtype)
    stop = start + shape
    inside = tuple(map(slice, np.maximum(start, 0), np.minimum(stop, array.shape)))
    place = tuple(slice(max(-a, 0), max(-a, 0) + s.stop - s.start) for a, s in zip(start, inside))
    found[place] = array[inside]
    return found
