"""Cut images into tiles that know their field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from nbtools.data.dataset import DataSet
from nbtools.data.sample import Sample
from nbtools.errors import UserError
from nbtools.image import Image


def cut_tiles(samples: Iterable[Sample], size: int, *, name: str = "") -> DataSet:
    """Tiles of size x size px, side by side; a remainder at the border is left out.

    Each is called FIELD_y0_x128 and has its field as group, so that a split keeps the tiles of a field together.

    Raises
    ------
    UserError : an image is smaller than a tile.
    """
    return DataSet.of([tile for sample in samples for tile in _tiles(sample, size)], name=name)


def _tiles(sample: Sample, size: int) -> Iterator[Sample]:
    height, width = sample.image.size("Y"), sample.image.size("X")
    if not 0 < size <= min(height, width):
        raise UserError("A tile must fit into the image.", f"{size} px, {sample.name} of {height} x {width}", "Use a smaller tile.")
    for y in range(0, height - size + 1, size):
        for x in range(0, width - size + 1, size):
            images = (_cut(image, {"Y": y, "X": x}, size) for image in (sample.image, sample.label, sample.clean))
            image, label, clean = images
            name, group = f"{sample.name}_y{y}_x{x}", sample.group or sample.name
            yield Sample(name, image, label, clean, sample.class_name, group, sample.classes)


def _cut(image: Image | None, corner: dict[str, int], size: int) -> Image | None:
    if image is None:
        return None
    index = tuple(slice(corner[a], corner[a] + size) if a in corner else slice(None) for a in image.axes)
    return image.replace(pixels=np.ascontiguousarray(image.pixels[index]))
