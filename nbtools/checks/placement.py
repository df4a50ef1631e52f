"""Checks of whether a label image belongs to its image: turned, copied, of another image, undrawn.

A check takes a View and Requirements and yields findings; add it to PLACEMENT_CHECKS. What needs
the other images of the set takes an Overview, as `dataset.DATASET_CHECKS`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.checks.correspondence import CROPS, FITS, Contrast
from nbtools.checks.finding import Facts, Finding, Overview, Requirements, View
from nbtools.image import Image

MAX_ODD_SHARE = 0.2  # of the images, above which unexplained misfits are no accident
CERTAIN = 3.5  # sd: below, and with several nuclei, labels lie as by chance
MOST_MISFITS, MOST_OTHERS = 16, 48  # labels that are compared with other images, and how many
UNLABELLED_SHARE, MIN_UNLABELLED = 0.5, 3
MAX_PARTS = 1.5  # per label, as labels are one region each
MIN_BRIGHTNESS = 0.7  # above the background, over that of the labelled nuclei
ALIKE = (0.4, 2.5)  # area of an object without label, over that of the median nucleus


def find_turned(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find labels that lie on the nuclei after a turn or a reflection."""
    if view.fit is not None and view.fit.structured and view.fit.turned:
        yield Finding(
            "turned_label",
            "error",
            view.label_file,
            (f"The labels do not lie on the nuclei of this image; {view.fit.turn.name} they do."),
            "nbtools check --fix turns them; export labels with the orientation of the image.",
        )


