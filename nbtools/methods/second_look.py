"""Whether nuclei of an unusual size are found alike at the size of the training's nuclei.

A model that was trained on nuclei of another size may miss these, or find them all. The middle of
the image is predicted again, resampled so that its nuclei have the size of the training's; where
both looks find the same, their size is no reason for doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nbtools.errors import UserError
from nbtools.geometry import crop_centre
from nbtools.image import Image
from nbtools.inference.rescaling import find_zoom
from nbtools.metrics.overlap import find_overlap, match_nuclei

if TYPE_CHECKING:
    from nbtools.methods.domain import Domain

SIDE = {2: 512, 3: 96}  # pixels of the model, of the part that is looked at again
FEW = 3  # nuclei; fewer tell nothing
ALIKE = 0.9  # of the nuclei, on either side
IOU = 0.5


def finds_the_same(
    predict: Callable[[Image, float], np.ndarray],
    image: Image,
    *,
    label: np.ndarray,
    domain: Domain,
    pixels: float,
) -> bool:
    """Whether the middle of an image gives the same nuclei at the size of the training's.

    Parameters
    ----------
    predict : (image, diameter of its nuclei in the unit of its spacing) → labels.
    image : with the axes of the model, with or without C.
    label : (*space) what was found in it.
    domain : with the size of the training's nuclei.
    pixels : median diameter found, in pixels of the image.

    Returns
    -------
    False where they differ, or where the image cannot be looked at in this way.
    """
    spacing = image.spacing or domain.spacing or (1.0,) * label.ndim
    image = image.to(domain.axes + ("C" if "C" in image.axes else ""))
    image = image.replace(spacing=spacing, unit=image.unit if image.spacing else domain.unit)
    diameter = pixels * float(np.exp(np.mean(np.log(spacing))))
    try:
        zoom = find_zoom(image, domain, diameter=diameter) or (1.0,) * label.ndim
        part = tuple(round(SIDE[label.ndim] / z) for z in zoom)
        again = predict(image.replace(pixels=crop_centre(image.pixels, part)), diameter)
    except UserError:
        return False
    return are_alike(crop_centre(label, part), again)


def are_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether each of two label images has nearly all whole nuclei of the other.

    Parameters
    ----------
    one, other : (*space) labels of the same field. Nuclei that the border cuts need no partner.

    Examples
    --------
    >>> label = np.zeros((40, 40), int)
    >>> label[2:8, 2:8], label[12:18, 2:8], label[22:28, 2:8], label[30:36, 30:36] = 1, 2, 3, 4
    >>> are_alike(label, label), are_alike(label, np.where(label == 4, 0, label))
    (True, False)
    """
    table = find_overlap(one, other)
    matched = match_nuclei(table, table.iou, iou=IOU)
    sides = (
        (table.true_labels, table.row[matched], one),
        (table.predicted_labels, table.column[matched], other),
    )
    for numbers, found, label in sides:
        whole = ~np.isin(numbers, _list_cut(label))
        partners = np.isin(np.arange(len(numbers)), found)
        if whole.sum() < FEW or partners[whole].mean() < ALIKE:
            return False
    return True


def _list_cut(label: np.ndarray) -> np.ndarray:
    """Labels that touch the border."""
    faces = [np.take(label, [0, -1], axis) for axis in range(label.ndim)]
    return np.unique(np.concatenate([face.ravel() for face in faces]))
