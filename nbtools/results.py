"""What a result is: labels, class map, points, boxes, classes or a restored image.

Each knows the image it belongs to: its name, axes and pixel size travel with it into the files.
Each kind of result belongs to one task, see `nbtools.tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nbtools.image import Image


@dataclass(frozen=True)
class Grid:
    """The image that coordinates are counted in.

    Parameters
    ----------
    axes : spatial axes in the order of the coordinates' columns, "YX" or "ZYX".
    shape : pixels along each of them.
    spacing : pixel size along each of them, in `unit`; None where it is unknown.
    unit : "um", or "pixel" where only the ratio of the pixel sizes is known.
    name : of the image.

    Examples
    --------
    >>> Grid.of(Image(np.zeros((9, 33, 41)), "ZYX", (0.5, 0.2, 0.2), name="a")).shape
    (9, 33, 41)
    """

    axes: str
    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    unit: str = "um"
    name: str = ""

    @classmethod
    def of(cls, image: Image) -> Grid:
        """The grid of an image."""
        return cls(image.spatial, image.space_shape, image.spacing, image.unit, image.name)

    @property
    def spacing_um(self) -> tuple[float, ...] | None:
        """Pixel size in µm; None where it is unknown or only a ratio."""
        return self.spacing if self.unit == "um" else None


@dataclass(frozen=True, eq=False)
class Labels:
    """Instance labels: 0 background, 1 … N one number per nucleus.

    Parameters
    ----------
    image : the label image, int32.
    score : label → how sure the method is of this object, 0 … 1; None where it has no score.
        The objects of a movie are named by (frame, label), here and below.
    classes : label → name of its class, from a model that has learned classes; else None.
    probability : label → probability of that class.
    """

    image: Image
    score: Mapping[int, float] | None = None
    classes: Mapping[int, str] | None = None
    probability: Mapping[int, float] | None = None

    def frames(self) -> list[Labels]:
        """The labels of each time point, or these alone where there is no axis T."""
        if "T" not in self.image.axes:
            return [self]
        about = (self.score, self.classes, self.probability)
        return [
            Labels(moment, *(_select_frame(one, time) for one in about))
            for time, moment in enumerate(self.image.frames())
        ]


@dataclass(frozen=True, eq=False)
class ClassMap:
    """A class per pixel.

    Parameters
    ----------
    image : number of the class of each pixel, from 0.
    names : of the classes, in the order of their numbers.
    probability : (..., K) of each class per pixel, on the same axes with C last; None if unknown.
    """

    image: Image
    names: tuple[str, ...]
    probability: Image | None = None

    def frames(self) -> list[ClassMap]:
        """The classes of each time point, or these alone where there is no axis T."""
        return [ClassMap(moment, self.names) for moment in self.image.frames()]


@dataclass(frozen=True, eq=False)
class Points:
    """A point per nucleus.

    Parameters
    ----------
    coordinates : (N, D) in pixels; the centre of the first pixel is 0.
    grid : the image they are counted in; its axes are the columns of `coordinates`.
    score : (N,) how sure the method is of each, 0 … 1; None where it has no score.
    classes : (N,) name of each point's class; () where there are none.
    frame : (N,) time point of each, in a movie; else None.
    void : (*space) bool, of true points: where nobody has looked; None where that is nowhere.
    """

    coordinates: np.ndarray
    grid: Grid
    score: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    frame: np.ndarray | None = None
    void: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.coordinates)

    def on_grid(self, grid: Grid) -> Points:
        """The same places in an image of other pixels over the same field of view.

        Parameters
        ----------
        grid : of the image.

        Examples
        --------
        >>> found = Points(np.array([[1.5, 3.5]]), Grid("YX", (4, 8)))
        >>> found.on_grid(Grid("YX", (2, 4))).coordinates.tolist()
        [[0.5, 1.5]]
        """
        scale = np.array(self.grid.shape) / grid.shape
        return replace(self, coordinates=(self.coordinates + 0.5) / scale - 0.5, grid=grid)

    def of_frame(self, time: int) -> Points:
        """The points of one time point."""
        inside = np.asarray(self.frame) == time
        return Points(self.coordinates[inside], self.grid, **choose_objects(self, inside))


@dataclass(frozen=True, eq=False)
class Boxes:
    """A box per nucleus.

    Parameters
    ----------
    edges : (N, 2 D) in pixels, half-open: the columns y0, x0, y1, x1 and in 3D z0, z1 behind them,
        as `io.read_boxes` has them.
    grid, score, classes, frame, void : as those of `Points`.
    """

    edges: np.ndarray
    grid: Grid
    score: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    frame: np.ndarray | None = None
    void: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.edges)

    def of_frame(self, time: int) -> Boxes:
        """The boxes of one time point."""
        inside = np.asarray(self.frame) == time
        return Boxes(self.edges[inside], self.grid, **choose_objects(self, inside))


@dataclass(frozen=True, eq=False)
class Classes:
    """The class of an image, or of each nucleus in it.

    Parameters
    ----------
    names : of the classes.
    probability : (N, K) of each class, a row per object; one row for the image as a whole.
    name : of the image.
    label : (N,) label of the nucleus of each row; None for the image as a whole.
    """

    names: tuple[str, ...]
    probability: np.ndarray
    name: str = ""
    label: np.ndarray | None = None

    @property
    def best(self) -> list[str]:
        """Name of the most probable class of each row."""
        return [self.names[i] for i in self.probability.argmax(axis=1)]


@dataclass(frozen=True, eq=False)
class Restored:
    """A restored or translated image, on the axes of the input."""

    image: Image

    def frames(self) -> list[Restored]:
        """The image of each time point, or this alone where there is no axis T."""
        return [Restored(moment) for moment in self.image.frames()]


def _select_frame(of_objects: Mapping | None, time: int) -> dict | None:
    """(frame, label) → value, as label → value of one time point."""
    if of_objects is None:
        return None
    return {label: value for (frame, label), value in of_objects.items() if frame == time}


def choose_objects(found: Points | Boxes, inside: np.ndarray) -> dict:
    """Scores and classes of some objects."""
    classes = tuple(name for name, kept in zip(found.classes, inside, strict=False) if kept)
    return {"score": None if found.score is None else found.score[inside], "classes": classes}


def join_frames(frames: Sequence[Labels], image: Image) -> Labels:
    """The labels of a movie from those of its time points.

    Parameters
    ----------
    frames : labels of each time point, with their scores and classes.
    image : labels of all, (T, ...).
    """
    joined = {}
    for name in ("score", "classes", "probability"):
        each = [getattr(frame, name) for frame in frames]
        if any(one is not None for one in each):
            joined[name] = {
                (time, label): value
                for time, one in enumerate(each)
                for label, value in (one or {}).items()
            }
    return Labels(image, **joined)


Result = Labels | ClassMap | Points | Boxes | Classes | Restored


def score_labels(label: np.ndarray, foreground: np.ndarray) -> dict[int, float]:
    """Score per object: the mean foreground probability of its pixels.

    Parameters
    ----------
    label : (*space) int, 0 background.
    foreground : (*coarse) probabilities of the same field of view, with as many pixels or fewer.

    Returns
    -------
    dict
        label → mean, 0 … 1.

    Examples
    --------
    >>> score_labels(np.array([[0, 2, 2]]), np.array([[0.1, 0.5, 1.0]]))
    {2: 0.75}
    """
    if foreground.shape != label.shape:
        sizes = zip(label.shape, foreground.shape, strict=True)
        nearest = [((np.arange(new) + 0.5) * old / new).astype(int) for new, old in sizes]
        foreground = foreground[np.ix_(*nearest)]
    inside = label > 0
    labels = label[inside]
    sizes, sums = np.bincount(labels), np.bincount(labels, foreground[inside])
    present = np.flatnonzero(sizes)
    means = np.clip(sums[present] / sizes[present], 0.0, 1.0)
    return dict(zip(present.tolist(), means.tolist(), strict=True))
