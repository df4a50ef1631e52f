"""Tracks in files: a table, TrackMate, and the format of the Cell Tracking Challenge.

In that format the label image of each frame holds the numbers of tracks, and a text has a line per
track: its number, its first frame, its last frame, and its parent (0 without). A track has no gap:
after one it goes on under another number, as the only child of itself.

References
----------
Ulman et al. 2017, doi:10.1038/nmeth.4473 (Cell Tracking Challenge).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.image import Image
from nbtools.tracking.tracks import Tracks

MOST_DIGITS = 3  # of frame numbers in the names of the challenge


def write_table(tracks: Tracks, path: str | Path) -> None:
    """Write a row per nucleus and frame.

    Parameters
    ----------
    tracks : of a movie.
    path : of the CSV file; columns frame, time_s (where the interval is known), track, parent,
        label, z, y, x in pixels and z_um, y_um, x_um where the pixel size is known.
    """
    grid, parents = tracks.grid, tracks.parents
    columns: dict[str, np.ndarray] = {"frame": tracks.frame}
    if tracks.interval_s is not None:
        columns["time_s"] = np.round(tracks.frame * tracks.interval_s, 6)
    columns["track"] = tracks.track
    columns["parent"] = np.array([str(parents.get(int(n), "")) for n in tracks.track])
    columns["label"] = tracks.label
    letters = grid.axes.lower()
    columns |= {a: np.round(v, 3) for a, v in zip(letters, tracks.coordinates.T, strict=True)}
    for axis, size in zip(letters, grid.spacing_um or (), strict=False):
        columns[f"{axis}_um"] = np.round(columns[axis] * size, 4)
    order = np.lexsort((tracks.track, tracks.frame))
    io.write_csv(path, {name: np.asarray(values)[order] for name, values in columns.items()})


def draw_tracks(tracks: Tracks, label: Image) -> Image:
    """The label image with the number of its track for each nucleus.

    Parameters
    ----------
    tracks : of the movie.
    label : its label image, with the axes T, (Z,) Y, X.
    """
    return label.replace(pixels=_renumber(tracks.track, tracks, label))


def _renumber(numbers: np.ndarray, tracks: Tracks, label: Image) -> np.ndarray:
    """The label image with another number for each nucleus of each frame."""
    moments = label.frames()
    pixels = np.zeros((len(moments), *moments[0].shape), np.int32)
    for frame, moment in enumerate(moments):
        mine = tracks.frame == frame
        order = np.argsort(tracks.label[mine])
        labels, new = tracks.label[mine][order], numbers[mine][order]
        inside = moment.pixels > 0
        if inside.any():
            pixels[frame][inside] = new[np.searchsorted(labels, moment.pixels[inside])]
    return np.moveaxis(pixels, 0, label.axes.index("T"))


def split_gaps(tracks: Tracks) -> tuple[np.ndarray, dict[int, int]]:
    """Tracks without gaps, as the Cell Tracking Challenge has them.

    Parameters
    ----------
    tracks : of a movie.

    Returns
    -------
    Number of the piece of each nucleus (N,), and piece → parent. The first piece of a track keeps
    its number.
    """
    numbers, parents = tracks.track.copy(), {}
    count, last = int(tracks.track.max(initial=0)), {}
    for track in tracks.numbers:
        rows = np.flatnonzero(tracks.track == track)
        rows = rows[np.argsort(tracks.frame[rows])]
        piece = track
        for before, row in pairwise(rows):
            if tracks.frame[row] > tracks.frame[before] + 1:
                count += 1
                parents[count], piece = piece, count
            numbers[row] = piece
        last[track] = piece
    return numbers, parents | {child: last[parent] for child, parent in tracks.parents.items()}


def write_ctc(tracks: Tracks, label: Image, *, folder: Path, truth: bool = False) -> None:
    """Write the frames and the lineage of a movie as the Cell Tracking Challenge has them.

    Parameters
    ----------
    tracks : of the movie.
    label : its label image.
    folder : of the files: mask000.tif … and res_track.txt; of the truth man_track000.tif … and
        man_track.txt.
    truth : these are true tracks.
    """
    numbers, parents = split_gaps(tracks)
    stem, table = ("man_track", "man_track.txt") if truth else ("mask", "res_track.txt")
    moments = label.replace(pixels=_renumber(numbers, tracks, label)).frames()
    digits = max(MOST_DIGITS, len(str(len(moments) - 1)))
    for frame, moment in enumerate(moments):
        io.write_label(folder / f"{stem}{frame:0{digits}d}.tif", moment)
    io.write_lineage(folder / table, _list_spans(numbers, tracks.frame), parents=parents)


def write_trackmate(tracks: Tracks, path: str | Path) -> None:
    """Write spots and tracks for TrackMate, divisions as branches of one track.

    Parameters
    ----------
    tracks : of a movie.
    path : of the XML file.
    """
    grid, known = tracks.grid, tracks.interval_s is not None
    size = grid.spacing_um or (1.0,) * len(grid.axes)
    spots = io.Spots(
        tracks.coordinates * np.asarray(size),
        tracks.radius * size[-1],
        frame=tracks.frame,
        names=[f"track-{n:04d}" for n in tracks.track.tolist()],
        quality=np.ones(len(tracks)),
        unit="µm" if grid.spacing_um else "pixel",
        interval=tracks.interval_s or 1.0,
        time_unit="sec" if known else "frame",
    )
    trees = group_links(tracks)
    image = io.SpotImage(grid.name, grid.shape, size)
    io.write_trackmate(path, spots, image=image, tracks=trees)


def group_links(tracks: Tracks) -> dict[int, list[tuple[int, int]]]:
    """Number of the first nucleus' track → links of all that descend from it.

    Parameters
    ----------
    tracks : of a movie; a nucleus that is linked to nothing is in none.
    """
    trees: dict[int, list[tuple[int, int]]] = {}
    for source, target, _ in tracks.edges():
        root = int(tracks.track[source])
        while root in tracks.parents:
            root = tracks.parents[root]
        trees.setdefault(root, []).append((source, target))
    return trees


def _list_spans(numbers: np.ndarray, frames: np.ndarray) -> dict[int, tuple[int, int]]:
    spans: dict[int, tuple[int, int]] = {}
    for number, frame in zip(numbers.tolist(), frames.tolist(), strict=True):
        first, last = spans.get(number, (frame, frame))
        spans[number] = min(first, frame), max(last, frame)
    return spans
