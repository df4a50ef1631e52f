"""Link the nuclei of a movie by the shortest ways, with gaps and divisions (laptrack).

References
----------
Jaqaman et al. 2008, doi:10.1038/nmeth.1237 (linear assignment, first from frame to frame, then
between pieces of tracks); Fukai & Kawaguchi 2023, doi:10.1093/bioinformatics/btac799 (laptrack).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from nbtools import runtime
from nbtools.tracking.tracks import Tracks

REACH = 3.0  # usual steps from frame to frame that a nucleus may move in one
LEAST_REACH = 0.5  # radii
WHY = "Following nuclei needs the package laptrack."
MOST_GROWTH = 1.6  # of both nuclei after a division over the one before


@dataclass(frozen=True)
class LinkOptions:
    """What may be linked.

    Parameters
    ----------
    distance : farthest that a nucleus moves from frame to frame, in the unit of the pixel size, or
        in pixels of X where that is unknown; None measures it, see `find_reach`.
    gap : frames in which a nucleus may be missing.
    divisions : whether a nucleus may become two.
    """

    distance: float | None = None
    gap: int = 1
    divisions: bool = True


def link(tracks: Tracks, options: LinkOptions | None = None) -> Tracks:
    """Link the nuclei of a movie.

    Parameters
    ----------
    tracks : its nuclei, as `from_labels` lists them; their tracks are forgotten.
    options : what may be linked.

    Returns
    -------
    Tracks, numbered from 1 in the order of their first frames.

    Raises
    ------
    UserError : laptrack is not installed.

    Examples
    --------
    >>> from nbtools.image import Image
    >>> from nbtools.tracking import from_labels
    >>> movie = np.zeros((3, 20, 40), int)
    >>> for t in range(3):
    ...     movie[t, 5:9, 5 + t : 9 + t], movie[t, 5:9, 30:34] = 2 - t % 2, 1 + t % 2
    >>> link(from_labels(Image(movie, "TYX"))).track.tolist()  # doctest: +SKIP
    [2, 1, 1, 2, 2, 1]
    """
    options = options or LinkOptions()
    if not len(tracks):
        return tracks
    laptrack = runtime.require_package("laptrack", extra="track", why=WHY)
    places = scale_places(tracks)
    reach = options.distance or find_reach(tracks)
    rows = _split_frames(tracks)
    linker = laptrack.LapTrack(
        cutoff=reach**2,
        # not farther than without a gap: pieces that end and begin in neighbouring frames are
        # closed by this, too
        gap_closing_cutoff=reach**2 if options.gap else False,
        gap_closing_max_frame_count=options.gap + 1,
        splitting_cutoff=_split_reach(tracks, reach) ** 2 if options.divisions else False,
        merging_cutoff=False,
    )
    graph = linker.predict([places[row] for row in rows])
    return _number_tracks(tracks, graph, rows=rows, reach=reach)


def find_reach(tracks: Tracks) -> float:
    """The distance within which a nucleus is looked for in the next frame.

    Parameters
    ----------
    tracks : nuclei of a movie.

    Returns
    -------
    A few times the usual step of nuclei that are nearest to each other both ways, and at least half
    a radius; in the unit of `scale_places`.
    """
    places = scale_places(tracks)
    rows = _split_frames(tracks)
    steps = []
    for now, after in pairwise(rows):
        if len(now) and len(after):
            distance, nearest = cKDTree(places[after]).query(places[now])
            back = cKDTree(places[now]).query(places[after])[1]
            steps.append(distance[back[nearest] == np.arange(len(now))])
    usual = np.concatenate(steps) if steps else np.zeros(0)
    radius = float(np.median(tracks.radius)) * find_unit(tracks)
    if not len(usual):
        return 2 * radius
    return max(REACH * float(np.quantile(usual, 0.75)), LEAST_REACH * radius)


def measure_steps(tracks: Tracks) -> tuple[float, float]:
    """How far nuclei lie apart, and how far they move from frame to frame.

    Parameters
    ----------
    tracks : of a movie.

    Returns
    -------
    Medians of the distance to the nearest neighbour in a frame, and of the step of a nucleus to the
    next frame in which it is seen; in the unit of `scale_places`, NaN where there are none.
    """
    places = scale_places(tracks)
    steps = [np.linalg.norm(places[b] - places[a]) for a, b, born in tracks.edges() if not born]
    apart = []
    for row in _split_frames(tracks):
        if len(row) > 1:
            apart.append(cKDTree(places[row]).query(places[row], k=2)[0][:, 1])
    nearest = np.concatenate(apart) if apart else np.zeros(0)
    medians = [float(np.median(v)) if len(v) else float("nan") for v in (nearest, steps)]
    return medians[0], medians[1]


def find_unit(tracks: Tracks) -> float:
    """What a pixel of X is in the unit of `scale_places`."""
    spacing = tracks.grid.spacing
    return 1.0 if spacing is None else float(spacing[-1])


def scale_places(tracks: Tracks) -> np.ndarray:
    """Centres (N, D) in the unit of the pixel size; in pixels where that is unknown."""
    spacing = tracks.grid.spacing
    return tracks.coordinates * (1.0 if spacing is None else np.asarray(spacing))


def _split_reach(tracks: Tracks, reach: float) -> float:
    """How far from a nucleus those lie that it divides into: they part by about a radius each."""
    return reach + 1.5 * float(np.median(tracks.radius)) * find_unit(tracks)


def _split_frames(tracks: Tracks) -> list[np.ndarray]:
    """The rows of the nuclei of each time point, from the first to the last with any."""
    frames = range(int(tracks.frame.max()) + 1)
    return [np.flatnonzero(tracks.frame == frame) for frame in frames]


def _number_tracks(tracks: Tracks, graph: Any, *, rows: list[np.ndarray], reach: float) -> Tracks:
    """Cut the trees at divisions, leave out those that cannot be, and number the pieces.

    graph : a directed graph of networkx, with nodes (frame, place among the rows of the frame).
    """
    after: dict[int, list[int]] = {}
    for (frame, place), (later, other) in graph.edges():
        after.setdefault(int(rows[frame][place]), []).append(int(rows[later][other]))
    size = tracks.radius ** tracks.coordinates.shape[1]
    places = scale_places(tracks)
    for row, children in after.items():
        if len(children) > 1 and _may_divide(row, children, size=size, tracks=tracks):
            continue
        away = np.linalg.norm(places[children] - places[row], axis=1)
        nearest = int(away.argmin())
        # daughters may lie farther away than a nucleus moves, but one alone is no daughter
        after[row] = [children[nearest]] if away[nearest] <= reach * (1 + 1e-9) else []
    before = {child: row for row, children in after.items() for child in children}
    number = np.zeros(len(tracks), int)
    parents, count = {}, 0
    for row in np.lexsort((tracks.label, tracks.frame)).tolist():
        mother = before.get(row)
        if mother is not None and len(after[mother]) == 1:
            number[row] = number[mother]
            continue
        count += 1
        number[row] = count
        if mother is not None:
            parents[count] = int(number[mother])
    return replace(tracks, track=number, parents=parents)


def _may_divide(row: int, children: list[int], *, size: np.ndarray, tracks: Tracks) -> bool:
    """Two nuclei in the next frame that together are not much larger than the one before."""
    at_once = all(tracks.frame[child] == tracks.frame[row] + 1 for child in children)
    return len(children) == 2 and at_once and size[children].sum() <= MOST_GROWTH * size[row]
