"""Cut images into tiles that know their field of view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, compress

import numpy as np

from nbtools.data.dataset import DataSet
from nbtools.data.sample import Sample
from nbtools.errors import UserError
from nbtools.image import Image


def cut_tiles(samples: Iterable[Sample], size: int, *, name: str = "") -> DataSet:
    """Cut images into square tiles, side by side.

    Tiles are named FIELD_y0_x128 and have their field as group, so that no split divides a field.

    Parameters
    ----------
    samples : images with any partners, which are cut as well.
    size : of a tile, in pixels; a remainder at the border is left out.
    name : of the data set.

    Raises
    ------
    UserError : an image is smaller than a tile.

    Examples
    --------
    >>> cut_tiles([Sample("field", Image(np.zeros((40, 100)), "YX"))], 32).names
    ['field_y0_x0', 'field_y0_x32', 'field_y0_x64']
    """
    return DataSet.of(
        list(chain.from_iterable(_tiles(sample, size) for sample in samples)), name=name
    )


def _tiles(sample: Sample, size: int) -> Iterator[Sample]:
    height = sample.image.size("Y")
    width = sample.image.size("X")
    if not 0 < size <= min(height, width):
        raise UserError(
            "A tile must fit into the image.",
            f"{size} px, {sample.name} of {height} x {width}",
            "Use a smaller tile.",
        )
    for y in range(0, height - size + 1, size):
        for x in range(0, width - size + 1, size):
            images = (
                _cut(image, {"Y": y, "X": x}, size)
                for image in (sample.image, sample.label, sample.clean)
            )
            group = sample.group or sample.name
            about = sample.class_name, group, sample.classes
            tile = Sample(f"{sample.name}_y{y}_x{x}", *images, *about)
            yield tile.replace(**_cut_points_and_boxes(sample, (y, x), size))


def _cut_points_and_boxes(sample: Sample, corner: tuple[int, int], size: int) -> dict:
    """Centres in the tile, and boxes whose centre is in the tile, in pixels from its corner.

    Boxes are clipped at the border of the tile.
    """
    places: dict = {}
    if sample.boxes is not None:
        plane = sample.boxes[:, :4] - (corner * 2)
        middle = (plane[:, :2] + plane[:, 2:]) / 2
        inside = ((middle >= 0) & (middle < size)).all(axis=1)
        places["boxes"] = np.hstack([plane.clip(0, size), sample.boxes[:, 4:]])[inside]
        places["box_classes"] = tuple(compress(sample.box_classes, inside))
    if sample.centres is not None:
        centres = sample.centres.copy()
        columns = [sample.image.spatial.index(letter) for letter in "YX"]
        centres[:, columns] -= corner
        plane = centres[:, columns]
        inside = ((plane >= -0.5) & (plane < size - 0.5)).all(axis=1)
        places["centres"] = centres[inside]
        places["centre_classes"] = tuple(compress(sample.centre_classes, inside))
    return places


def _cut(image: Image | None, corner: dict[str, int], size: int) -> Image | None:
    if image is None:
        return None
    index = tuple(
        slice(corner[a], corner[a] + size) if a in corner else slice(None) for a in image.axes
    )
    return image.replace(pixels=np.ascontiguousarray(image.pixels[index]))
