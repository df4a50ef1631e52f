"""Markers: points or boxes say which nuclei there are, a segmentation says where they lie.

Each marker becomes one nucleus, by a watershed on the distance to the background that floods what
the segmentation took for nuclei (Meyer 1994, doi:10.1016/0165-1684(94)90060-4). An object with one
marker keeps its outline; one with several is divided; touching pieces without a marker join the
nucleus they touch; those that touch none are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.results import Boxes, Labels, Points
from nbtools.tasks.detection import as_points


@dataclass(frozen=True)
class MarkerCount:
    """What markers did to the objects of an image.

    Parameters
    ----------
    markers : their number.
    outside : markers that lie on no object and gave no nucleus.
    divided : objects with several markers.
    dropped : objects that no marker lies on, and that touch no nucleus.
    """

    markers: int = 0
    outside: int = 0
    divided: int = 0
    dropped: int = 0

    def __add__(self, other: MarkerCount) -> MarkerCount:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return MarkerCount(*(a + b for a, b in pairs))

    def __str__(self) -> str:
        parts = [
            f"objects divided: {self.divided}" if self.divided else "",
            f"left out, as no marker lies on them: {self.dropped}" if self.dropped else "",
            f"markers on no object: {self.outside}" if self.outside else "",
        ]
        return "; ".join([f"Markers: {self.markers}", *filter(None, parts)])


def apply_markers(labels: Labels, marks: Points | Boxes) -> tuple[Labels, MarkerCount]:
    """One nucleus per marker.

    Parameters
    ----------
    labels : of a segmentation; of a movie, markers name their frame.
    marks : points, or boxes, of which the middle counts; in pixels of the same image.

    Returns
    -------
    Labels, whose numbers are those of the markers, from 1 in their order (of a movie within each
    frame), with the scores of the objects they lie in; and what was done.

    Examples
    --------
    >>> from nbtools.image import Image
    >>> from nbtools.results import Grid
    >>> two = Labels(Image(np.ones((3, 9), int), "YX"))
    >>> marks = Points(np.array([[1.0, 1.0], [1.0, 7.0]]), Grid("YX", (3, 9)))
    >>> found, count = apply_markers(two, marks)
    >>> sorted(np.unique(found.image.pixels).tolist()), str(count)
    ([1, 2], 'Markers: 2; objects divided: 1')
    """
    points = as_points(marks)
    movie = "T" in labels.image.axes
    frames, scores, total = [], {}, MarkerCount()
    for time, moment in enumerate(labels.frames()):
        mine = points.of_frame(time) if movie and points.frame is not None else points
        order = [points.grid.axes.index(axis) for axis in moment.image.axes]
        places = mine.coordinates[:, order]
        pixels, owner, count = divide_objects(
            moment.image.pixels, places, spacing=moment.image.spacing
        )
        frames.append(pixels)
        total += count
        for number, label in owner.items():
            score = (moment.score or {}).get(label)
            if score is not None:
                scores[(time, number) if movie else number] = score
    stacked = np.stack(frames) if movie else frames[0]
    image = labels.image.to("T" * movie + labels.image.spatial).replace(pixels=stacked)
    return Labels(image, scores or None), total


def divide_objects(
    label: np.ndarray, places: np.ndarray, *, spacing: tuple[float, ...] | None = None
) -> tuple[np.ndarray, dict[int, int], MarkerCount]:
    """Divide and join the objects of an image by their markers.

    Parameters
    ----------
    label : (*space) labels from 0.
    places : (N, ndim) markers in pixels.
    spacing : relative pixel size along each axis; None for 1.

    Returns
    -------
    (*space) int32, whose numbers are those of the markers from 1; number → label of the object
    that its marker lies in; and what was done.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    inside = label > 0
    rounded = np.rint(places).astype(int)
    valid = ((rounded >= 0) & (rounded < label.shape)).all(axis=1)
    rounded = rounded.clip(0, np.array(label.shape) - 1)
    under = np.where(valid, label[tuple(rounded.T)], 0)
    owner = {n + 1: int(o) for n, o in enumerate(under) if o > 0}
    owned, counts = np.unique(under[under > 0], return_counts=True)
    seeds = np.zeros(label.shape, np.int32)
    alone = set(owned[counts == 1].tolist())
    table = {o: n for n, o in owner.items() if o in alone}
    whole = np.isin(label, list(table))
    if table:
        keys = np.array(sorted(table))
        numbers = np.array([table[key] for key in keys.tolist()])
        seeds[whole] = numbers[np.searchsorted(keys, label[whole])]
    for number, place in enumerate(rounded, start=1):
        if number in owner and owner[number] not in alone:
            seeds[tuple(place)] = number
    distance = ndimage.distance_transform_edt(inside, sampling=spacing)
    pixels = watershed(-distance, seeds, mask=inside).astype(np.int32)
    left = np.setdiff1d(label[inside & (pixels == 0)], owned)
    count = MarkerCount(
        len(places), int((under <= 0).sum()), int((counts > 1).sum()), len(np.unique(left))
    )
    return pixels, owner, count
