"""Training images in memory: prepared with their partners when first drawn, cut in patches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from nbtools import augment, pasting, patches, runtime
from nbtools.data import Sample
from nbtools.errors import UserError
from nbtools.geometry import (
    centroids,
    count_sizes,
    equivalent_diameters,
    leave_out_void,
    number_densely,
)
from nbtools.image import Image
from nbtools.normalize import Scale
from nbtools.patches import Example
from nbtools.results import Boxes, Classes, Grid, Labels, Points, Result
from nbtools.targets import classes as class_targets
from nbtools.targets.boxes import boxes_of_labels

SHARE_OF_MEMORY = 0.4  # of what is free when training begins, for examples
# where a data set has each partner that a method may need: attributes of a sample
PARTNERS = {
    "labels": ("label",),
    "clean": ("clean",),
    "points": ("centres", "label"),
    "boxes": ("boxes", "label"),
    "classes": ("class_name",),
    "unpaired": ("unpaired",),
    "paired": ("clean",),
}


class Examples(Sequence):
    """Training images, each prepared when first drawn.

    So training starts at once, and memory holds only what is used. Where that is too much, those
    that were not drawn for longest are prepared again when they are.

    Parameters
    ----------
    weights : (N,) how often each is drawn; an image of many nuclei more often than one of few,
        since each nucleus is to count.
    """

    def __init__(
        self, samples: Sequence, prepare: Callable[[Sample], Example], weights: np.ndarray
    ):
        self.samples, self.prepare = samples, prepare
        self.bounds = np.cumsum(weights / max(weights.sum(), 1e-9))
        self.ready: dict[int, Example] = {}
        self.most = SHARE_OF_MEMORY * runtime.memory().available
        self.lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.samples)

    def draw(self, rng: np.random.Generator) -> Example:
        """One of them at random."""
        return self[min(int(np.searchsorted(self.bounds, rng.random())), len(self) - 1)]

    def __getitem__(self, index: int) -> Example:
        index = int(index)
        with self.lock:  # batches are made by several threads
            found = self.ready.pop(index, None)
            if found is not None:
                self.ready[index] = found
                return found
        made = self.prepare(self.samples[index])
        with self.lock:
            self.ready[index] = made
            self._forget()
        return made

    def _forget(self) -> None:
        """Leave out those that were not drawn for longest; the last one always stays."""
        sizes = {index: count_bytes(example) for index, example in self.ready.items()}
        total = sum(sizes.values())
        for index in list(self.ready)[:-1]:
            if total <= self.most:
                return
            total -= sizes[index]
            del self.ready[index]


def count_bytes(example: object) -> int:
    """Bytes of all arrays of an example.

    Parameters
    ----------
    example : a dataclass, whose fields are arrays, dictionaries or lists of such, or small.
    """
    parts = [getattr(example, field.name) for field in fields(example)]
    total = 0
    while parts:
        part = parts.pop()
        if isinstance(part, Mapping):
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
        else:
            total += getattr(part, "nbytes", 0)
    return total


@dataclass(frozen=True)
class ExampleMaker:
    """How a sample becomes an example.

    Parameters
    ----------
    axes : spatial axes of the method.
    check : an image → the same with the channels of the method, or an error.
    prepare : (*space, C) grey values → what is to be scaled, and their scale.
    needs : partners without which a sample is refused.
    welcomes : "unlabelled" where a sample may lack its partner; its label is -1 everywhere then.
    classes : names of the classes, of nuclei or of images.
    """

    axes: str
    check: Callable[[Image], Image]
    prepare: Callable[[np.ndarray], tuple[np.ndarray, Scale]]
    needs: tuple[str, ...] = ()
    welcomes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def __call__(self, sample: Sample) -> Example:
        """The example of a sample.

        Raises
        ------
        UserError : a partner that is needed is missing, or has another shape than the image.
        """
        image = self.check(sample.image)
        pixels = image.select(T=0).to(self.axes + "C").pixels
        pixels, scale = self.prepare(pixels)
        example = Example(scale.apply(pixels), spacing=image.relative_spacing)
        for need in self.needs:
            if any(getattr(sample, name) is not None for name in PARTNERS[need]):
                example = getattr(self, f"_add_{need}")(example, sample, scale)
            elif "unlabelled" not in self.welcomes:
                raise _missing(need, sample.name)
            elif need == "labels":
                unknown = np.full(pixels.shape[:-1], -1, np.int32)
                example = replace(example, label=unknown, classes={})
        return example

    def _add_labels(self, example: Example, sample: Sample, _: Scale) -> Example:
        plain = sample.label.select(T=0).to(self.axes).pixels
        plain, before = number_densely(plain)
        label = np.ascontiguousarray(plain.astype(np.int32))
        _require_shape(label.shape, example, sample, what="Image and label")
        known = class_targets.number(sample.classes, self.classes) if self.classes else None
        if known and before:
            known = {new: known[old] for new, old in before.items() if old in known}
        seeds = patches.find_points(label)
        return replace(example, label=label, classes=known, seeds=seeds)

    def _add_clean(self, example: Example, sample: Sample, scale: Scale) -> Example:
        noisy = self.check(sample.image).to(self.axes + "C").pixels
        clean = self.check(sample.clean).to(self.axes + "C").pixels
        _require_shape(clean.shape[:-1], example, sample, what="An image and its clean partner")
        return replace(example, clean=scale.apply(express_as(clean, noisy)))

    def _add_paired(self, example: Example, sample: Sample, scale: Scale) -> Example:
        """The partner as it is: of another kind of image, its grey values mean something else."""
        pixels = self.check(sample.clean).select(T=0).to(self.axes + "C").pixels
        _require_shape(pixels.shape[:-1], example, sample, what="An image and its partner")
        return replace(example, clean=scale.apply(pixels))

    def _add_points(self, example: Example, sample: Sample, _: Scale) -> Example:
        points, numbers, label, void = sample.centres, None, None, None
        if sample.label is not None:
            label = sample.label.select(T=0).to(self.axes).pixels
        places = {name: i for i, name in enumerate(self.classes, 1)}
        if points is None:
            label, void = leave_out_void(label)
            points = centroids(label)
            named = [(sample.classes or {}).get(n) for n in count_sizes(label)[0].tolist()]
        else:
            named = sample.centre_classes
        if places and named:
            numbers = np.array([places.get(name, 0) for name in named], int)
        points = np.asarray(points, float).reshape(-1, len(self.axes))
        seeds, sizes = np.rint(points).astype(int), None
        if label is not None and label.shape == example.image.shape[:-1]:
            sizes = measure_sizes(label, None if sample.centres is None else seeds)
            sizes *= float(np.prod(example.spacing or 1.0)) ** (1 / len(self.axes))
        about = {"points": points, "point_classes": numbers, "point_sizes": sizes, "void": void}
        return replace(example, **about, seeds=seeds)

    def _add_boxes(self, example: Example, sample: Sample, _: Scale) -> Example:
        boxes, named, void = sample.boxes, sample.box_classes, None
        if boxes is None:
            label, known = sample.label.select(T=0).to(self.axes).pixels, sample.classes or {}
            label, void = leave_out_void(label)
            boxes, present = boxes_of_labels(label), np.unique(label[label > 0]).tolist()
            named = tuple(known.get(n, "") for n in present) if known else ()
        places = {name: i for i, name in enumerate(self.classes, 1)}
        numbers = np.array([places.get(name, 0) for name in named], int) if named else None
        low, high = augment.box_corners(np.asarray(boxes, float))
        middle = ((low + high - 1) / 2).round().astype(int)
        return replace(example, boxes=boxes, box_classes=numbers, seeds=middle, void=void)

    def _add_classes(self, example: Example, sample: Sample, _: Scale) -> Example:
        return replace(example, class_index=self.classes.index(sample.class_name))

    def _add_unpaired(self, example: Example, sample: Sample, _: Scale) -> Example:
        pixels = self.check(sample.unpaired).select(T=0).to(self.axes + "C").pixels
        pixels, scale = self.prepare(pixels)
        return replace(example, unpaired=scale.apply(pixels))


def crop_example(example: Example, place: tuple[slice, ...]) -> Example:
    """Cut a part from an example and from all its partners.

    Parameters
    ----------
    example : training image.
    place : slice along each spatial axis, with start and stop.
    """
    ndim, offset = len(place), np.array([float(s.start) for s in place])
    shape = tuple(s.stop - s.start for s in place)
    return augment.cut_example(example, augment.PatchTransform(np.eye(ndim), offset, shape))


def truth_of(example: Example, *, axes: str, classes: tuple[str, ...] = ()) -> Result:
    """The truth of an example as a result, to score predictions with.

    Parameters
    ----------
    example : with labels, boxes, points or a class; the first of these is taken.
    axes : spatial axes.
    classes : names of the classes of images, or of points.
    """
    grid = Grid(axes, example.image.shape[:-1])
    if example.label is not None:
        return Labels(Image(example.label, axes))
    if example.boxes is not None:
        return Boxes(example.boxes, grid, void=example.void)
    if example.points is not None:
        named = _name_points(example, classes)
        return Points(example.points, grid, classes=named, void=example.void)
    return Classes(classes, np.eye(len(classes))[[example.class_index]])


def _name_points(example: Example, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The class of each point; () where not every point has one."""
    numbers = example.point_classes
    if not classes or numbers is None or not (numbers > 0).all():
        return ()
    return tuple(classes[n - 1] for n in numbers)


