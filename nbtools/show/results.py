"""The picture of a result on its image, for a first look, whatever kind of result it is."""

from __future__ import annotations

from itertools import chain

import numpy as np

from nbtools import tasks
from nbtools.image import Image
from nbtools.metrics.boxes import split_edges
from nbtools.results import Boxes, Points, Result
from nbtools.show.restoration import side_by_side_rgb
from nbtools.show.views import overlay_rgb
from nbtools.tasks.frames import count_frames, list_frames

MOST_FRAMES, GAP = 4, 4  # of a movie, side by side, and the pixels between them
REACH = 2  # px from a point to the edge of its mark


def result_rgb(image: Image, result: Result) -> np.ndarray | None:
    """The picture that the task of a result names, (H, W, 3) uint8; None where it has none.

    Parameters
    ----------
    image : what the result was predicted from; of a movie, frames from the first to the last stand
        side by side.
    result : of any task.

    Examples
    --------
    >>> from nbtools.results import Restored
    >>> result_rgb(Image(np.eye(40), "YX"), Restored(Image(np.eye(40), "YX"))).shape
    (40, 84, 3)
    """
    draw = DRAWINGS.get(tasks.of_result(result).figures.get("overlay"))
    if draw is None:
        return None
    count = image.size("T")
    if count < 2 or count_frames(result) is None:
        return draw(image.select(T=0), getattr(result, "image", result))
    shown = np.unique(np.linspace(0, count - 1, MOST_FRAMES).round().astype(int))
    parts = list_frames(result, count)
    pictures = [draw(image.select(T=t), getattr(parts[t], "image", parts[t])) for t in shown]
    gap = np.full((len(pictures[0]), GAP, 3), 255, np.uint8)
    return np.concatenate(list(chain.from_iterable((gap, p) for p in pictures))[1:], axis=1)


def points_rgb(image: Image, found: Points | Boxes) -> np.ndarray:
    """An image with a mark on each point, or with boxes, as a colour array (H, W, 3) uint8."""
    flat = image.select(T=0, C=0).to(found.grid.axes)
    if isinstance(found, Boxes):
        low, high = split_edges(found.edges)
    else:
        low, high = found.coordinates - REACH, found.coordinates + REACH + 1
    shown = np.ones(len(found), bool) if found.frame is None else np.asarray(found.frame) == 0
    edges = [np.round(side[shown]).clip(0).astype(int) for side in (low, high)]
    label = np.zeros(flat.shape, np.int32)
    for number, (first, last) in enumerate(zip(*edges, strict=True), 1):
        label[tuple(map(slice, first, last))] = number
    return overlay_rgb(image, flat.replace(pixels=label))


DRAWINGS = {
    "overlay_rgb": overlay_rgb,
    "points_rgb": points_rgb,
    "side_by_side_rgb": side_by_side_rgb,
}
