"""Movies: names of their time points, and stacks whose planes are called time points."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from nbtools.image import Image

NUMBERED = re.compile(r"(.+)_t(\d+)$")
MOST_ALIKE = 0.8  # share of pixels with the same label in the next plane, of those with any


def name_frame(name: str, time: int, *, count: int) -> str:
    """The name of a time point that is an image of its own.

    Parameters
    ----------
    name : of the movie.
    time : number from 0.
    count : time points of the movie.

    Examples
    --------
    >>> name_frame("embryo", 7, count=20)
    'embryo_t07'
    """
    return f"{name}_t{time:0{len(str(count - 1))}d}"


def split_name(name: str, movies: Collection[str]) -> tuple[str, int] | None:
    """The movie and the time point that `name_frame` made a name of; None where it is another name.

    Parameters
    ----------
    name : of an image.
    movies : names that a movie may have.

    Examples
    --------
    >>> split_name("embryo_t07", ["embryo"]), split_name("embryo", ["embryo"])
    (('embryo', 7), None)
    """
    found = NUMBERED.match(name)
    return (found[1], int(found[2])) if found and found[1] in movies else None


@dataclass(frozen=True)
class Doubt:
    """Time points that may be the slices of a volume.

    Parameters
    ----------
    axes : that the image has then.
    continuous : whether labels go on from plane to plane.
    """

    axes: str
    continuous: bool = False


def doubt_time(image: Image, label: Image | None = None) -> Doubt | None:
    """What time points would be if they were slices; None where they are certainly time points.

    Many programs write a z-stack as a movie. A file that states the interval of its frames is
    believed, as is one that has an axis Z as well.

    Parameters
    ----------
    image : as its file describes it.
    label : its labels, if there are any.

    Examples
    --------
    >>> doubt_time(Image(np.zeros((9, 8, 8)), "TYX"))
    Doubt(axes='ZYX', continuous=False)
    >>> doubt_time(Image(np.zeros((9, 8, 8)), "TYX", interval_s=30.0)) is None
    True
    """
    if image.size("T") < 2 or image.size("Z") > 1 or image.interval_s is not None:
        return None
    order = image.axes.replace("Z", "").replace("T", "Z")
    same = label is not None and label.pixels.ndim > 2 and len(label.pixels) == image.size("T")
    return Doubt(order, same and are_continuous(label.pixels))


def are_continuous(planes: np.ndarray) -> bool:
    """Whether most labelled pixels have the same label in the next plane, where that has any.

    Parameters
    ----------
    planes : (N, Y, X) or (N, Z, Y, X) labels.
    """
    both = (planes[:-1] > 0) & (planes[1:] > 0)
    if not both.any():
        return False
    return bool((planes[:-1] == planes[1:])[both].mean() >= MOST_ALIKE)