def draw_patch(
    rng: np.random.Generator,
    example: Example,
    *,
    policy: augment.AugmentationPolicy,
    size: tuple[int, ...],
    foreground: float,
) -> Example:
    """Draw a patch of an example, with varied geometry and grey values.

    Parameters
    ----------
    rng : source of all draws.
    example : image with its partners.
    policy : strengths of the variations.
    size : shape of the patch in pixels.
    foreground : share of patches that are centred on a nucleus.
    """
    where = {"points": example.seeds, "shape": example.image.shape[:-1], "size": size}
    transform = augment.draw_transform(rng, policy, **where, foreground=foreground)
    patch = augment.cut_example(example, transform)
    if policy.paste:
        patch = pasting.paste_nuclei(rng, patch, most=policy.paste)
    patch = replace(patch, image=augment.vary_grey(rng, patch.image, recipe=policy))
    if example.unpaired is None:
        return patch
    where = {"points": None, "shape": example.unpaired.shape[:-1], "size": size}
    transform = augment.draw_transform(rng, policy, **where)
    return replace(patch, unpaired=augment.cut(example.unpaired, transform, order=1))


def stack_arrays(parts: Sequence[np.ndarray | Mapping]) -> np.ndarray | dict[str, np.ndarray]:
    """Stack arrays of one shape to (B, ...) float32; of dicts of arrays, name by name."""
    if isinstance(parts[0], Mapping):
        return {name: stack_arrays([part[name] for part in parts]) for name in parts[0]}
    return np.stack(parts).astype(np.float32, copy=False)


