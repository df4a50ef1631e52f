"""Tracks: which nucleus of one frame is which of the next, and who divided into whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nbtools.errors import UserError
from nbtools.geometry import count_sizes, equivalent_diameter
from nbtools.image import Image
from nbtools.results import Grid


@dataclass(frozen=True, eq=False)
class Tracks:
    """Nuclei of a movie with the track that each belongs to.

    A track is a nucleus from its first frame, or its birth in a division, to its last frame or its
    own division: the two nuclei after a division are tracks of their own, whose parent it is.

    Parameters
    ----------
    frame : (N,) time point of each nucleus, from 0.
    label : (N,) its number in the label image of that time point.
    track : (N,) number of its track, from 1.
    coordinates : (N, D) its centre in pixels.
    grid : image that the coordinates are counted in.
    radius : (N,) of the disc or ball of its size, in pixels of X.
    parents : track → the track that divided into it.
    interval_s : time between frames; None where it is unknown.
    """

    frame: np.ndarray
    label: np.ndarray
    track: np.ndarray
    coordinates: np.ndarray
    grid: Grid
    radius: np.ndarray
    parents: Mapping[int, int] = field(default_factory=dict)
    interval_s: float | None = None

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the tracks, ascending."""
        return np.unique(self.track).tolist()

    @property
    def divisions(self) -> int:
        """How many tracks end in a division."""
        return len(set(self.parents.values()))

    def spans(self) -> dict[int, tuple[int, int]]:
        """Track → its first and its last frame."""
        order = np.lexsort((self.frame, self.track))
        numbers, first = np.unique(self.track[order], return_index=True)
        last = np.append(first[1:], len(order)) - 1
        frames = self.frame[order]
        pairs = zip(frames[first].tolist(), frames[last].tolist(), strict=True)
        return dict(zip(numbers.tolist(), pairs, strict=True))

    def edges(self) -> list[tuple[int, int, bool]]:
        """Links as (index of a nucleus, index of its next one, whether through a division)."""
        order = np.lexsort((self.frame, self.track))
        same = np.diff(self.track[order]) == 0
        pairs = zip(order[:-1][same].tolist(), order[1:][same].tolist(), strict=True)
        links = [(a, b, False) for a, b in pairs]
        first, last = {}, {}
        for index in order.tolist():
            first.setdefault(int(self.track[index]), index)
            last[int(self.track[index])] = index
        links += [(last[p], first[c], True) for c, p in self.parents.items()]
        return links


def from_labels(
    label: Image, *, parents: Mapping[int, int] | None = None, tracked: bool = False
) -> Tracks:
    """The nuclei of a movie.

    Parameters
    ----------
    label : label image with the axes T, (Z,) Y, X.
    parents : track → parent, where the labels are tracks.
    tracked : labels are numbers of tracks; else each nucleus is a track of its own until `link`.

    Raises
    ------
    UserError : the image is no movie.

    Examples
    --------
    >>> movie = Image(np.array([[[0, 4, 4]], [[4, 4, 0]]]), "TYX")
    >>> tracks = from_labels(movie, tracked=True)
    >>> tracks.frame.tolist(), tracks.coordinates.tolist()
    ([0, 1], [[0.0, 1.5], [0.0, 0.5]])
    """
    if label.size("T") < 2:
        raise UserError(
            "Nuclei are followed through the frames of a movie.",
            f"{label.name or 'an image'} with axes {label.axes}",
            "Give a movie; where a stack of frames was read as a volume, add --axes TYX.",
        )
    frames, labels, places, sizes = [], [], [], []
    moments = label.frames()
    for number, moment in enumerate(moments):
        known, counts, middles = measure_nuclei(moment.pixels)
        frames.append(np.full(len(known), number))
        labels.append(known)
        places.append(middles)
        sizes.append(counts)
    ndim, spacing = len(label.spatial), label.relative_spacing
    frame, own = np.concatenate(frames), np.concatenate(labels)
    volume = np.concatenate(sizes) * float(np.prod(spacing))
    return Tracks(
        frame=frame,
        label=own,
        track=own.copy() if tracked else np.arange(1, len(own) + 1),
        coordinates=np.concatenate(places).reshape(-1, ndim),
        grid=Grid.of(moments[0]),
        radius=equivalent_diameter(volume, ndim) / 2 / spacing[-1],
        parents=dict(parents or {}),
        interval_s=label.interval_s,
    )


def measure_nuclei(label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (N,), pixels (N,) and centres (N, ndim) of the nuclei of a frame.

    Parameters
    ----------
    label : (*space) labels from 0; numbers below 1 are no nuclei.
    """
    labels, sizes = count_sizes(label)
    if not len(labels):
        return labels, sizes, np.zeros((0, label.ndim))
    inside = np.nonzero(label > 0)
    order = np.searchsorted(labels, label[inside])
    sums = [np.bincount(order, along, len(labels)) for along in inside]
    return labels, sizes, np.stack(sums, axis=-1) / sizes[:, None]
