"""Tracks of `nbtools track` as files of other programs: GEFF and TrackMate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from nbtools import documents, io
from nbtools.errors import UserError
from nbtools.tracking import Tracks, from_labels, write_geff, write_trackmate

DOCUMENT = "tracks.json"  # of a folder of tracks
TRACK_FORMATS = {"geff": (".geff", write_geff), "trackmate": (".xml", write_trackmate)}


def hold_tracks(place: Path) -> bool:
    """Whether a place is a folder that `nbtools track` wrote.

    Parameters
    ----------
    place : any.
    """
    return (place / DOCUMENT).is_file()


def open_tracks(place: Path) -> dict[str, Callable[[], Tracks]]:
    """Name of each movie of a folder of tracks → function that reads its tracks.

    Parameters
    ----------
    place : folder that `nbtools track` wrote.

    Raises
    ------
    UserError : a movie whose label image or table is gone.
    """
    rows = documents.read_json(place / DOCUMENT).get("images", ())
    names = [str(row["name"]) for row in rows]
    for name in names:
        for path in (place / f"{name}.tif", place / f"{name}.csv"):
            if Path(name).name != name or not path.is_file():
                raise UserError(
                    "Tracks are a label image and a table for each movie.",
                    f"{path}, which is not there",
                    "Track again: nbtools track RESULT --out TRACKS",
                )
    return {name: partial(read_tracks, place, name) for name in names}


def read_tracks(place: Path, name: str) -> Tracks:
    """Read the tracks of a movie; labels are the numbers of tracks.

    Parameters
    ----------
    place : folder that `nbtools track` wrote.
    name : of the movie.
    """
    rows = io.read_csv(place / f"{name}.csv")
    parents = {int(row["track"]): int(row["parent"]) for row in rows if row["parent"]}
    label = io.read_label(place / f"{name}.tif")
    return from_labels(label.replace(name=name), parents=parents, tracked=True)


def write_tracks(
    found: Mapping[str, Callable[[], Tracks]], path: Path, *, format: str
) -> list[Path]:
    """Write tracks for another program.

    Parameters
    ----------
    found : name → function that gives the tracks of a movie.
    path : of the file, where there is one movie and it has the ending of the format; else of the
        folder of the files.
    format : "geff" or "trackmate".

    Returns
    -------
    Paths of the files.
    """
    suffix, write = TRACK_FORMATS[format]
    if len(found) == 1 and path.name.lower().endswith(suffix):
        files = {path: next(iter(found.values()))}
    else:
        files = {path / f"{name}{suffix}": read for name, read in found.items()}
    for file, read in files.items():
        write(read(), file)
    return list(files)
