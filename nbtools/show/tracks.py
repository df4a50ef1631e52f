"""Figures of tracks: trails over a frame, and the lineage as a tree."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.show.colors import BLUE, INK, PALETTE
from nbtools.show.figure import Figure, draw_view, new_figure, new_grid, style_axes
from nbtools.show.views import view
from nbtools.tracking import Tracks

TRAIL = 8  # frames
MOST_TREES = 30  # that a figure of a lineage has room for
ROW_INCHES = 0.16


def tracks(
    image: Image, found: Tracks, *, at: tuple[int, ...] = (-1,), trail: int = TRAIL
) -> Figure:
    """Draw frames of a movie with the way that each nucleus has come, one colour per track.

    Volumes are projected along Z. A circle marks a nucleus that has just been born in a division.

    Parameters
    ----------
    image : movie.
    found : tracks of its nuclei.
    at : frames, negative ones from the end.
    trail : frames that a way reaches back.
    """
    last = image.size("T")
    frames = [frame % last for frame in at]
    views = [view(_project(image.select(T=frame))) for frame in frames]
    figure, panels = new_grid(views, len(views), alt=f"tracks in {len(frames)} frames", inches=3.6)
    for axes, seen, frame in zip(panels, views, frames, strict=True):
        draw_view(axes, seen, title=f"frame {frame}")
        _draw_trails(axes, found, frame=frame, trail=trail)
    return figure


def _project(image: Image) -> Image:
    """The brightest voxels along Z, where there is such an axis."""
    if "Z" not in image.axes:
        return image
    axes = image.axes.replace("Z", "")
    spacing = image.spacing and image.spacing[-2:]
    pixels = image.pixels.max(axis=image.axes.index("Z"))
    return image.replace(pixels=pixels, axes=axes, spacing=spacing)


def _draw_trails(axes: Axes, found: Tracks, *, frame: int, trail: int) -> None:
    present = set(found.track[found.frame == frame].tolist())
    spans = found.spans()
    near = (found.frame <= frame) & (found.frame >= frame - trail)
    lines, colors = [], []
    for track in sorted(present):
        rows = np.flatnonzero(near & (found.track == track))
        rows = rows[np.argsort(found.frame[rows])]
        places = found.coordinates[rows][:, :-3:-1] + 0.5
        lines.append(places)
        colors.append(PALETTE[1 + track % (len(PALETTE) - 1)])
        if track in found.parents and spans[track][0] == frame:
            axes.plot(*places[-1], "o", markersize=9, fillstyle="none", color=colors[-1])
        axes.plot(*places[-1], ".", markersize=4, color=colors[-1])
    axes.add_collection(LineCollection(lines, colors=colors, linewidths=1.3))


def lineage(found: Tracks, *, most: int = MOST_TREES) -> Figure:
    """Draw who divided into whom: time to the right, a line per track, joined at divisions.

    Parameters
    ----------
    found : tracks of a movie.
    most : trees that are drawn, those with most tracks first.

    Raises
    ------
    UserError : there are no tracks.
    """
    trees = _group_trees(found)
    if not trees:
        raise UserError(
            "A lineage has tracks.", "none", "Link the nuclei first: nb.tracking.link(nuclei)."
        )
    spans, children = found.spans(), _list_children(found)
    chosen = sorted(trees, key=lambda root: (-len(trees[root]), root))[:most]
    places: dict[int, float] = {}
    for root in chosen:
        _place_tree(root, children, places=places)
    height = max(1.6, ROW_INCHES * len({round(p) for p in places.values()}) + 0.6)
    title = f"{len(chosen)} of {len(trees)} trees" if len(trees) > most else ""
    figure = new_figure(6.4, height, alt=f"lineage of {len(trees)} first nuclei")
    axes = figure.subplots()
    for track, place in places.items():
        first, last = spans[track]
        daughters = children.get(track, [])
        axes.plot((first, last + bool(daughters)), (place, place), color=BLUE, linewidth=1.4)
        for daughter in daughters:
            at = spans[daughter][0]
            axes.plot((at, at), (place, places[daughter]), color=BLUE, linewidth=1.0)
    style_axes(axes, title=title, x="frame")
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.tick_params(colors=INK)
    return figure


def _list_children(found: Tracks) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for child, parent in sorted(found.parents.items()):
        children.setdefault(parent, []).append(child)
    return children


def _group_trees(found: Tracks) -> dict[int, list[int]]:
    """The first track of each tree → all tracks of the tree."""
    trees: dict[int, list[int]] = {}
    for track in found.numbers:
        root = track
        while root in found.parents:
            root = found.parents[root]
        trees.setdefault(root, []).append(track)
    return trees


def _place_tree(root: int, children: dict[int, list[int]], *, places: dict[int, float]) -> None:
    """Give each track of a tree a row: leaves one each, mothers the middle of their daughters."""
    stack, order = [root], []
    while stack:
        track = stack.pop()
        order.append(track)
        stack += children.get(track, [])[::-1]
    row = max(places.values(), default=-1.0)
    for track in order:
        if track not in children:
            row = np.floor(row) + 1
            places[track] = row
    for track in reversed(order):
        if track in children:
            places[track] = float(np.mean([places[child] for child in children[track]]))
