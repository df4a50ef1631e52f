"""What is said of movies: how many time points there are, and whether they may be slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbtools.data import Doubt, doubt_time
from nbtools.image import Image

MOST = 5  # movies that are named one by one


@dataclass(frozen=True)
class Movie:
    """A movie that a command met.

    Parameters
    ----------
    name : of the image.
    count : time points.
    doubt : whether its time points may be slices; None where they are not.
    """

    name: str
    count: int
    doubt: Doubt | None = None

    def to_dict(self) -> dict:
        """As plain values: name, time points, and the axes where the time points are slices."""
        axes = self.doubt and self.doubt.axes
        return {"image": self.name, "time_points": self.count, "axes_if_slices": axes}


def find_movie(image: Image | None, label: Image | None = None) -> Movie | None:
    """The movie that an image is, or its labels are; None where it is none."""
    one = image if image is not None and image.size("T") > 1 else label
    if one is None or one.size("T") < 2:
        return None
    return Movie(one.name, one.size("T"), doubt_time(one, label))


def describe(movies: Sequence[Movie], *, done: str, again: str) -> list[str]:
    """Lines on movies: their time points, and the question whether these are slices.

    Parameters
    ----------
    movies : that a command met.
    done : what happened to each time point, as "counted".
    again : what to do, with the axes where they are slices as {axes}.

    Examples
    --------
    >>> describe([Movie("a", 20)], done="counted", again="Add --axes {axes}.")[0]
    'a: 20 time points, counted one by one.'
    """
    lines = [f"{m.name}: {m.count} time points, {done} one by one." for m in movies[:MOST]]
    if len(movies) > MOST:
        lines.append(f"{len(movies) - MOST} more movies, {done} time point by time point.")
    return lines + ask(movies, again=again)


def ask(movies: Sequence[Movie], *, again: str) -> list[str]:
    """The question whether time points are slices of a volume, of the movies that may be that."""
    doubtful = [m for m in movies if m.doubt is not None]
    if not doubtful:
        return []
    # labels that go on from plane to plane are the strongest sign: it is said first
    first = max(doubtful, key=lambda m: m.doubt.continuous)
    reason = "its file does not say how much time lies between them"
    if first.doubt.continuous:
        reason += ", and its labels go on from plane to plane"
    where = first.name if len(doubtful) == 1 else f"{first.name} and {len(doubtful) - 1} more"
    return [
        f"Attention: the time points of {where} may be the slices of a volume: {reason}. "
        + again.format(axes=first.doubt.axes)
    ]