def split_channels(sample: Sample) -> list[Sample]:
    """Each channel of an image, and of its clean partner, as a sample of its own."""
    found = []
    for c in range(sample.image.size("C")):
        clean = sample.clean if sample.clean is None else sample.clean.select(C=c)
        parts = {"image": sample.image.select(C=c), "clean": clean}
        found.append(sample.replace(name=f"{sample.name}_{c}", **parts))
    return found


def measure_objects(train: Iterable[Sample]) -> tuple[list[np.ndarray], list[int]]:
    """Measure the nuclei of images, and count them.

    Parameters
    ----------
    train : with labels or points.

    Returns
    -------
    Equivalent diameters in pixels of the nuclei of each image, none where only points are known;
    and their number.
    """
    sizes, counts = [], []
    for sample in train:
        known = sample.label is not None
        sizes.append(equivalent_diameters(sample.label.pixels) if known else np.zeros(0))
        places = () if sample.centres is None else sample.centres
        counts.append(max(len(sizes[-1]), len(places)))
    return sizes, counts


def measure_sizes(label: np.ndarray, pixels: np.ndarray | None = None) -> np.ndarray:
    """Measure the equivalent diameter of each nucleus, or of those around some pixels.

    Parameters
    ----------
    label : (*space) label image; only numbers above 0 count.
    pixels : (N, D) int; None for the nuclei in the order of their numbers.

    Returns
    -------
    (N,) float64 in pixels; NaN at a pixel that lies in no nucleus.

    Examples
    --------
    >>> label = np.array([[0, 3, 3, 0], [0, 3, 3, 0]])
    >>> measure_sizes(label, np.array([[0, 1], [0, 0]])).round(2).tolist()
    [2.26, nan]
    """
    sizes = equivalent_diameters(label)
    if pixels is None:
        return sizes
    inside = np.clip(pixels, 0, np.array(label.shape) - 1)
    own = label[tuple(inside.T)]
    numbers = count_sizes(label)[0]
    place = np.searchsorted(numbers, own)
    known = np.append(sizes, np.nan)
    return np.where(own > 0, known[np.minimum(place, len(sizes))], np.nan)


def express_as(clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """Scale a clean image to the grey values of its noisy partner, by a linear fit per channel.

    The two may have been taken at different exposure. Noise of mean 0 does not change the fit.

    Parameters
    ----------
    clean, noisy : (*space, C).

    Returns
    -------
    (*space, C) float32: for each channel slope · clean + offset, nearest to the noisy one in least
    squares; a constant channel becomes the mean of the noisy one.

    Examples
    --------
    >>> clean = np.array([[0.0], [1.0], [2.0]])
    >>> express_as(clean, 10 * clean + 5)[:, 0].tolist()
    [5.0, 15.0, 25.0]
    """
    found = np.empty(clean.shape, np.float32)
    for c in range(clean.shape[-1]):
        x, y = clean[..., c].astype(np.float64), noisy[..., c].astype(np.float64)
        spread = x.var()
        slope = ((x - x.mean()) * (y - y.mean())).mean() / spread if spread > 0 else 0.0
        found[..., c] = slope * (x - x.mean()) + y.mean()
    return found


def _missing(need: str, name: str) -> UserError:
    rules = {
        "labels": "Every training image needs a label image.",
        "clean": "Every training image needs a clean partner.",
        "paired": "Every training image needs its partner of the other kind.",
        "unpaired": "A translation needs images of the other kind.",
    }
    remedies = {
        "labels": "Remove the image, or label it. See `nbtools check`.",
        "clean": "Put it into clean/ under the image's name.",
        "paired": "Put it into clean/ under the image's name.",
        "unpaired": "Put them into unpaired/.",
    }
    rule = rules.get(need, f"Every training image needs its {need}.")
    return UserError(rule, name, remedies.get(need, "Add them, or remove the image."))


def _require_shape(shape: tuple, example: Example, sample: Sample, *, what: str) -> None:
    space = example.image.shape[:-1]
    if shape != space:
        received = f"{sample.name}: {space} and {shape}"
        remedy = "Export both from the same field of view."
        raise UserError(f"{what} must have the same shape.", received, remedy)
