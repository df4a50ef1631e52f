"""Pseudo-labels: what a model finds twice in an image without labels stands for its truth.

A model looks at an image as it is, and at a mirrored copy with other contrast. Objects that both
looks find are kept; where the looks differ, nobody knows: in labels these pixels are void (-1), so
that training learns nothing from them. Points and boxes have no such pixels: those found once are
left out.

References
----------
Valkonen et al. 2020, doi:10.1109/TMI.2019.2933656 (adapting a detector of nuclei to other slides);
Sohn et al. 2020, arXiv:2001.07685 (agreement of two views).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.data import Sample
from nbtools.image import Image
from nbtools.metrics import boxes, detection, overlap
from nbtools.results import Boxes, Grid, Labels, Points

IOU = 0.6  # from which two looks mean the same object
GATE_PX = 3.0  # within which two looks mean the same point
GAMMA = 0.7  # of the contrast of the second look
VOID = -1


@dataclass(frozen=True)
class Agreement:
    """What two looks at an image have in common.

    Parameters
    ----------
    sample : the image with its pseudo-labels.
    kept : objects found twice.
    doubtful : objects found once only.
    """

    sample: Sample
    kept: int
    doubtful: int


def change_view(image: Image) -> Image:
    """The mirrored image with other contrast, for a second look.

    Parameters
    ----------
    image : of any axes; mirrored along X.

    Examples
    --------
    >>> change_view(Image(np.array([[0, 128, 255]]), "YX")).pixels.round().tolist()
    [[255.0, 157.0, 0.0]]
    """
    pixels = np.flip(image.pixels, image.axes.index("X")).astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    if high > low:
        pixels = low + (high - low) * ((pixels - low) / (high - low)) ** GAMMA
    return image.replace(pixels=pixels)


def agree(
    first: Labels | Points | Boxes, second: Labels | Points | Boxes, *, image: Image
) -> Agreement:
    """Pseudo-labels of an image.

    Parameters
    ----------
    first : what was found in the image.
    second : what was found in `change_view` of it, on the mirrored grid.
    image : the image itself, not of a movie.
    """
    return AGREE[type(first)](first, second, image=image)


def agree_on_labels(first: Labels, second: Labels, *, image: Image) -> Agreement:
    """Objects whose IoU reaches `IOU`, with their outline of the first look; the rest is void."""
    axis = first.image.axes.index("X")
    ours, theirs = first.image.pixels, np.flip(second.image.pixels, axis)
    table = overlap.find_overlap(ours, theirs)
    matched = overlap.match_nuclei(table, table.iou, iou=IOU)
    kept = np.asarray(table.true_labels)[table.row[matched]]
    label = np.where(np.isin(ours, kept), ours, 0).astype(np.int32)
    partner = np.asarray(table.predicted_labels)[table.column[matched]]
    seen = (ours > 0) | ((theirs > 0) & ~np.isin(theirs, partner))
    label[(label == 0) & seen] = VOID
    found = len(table.true_labels) + len(table.predicted_labels)
    sample = Sample(image.name, image, label=first.image.replace(pixels=label))
    return Agreement(sample, len(kept), found - 2 * len(kept))


def agree_on_points(first: Points, second: Points, *, image: Image) -> Agreement:
    """Points that lie within `GATE_PX` of each other; their middles."""
    axis = first.grid.axes.index("X")
    ours, theirs = first.coordinates, second.coordinates.copy()
    theirs[:, axis] = image.size("X") - 1 - theirs[:, axis]
    row, column, _ = detection.match_points(ours, theirs, gate=GATE_PX)
    order = [first.grid.axes.index(letter) for letter in Grid.of(image).axes]
    middles = (ours[row] + theirs[column])[:, order] / 2
    sample = Sample(image.name, image, centres=middles)
    return Agreement(sample, len(row), len(ours) + len(theirs) - 2 * len(row))


def agree_on_boxes(first: Boxes, second: Boxes, *, image: Image) -> Agreement:
    """Boxes whose IoU reaches `IOU`; their middles, with the class of the first look."""
    ours, theirs = first.edges, second.edges.copy()
    theirs[:, [1, 3]] = image.size("X") - theirs[:, [3, 1]]
    iou = boxes.find_box_iou(ours, theirs)
    row, column = np.nonzero(iou >= IOU)
    order = np.argsort(-iou[row, column], kind="stable")
    chosen = detection.choose_free(row, column, order=order)
    row, column = row[chosen], column[chosen]
    classes = tuple(first.classes[i] for i in row.tolist()) if first.classes else ()
    middles = (ours[row] + theirs[column]) / 2
    sample = Sample(image.name, image, boxes=middles, box_classes=classes)
    return Agreement(sample, len(row), len(ours) + len(theirs) - 2 * len(row))


AGREE = {Labels: agree_on_labels, Points: agree_on_points, Boxes: agree_on_boxes}