def find_copied(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find labels in the place of the image: each nucleus one value, and nothing but nuclei."""
    if view.regions is not None and is_label_of_itself(view.near):
        yield Finding(
            "image_is_label",
            "error",
            view.file,
            "The image is its own label image: each nucleus has one value, the background 0.",
            "Put the microscope image in its place, under the same name.",
        )


def find_unlabelled(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find images that show many more nuclei than are labelled."""
    fit = view.fit
    if fit is None or not fit.fits or fit.misplaced:
        return
    near = view.near
    count, labelled = count_unlabelled(near.image, near.label.pixels), len(near.regions.values)
    if count >= max(MIN_UNLABELLED, UNLABELLED_SHARE * labelled):
        yield Finding(
            "unlabelled_nuclei",
            "warning",
            view.label_file,
            (
                f"The image shows {count} objects as large and bright as the nuclei that have no "
                f"label; {labelled} are labelled."
            ),
            (
                "Label them too, or mark what was not labelled with -1; see whether they are "
                "nuclei, and whether the labels are complete."
            ),
        )


def find_misplaced(
    overview: Overview, _requirements: Requirements, *, others: bool = True
) -> Iterator[Finding]:
    """Find labels that do not lie on the nuclei of their image, and the image that they fit.

    Parameters
    ----------
    overview : facts of the images.
    others : compare such labels with the other images, too.

    Yields
    ------
    An error where that is certain; a warning where a single one among many may be a hard image.
    """
    known = [f for f in overview.facts if f.fit is not None]
    odd = [f for f in known if f.fit.misplaced and not f.fit.turned and not f.is_shifted]
    small = [f for f in odd if not f.is_large]
    owners = find_owners(overview, small) if others and small else {}
    for fact in odd:
        owner, many = owners.get(id(fact)), len(odd) > MAX_ODD_SHARE * len(known)
        certain = owner is not None or many or fact.fit.strength < CERTAIN
        better = f"; they lie on those of {owner.file}" if owner is not None else ""
        yield Finding(
            "misplaced_label" if certain else "doubtful_label",
            "error" if certain else "warning",
            fact.label_file or fact.file,
            f"The labels do not lie on the nuclei of this image{better}.",
            (
                "Pair each label image with its own image, under the same name; a sorted list "
                "that is one file off does this."
                if owner is not None
                else "Look at both: the labels may belong to another image, another position or "
                "another scale. Replace them, or remove the pair."
            ),
        )


def find_owners(overview: Overview, odd: list[Facts]) -> dict[int, Facts]:
    """For labels that do not fit their image, the image of the set that they fit.

    Parameters
    ----------
    overview : the set.
    odd : facts of the images whose labels do not fit.

    Returns
    -------
    Facts of the owner by the id of the facts of the image; only where it is certain.
    """
    reader, strengths = overview.dataset.reader, {id(f): [] for f in odd}
    odd = odd[:MOST_MISFITS]
    labels = [reader.unchecked_label(f.entry, reader.image(f.entry)).pixels for f in odd]
    places = {id(f): i for i, f in enumerate(overview.facts)}
    shapes, wanted = {label.shape for label in labels}, [places[id(f)] for f in odd]
    near = sorted(
        (
            f
            for f in overview.facts
            if f.image is not None and not f.is_large and f.image.space_shape in shapes
        ),
        key=lambda f: min(abs(places[id(f)] - place) for place in wanted),
    )
    for other in near[:MOST_OTHERS]:
        image, size = reader.image(other.entry), CROPS[len(other.image.space_shape)][-1]
        contrast = Contrast(image, odd[0].diameter or 10, size=size)
        for fact, label in zip(odd, labels, strict=True):
            if other is not fact and label.shape == image.space_shape:
                strengths[id(fact)].append((contrast.measure(label), places[id(other)]))
    best = {f: max(found, default=(0, 0)) for f, found in strengths.items()}
    return {f: overview.facts[i] for f, (strength, i) in best.items() if strength > FITS + 1}


def is_label_of_itself(view: View) -> bool:
    """Whether image and label image part the field in the same way, each nucleus of one value."""
    image, label = view.image.pixels, view.label.pixels
    if image.shape != label.shape or image.dtype.kind not in "iu" or not len(view.regions.values):
        return False
    regions = view.regions
    if len(regions.values) == 1:
        return bool((image == label).all())
    if len(regions.part_values) > MAX_PARTS * len(regions.values):
        return False  # an image in labels/, not labels in images/
    if ((image > 0) != (label > 0)).any():
        return False
    inside = label > 0
    numbers = np.unique(label[inside], return_inverse=True)[1].ravel()
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    grey = image[inside][order]
    lowest, highest = (f.reduceat(grey, starts) for f in (np.minimum, np.maximum))
    return bool((lowest == highest).all() and len(np.unique(lowest)) == len(lowest))


def count_unlabelled(image: Image, label: np.ndarray) -> int:
    """Count objects without a label that are as large and as bright as the labelled nuclei.

    The threshold lies half-way between the grey values of labelled nuclei and of the rest. Objects
    that touch the border or a label, or lie in pixels marked -1, do not count.

    Parameters
    ----------
    image : grey values of one channel, or colours; their mean is used.
    label : (*space) label image with nuclei.

    Returns
    -------
    The number; 0 where nuclei and background do not differ in grey value.
    """
    from scipy import ndimage

    grey = image.pixels.astype(np.float32)
    if "C" in image.axes:
        grey = image.to(image.spatial + "C").pixels.mean(-1, dtype=np.float32)
    sigma = [1 / step for step in image.relative_spacing]
    grey = ndimage.gaussian_filter(np.nan_to_num(grey), sigma)
    inside = label > 0
    outside = ~ndimage.binary_dilation(label != 0, iterations=2)
    if not outside.any():
        return 0
    level, background = np.median(grey[inside]), np.median(grey[outside])
    spread = np.percentile(grey[outside], 75) - np.percentile(grey[outside], 25)
    if abs(level - background) <= spread:
        return 0
    sign = np.sign(level - background)
    marks = (sign * (grey - (level + background) / 2) > 0) & (label == 0)
    candidates, count = ndimage.label(marks)
    if not count:
        return 0
    sizes = np.bincount(candidates.ravel(), minlength=count + 1)[1:]
    middle = float(np.median(np.unique(label[inside], return_counts=True)[1]))
    alike = (sizes > ALIKE[0] * middle) & (sizes < ALIKE[1] * middle)
    brightness = ndimage.mean(grey, candidates, np.arange(1, count + 1))
    bright = sign * (brightness - background) > MIN_BRIGHTNESS * abs(level - background)
    apart = ~_touch(candidates, outside)
    return int((alike & bright & apart & _are_compact(candidates, sizes)).sum())


def _are_compact(objects: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Whether objects fill half of their box, as discs and balls do; (N,) bool."""
    from scipy import ndimage

    boxes = [np.prod([s.stop - s.start for s in box]) for box in ndimage.find_objects(objects)]
    return sizes > 0.5 * np.array(boxes)


def _touch(objects: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Whether objects reach a label or the border in Y and X; (N,) bool."""
    touching = [objects[~outside]]
    for axis in range(objects.ndim - 2, objects.ndim):
        touching += [np.take(objects, edge, axis).ravel() for edge in (0, -1)]
    return np.isin(np.arange(1, objects.max() + 1), np.concatenate(touching))


PLACEMENT_CHECKS = [find_copied, find_turned, find_unlabelled]
