"""The table of nuclei of labels in a file: region after region, with the same numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.errors import UserError
from nbtools.image import SPACE, Image
from nbtools.io.stored import StoredPixels
from nbtools.measure.inputs import match_grid, to_spatial
from nbtools.metrics.stored_labels import Place, find_boxes, group_regions


def list_regions(
    label: Image, image: Image | None, *, reach: np.ndarray
) -> Iterator[tuple[Image, Image | None, np.ndarray, Place]]:
    """Parts of an image that hold some nuclei with all that is around them.

    Parameters
    ----------
    label : 2D or 3D label image whose pixels are in a file.
    image : the same field, or None.
    reach : (D,) pixels around a nucleus that count, at least 1 along each axis.

    Yields
    ------
    Label image and image of a part, the labels (n,) that are to be measured in it, and its place.

    Raises
    ------
    UserError : shapes differ.
    """
    label = to_spatial(label)
    if image is not None:
        match_grid(image.select(C=0), label)
    labels, low, high = find_boxes(label.pixels)
    for some, place in group_regions(low, high, shape=label.shape, reach=reach):
        part = label.replace(pixels=label.pixels[place])
        yield part, image and cut(image, label.axes, place=place), labels[some], place


def cut(image: Image, axes: str, *, place: Place) -> Image:
    """A part of an image.

    Parameters
    ----------
    image : with or without channels.
    axes : that the place is along.
    place : of the part.
    """
    along = dict(zip(axes, place, strict=True))
    whole = {axis: slice(None) for axis in image.axes if axis not in SPACE}
    single = {axis: slice(0, 1) for axis in image.spatial if axis not in along}
    at = tuple((whole | single | along)[axis] for axis in image.axes)
    return image.replace(pixels=image.pixels[at])


def keep_rows(table: dict, labels: np.ndarray, *, place: Place, axes: str) -> dict:
    """The rows of some nuclei, with their place in the whole image.

    Parameters
    ----------
    table : of `measure`, of a part of the image.
    labels : of the nuclei to keep.
    place : of the part.
    axes : of the place.
    """
    kept = np.isin(table["label"], labels)
    rows = {name: values[kept] for name, values in table.items()}
    for axis, along in zip(axes.lower(), place, strict=True):
        rows[axis] = rows[axis] + along.start
    return rows


def place_nuclei(
    table: dict, pixels: StoredPixels, *, spacing: np.ndarray, unit: str
) -> dict[str, np.ndarray]:
    """The columns that depend on the whole image, in place of those of its parts.

    Parameters
    ----------
    table : all rows, in the order of the labels.
    pixels : labels of the whole image.
    spacing : pixel size along each axis.
    unit : of the spacing.
    """
    labels, low, high = find_boxes(pixels)
    order = np.searchsorted(labels, table["label"])
    room = np.minimum(low, np.array(pixels.shape) - high)[order] * spacing
    border = room.min(axis=1)
    return {"touches_border": border == 0, f"image_border_{unit}": border}


def refuse_chromocentres(label: Image) -> UserError:
    """The error where chromocentres are asked for in an image that does not fit into memory."""
    return UserError(
        "Chromocentres are found in images that fit into memory.",
        f"{label.name} of {' x '.join(map(str, label.shape))}",
        "Leave out chromocentres, or use a machine with more memory.",
        command="Leave out --chromocentres and --spots, or use a machine with more memory.",
    )
