"""Images with what a detector found, or what is true, marked on them."""

from __future__ import annotations

from collections.abc import Mapping

from nbtools.image import RGB, Image
from nbtools.results import Boxes, Labels, Points
from nbtools.show.figure import Figure
from nbtools.show.pictures import images
from nbtools.show.results import points_rgb
from nbtools.tasks.detection import convert


def points(image: Image, found: Mapping[str, object], *, columns: int = 3) -> Figure:
    """Draw one image several times, each time with the points or boxes of another method.

    Parameters
    ----------
    image : plane or volume; of a volume, its projection.
    found : title → points, boxes, labels (shown by their centres) or a prediction of these.
    columns : pictures per row.

    Examples
    --------
    >>> import numpy as np
    >>> from nbtools.results import Grid
    >>> image = Image(np.eye(40), "YX")
    >>> points(image, {"truth": Points(np.array([[9.0, 20.0]]), Grid.of(image))}).alt
    '1 image'
    """
    pictures = {}
    for name, one in found.items():
        marks: Points | Boxes | Labels = convert(getattr(one, "result", one))
        pixels = points_rgb(image, marks)
        pictures[f"{name}: {len(marks)}"] = Image(pixels, "YXC", channels=RGB)
    return images(pictures, columns=columns)
