"""Results on the grid of the image: from the pixel grid of the model, with time points joined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbtools.augment import box_corners, join_corners
from nbtools.image import Image
from nbtools.inference.rescaling import return_size
from nbtools.results import (
    Boxes,
    Classes,
    ClassMap,
    Grid,
    Labels,
    Points,
    Restored,
    Result,
    choose_objects,
    join_frames,
)

Zoom = tuple[float, ...] | None


def place_results(frames: Sequence[Result], image: Image, *, zoom: Zoom = None) -> Result:
    """One result for an image.

    Parameters
    ----------
    frames : the result of each time point, on the pixel grid of the model; one for an image
        without T.
    image : the input, with its axes, pixel size and name.
    zoom : how many times as many pixels, along each spatial axis, the model was given.
    """
    return PLACES[type(frames[0])](frames, image, zoom)


def _place_labels(frames: Sequence[Labels], image: Image, _: Zoom) -> Labels:
    plain = _without_channels(image)
    shape = tuple(plain.size(axis) for axis in plain.spatial)
    labels = [return_size(frame.image.pixels, shape) for frame in frames]
    pixels = np.stack(labels) if "T" in image.axes else labels[0]
    placed = plain.replace(pixels=pixels, channels=())
    if any(frame.score is None for frame in frames):
        return Labels(placed)
    each = [_keep_scores(*pair) for pair in zip(frames, labels, strict=True)]
    return join_frames(each, placed) if "T" in image.axes else Labels(placed, each[0].score)


def _keep_scores(frame: Labels, label: np.ndarray) -> Labels:
    """Resampled labels of a time point, which were numbered again, with the scores they had."""
    before = frame.image.pixels
    if label.shape == before.shape:
        return frame
    sizes = zip(label.shape, before.shape, strict=True)
    at = np.ix_(*[((np.arange(new) + 0.5) * old / new).astype(int) for new, old in sizes])
    number = np.zeros(int(label.max(initial=0)) + 1, int)
    there = before[at] > 0
    number[label[there]] = before[at][there]
    scores = {n: frame.score[int(number[n])] for n in range(1, len(number)) if number[n]}
    return Labels(frame.image.replace(pixels=label), scores)


def _place_class_map(frames: Sequence[ClassMap], image: Image, _: Zoom) -> ClassMap:
    plain = _without_channels(image)
    shape = tuple(plain.size(axis) for axis in plain.spatial)
    maps = []
    for frame in frames:
        sizes = zip(shape, frame.image.shape, strict=True)
        nearest = [((np.arange(new) + 0.5) * old / new).astype(int) for new, old in sizes]
        maps.append(frame.image.pixels[np.ix_(*nearest)])
    pixels = np.stack(maps) if "T" in image.axes else maps[0]
    return ClassMap(plain.replace(pixels=pixels, channels=()), frames[0].names)


def _place_points(frames: Sequence[Points], image: Image, _: Zoom) -> Points:
    """Points from the grid of the maps, which may have been magnified beyond `zoom`, too."""
    grid = _grid_of(frames[0], image)
    places = np.concatenate([frame.on_grid(grid).coordinates for frame in frames])
    return Points(places, grid, **_join(frames, image))


def _place_boxes(frames: Sequence[Boxes], image: Image, zoom: Zoom) -> Boxes:
    scale, grid, placed = np.array(zoom or 1.0), _grid_of(frames[0], image), []
    for frame in frames:
        low, high = (np.clip(c / scale, 0, grid.shape) for c in box_corners(frame.edges))
        inside = (high > low).all(axis=1)
        edges = join_corners(low[inside], high[inside])
        placed.append(Boxes(edges, frame.grid, **choose_objects(frame, inside)))
    edges = np.concatenate([frame.edges for frame in placed])
    return Boxes(edges, grid, **_join(placed, image))


def _place_classes(frames: Sequence[Classes], image: Image, _: Zoom) -> Classes:
    probability = np.mean([frame.probability for frame in frames], axis=0)
    return Classes(frames[0].names, probability, image.name)


def _place_restored(frames: Sequence[Restored], image: Image, _: Zoom) -> Restored:
    axes = frames[0].image.axes
    ordered = image.to("T" + axes)
    pixels = np.stack([frame.image.pixels for frame in frames])
    return Restored(ordered.replace(pixels=pixels).to(image.axes))


PLACES = {
    Labels: _place_labels,
    ClassMap: _place_class_map,
    Points: _place_points,
    Boxes: _place_boxes,
    Classes: _place_classes,
    Restored: _place_restored,
}


def _without_channels(image: Image) -> Image:
    axes = "".join(axis for axis in "ZYX" if axis in image.axes)
    return image.select(C=0).to("T" * ("T" in image.axes) + axes)


def _grid_of(found: Points | Boxes, image: Image) -> Grid:
    return Grid.of(image.select(T=0, C=0).to(found.grid.axes))


def _join(frames: Sequence[Points | Boxes], image: Image) -> dict:
    """Scores, classes and numbers of the time points of all objects."""
    joined: dict = {"classes": tuple(name for frame in frames for name in frame.classes)}
    if frames[0].score is not None:
        joined["score"] = np.concatenate([frame.score for frame in frames])
    if "T" in image.axes:
        joined["frame"] = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    return joined
