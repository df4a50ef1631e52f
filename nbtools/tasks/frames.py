"""Time points: results of a movie are counted and scored one by one, never in sum."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from nbtools.data import name_frame, split_name
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.results import Boxes, Points, Result

COLUMNS = ("frame", "time_s")  # of the tables of movies; the time where the file knows it


def name_time(image: Image, frame: int) -> dict[str, float]:
    """The cells `frame` and, where the interval of the frames is known, `time_s`.

    Parameters
    ----------
    image : movie.
    frame : number of the time point, from 0.

    Examples
    --------
    >>> name_time(Image(np.zeros((3, 8, 8)), "TYX", interval_s=30.0), 2)
    {'frame': 2, 'time_s': 60.0}
    """
    cells: dict[str, float] = {"frame": frame}
    if image.interval_s is not None:
        cells["time_s"] = round(frame * image.interval_s, 6)
    return cells


def summarize(rows: list[dict], image: Image) -> dict:
    """The row of the summary of a movie: means over its time points, and the row of each.

    Parameters
    ----------
    rows : of the summary, one per time point.
    image : what they were predicted from.

    Returns
    -------
    Mean of each column, and `frames`: the rows with their time. Of an image without T, its own row.

    Examples
    --------
    >>> movie = Image(np.zeros((2, 8, 8)), "TYX")
    >>> summarize([{"nuclei": 4}, {"nuclei": 5}], movie)["nuclei"]
    4.5
    """
    if "T" not in image.axes:
        return rows[0]
    means = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        known = [row[name] for row in rows if row.get(name) is not None]
        means[name] = _average(known)
    return means | {"frames": [name_time(image, t) | row for t, row in enumerate(rows)]}


def _average(values: list[float]) -> float | None:
    """The mean, whole where all values and the mean are; None without values."""
    if not values:
        return None
    mean = round(float(np.mean(values)), 4)
    return int(mean) if mean.is_integer() and all(isinstance(v, int) for v in values) else mean


def split_pairs(
    pairs: Iterable[tuple[str, Any, Any]], groups: Mapping[str, object] | None = None
) -> tuple[Iterator[tuple[str, Any, Any]], Mapping[str, object]]:
    """Pairs of truth and result, with each time point of a movie as a pair of its own.

    Parameters
    ----------
    pairs : name, truth, result or None.
    groups : name of an image → its group, for the bootstrap.

    Returns
    -------
    The pairs, and groups that keep the time points of a movie together; they are complete once the
    pairs were read.
    """
    known = dict(groups or {})
    return _split(pairs, known), known


def group_frames(
    names: Iterable[str], movies: Collection[str], *, groups: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Groups that keep the time points of a movie together; {} where there are none.

    Parameters
    ----------
    names : of what was scored: images, and time points of movies.
    movies : names of the images.
    groups : name of an image → its group.

    Examples
    --------
    >>> group_frames(["a_t0", "a_t1", "b"], ["a", "b"])
    {'a_t0': 'a', 'a_t1': 'a'}
    """
    known = dict(groups or {})
    for name in names:
        moment = None if name in movies else split_name(name, movies)
        if moment is not None:
            known[name] = known.get(moment[0], moment[0])
    return known


def _split(pairs: Iterable[tuple], groups: dict) -> Iterator[tuple]:
    for name, truth, found in pairs:
        frames = split_pair(name, truth, found=found)
        group = groups.get(name, name)
        for one, *pair in frames:
            if len(frames) > 1:
                groups[one] = group
            yield one, *pair


def split_pair(name: str, truth: Result, *, found: Result | None) -> list[tuple]:
    """(name, truth, result or None) of each time point; the pair itself where there is one.

    Parameters
    ----------
    name : of the image.
    truth, found : results of any kind; the labels of one side may call their time points planes.

    Raises
    ------
    UserError : the two have other numbers of time points.
    """
    truth, found = share_time(truth, found)
    counts = {count_frames(one) for one in (truth, found) if one is not None}
    if counts == {None}:
        return [(name, truth, found)]
    number = max(count or 1 for count in counts)
    moving = [one is None or count_frames(one) is not None for one in (truth, found)]
    exact = {c for one in (truth, found) if (c := _exact_count(one)) is not None}
    if not all(moving) or len(exact) > 1:
        shapes = [describe(one) for one in (truth, found)]
        raise UserError(
            "Result and truth must have the same time points.",
            f"{name} with {shapes[1]} in the result and {shapes[0]} in the truth",
            "Compare labels of the same time points; predict and label all of them, or one.",
        )
    sides = [[None] * number if one is None else list_frames(one, number) for one in (truth, found)]
    names = [name_frame(name, t, count=number) for t in range(number)] if number > 1 else [name]
    return list(zip(names, *sides, strict=True))


def share_time(truth: Result, found: Result | None) -> tuple[Result, Result | None]:
    """Both with axis T where one of them calls by that name what is Z in the other.

    A plain TIFF of several pages does not say what they are; the other side does.

    Parameters
    ----------
    truth, found : results of any kind, or None where there is no result.
    """
    pair = [truth, found]
    images = [getattr(one, "image", None) for one in pair]
    if any(image is None for image in images) or images[0].shape != images[1].shape:
        return truth, found
    for mine, other in ((0, 1), (1, 0)):
        axes = images[other].axes
        if "T" in axes and "T" not in images[mine].axes:
            known = {"spacing": images[other].spacing, "unit": images[other].unit}
            image = images[mine].replace(axes=axes, **known)
            pair[mine] = type(pair[mine])(image, *_rest(pair[mine]))
    return tuple(pair)


def _rest(found: Result) -> tuple:
    """What a result has beside its image, and needs."""
    return (found.names,) if hasattr(found, "names") else ()


def count_frames(found: Result) -> int | None:
    """Number of time points, at least; None where the result is of one image."""
    if isinstance(found, Points | Boxes):
        if found.frame is None:
            return None
        return int(np.max(found.frame, initial=0)) + 1
    image = getattr(found, "image", None)
    return image.size("T") if image is not None and "T" in image.axes else None


def _exact_count(found: Result | None) -> int | None:
    return None if isinstance(found, Points | Boxes | None) else count_frames(found)


def list_frames(found: Result, count: int) -> list[Result]:
    """The result of each of `count` time points."""
    if isinstance(found, Points | Boxes):
        return [found.of_frame(t) for t in range(count)]
    return found.frames()


def describe(found: Result) -> str:
    """Axes and shape of a result in words."""
    image = getattr(found, "image", None)
    if image is None:
        return "points of one image" if count_frames(found) is None else "points of a movie"
    return f"{image.axes} {' x '.join(map(str, image.shape))}"


def resolve_frames(read: Callable[[str], Result | None], names: Iterable[str]) -> Callable:
    """A function from the name of an image, or of a time point of a movie, to its result.

    Parameters
    ----------
    read : function from the name of an image to its result.
    names : of the images.
    """
    known = set(names)

    def find(name: str) -> Result | None:
        movie = None if name in known else split_name(name, known)
        found = read(movie[0] if movie else name)
        if movie is None or found is None:
            return found
        return list_frames(found, movie[1] + 1)[movie[1]]

    return find
