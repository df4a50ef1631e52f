"""Tracks as GEFF, the graph exchange file format: a Zarr group of nodes and edges.

References
----------
https://liveimagetrackingtools.org/geff, specification 1.3.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from nbtools import runtime
from nbtools.tracking.tracks import Tracks

VERSION = "1.3"
WHY = "GEFF files are written by the package zarr."


def write_geff(tracks: Tracks, path: str | Path) -> None:
    """Write nuclei as nodes and links as edges.

    Parameters
    ----------
    tracks : of a movie.
    path : of the folder NAME.geff; is replaced. Nodes are numbered from 0 in the order of the
        tracks' nuclei; their properties are t in frames, (z,) y, x in pixels with the pixel size
        as scale, radius in pixels of X, label and track. Edges lead from a nucleus to its next
        one, and from a mother to her daughters.

    Raises
    ------
    UserError : zarr is not installed.
    """
    zarr = runtime.require_package("zarr", extra="bigdata", why=WHY)
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    count = len(tracks)
    links = [(start, end) for start, end, _ in tracks.edges()]
    group["nodes/ids"] = np.arange(count, dtype=np.uint64)
    group["edges/ids"] = np.array(links, np.uint64).reshape(-1, 2)
    properties = _list_properties(tracks)
    for name, values in properties.items():
        group[f"nodes/props/{name}/values"] = values
    group.require_group("edges/props")
    known = {name: _describe(name, values) for name, values in properties.items()}
    about = {
        "geff_version": VERSION,
        "directed": True,
        "axes": _describe_axes(tracks),
        "node_props_metadata": known,
        "edge_props_metadata": {},
        "sphere": "radius",
    }
    daughters = Counter(tracks.parents.values())
    if all(number > 1 for number in daughters.values()):
        about["track_node_props"] = {"tracklet": "track"}
    group.attrs["geff"] = about


def _list_properties(tracks: Tracks) -> dict[str, np.ndarray]:
    """Property → value of each nucleus."""
    letters = tracks.grid.axes.lower()
    places = zip(letters, tracks.coordinates.T, strict=True)
    return {
        "t": np.asarray(tracks.frame, np.int64),
        **{axis: np.asarray(values, np.float64) for axis, values in places},
        "radius": np.asarray(tracks.radius, np.float64),
        "label": np.asarray(tracks.label, np.int64),
        "track": np.asarray(tracks.track, np.int64),
    }


def _describe(name: str, values: np.ndarray) -> dict[str, object]:
    return {"identifier": name, "dtype": values.dtype.name, "varlength": False}


def _describe_axes(tracks: Tracks) -> list[dict[str, object]]:
    """Time in frames, space in pixels; with the interval and the pixel size where known."""
    time: dict[str, object] = {"name": "t", "type": "time", "unit": "frame"}
    if tracks.interval_s is not None:
        time |= {"scale": float(tracks.interval_s), "scaled_unit": "second"}
    axes = [time]
    sizes = tracks.grid.spacing_um or (None,) * len(tracks.grid.axes)
    for axis, size in zip(tracks.grid.axes.lower(), sizes, strict=True):
        space: dict[str, object] = {"name": axis, "type": "space", "unit": "pixel"}
        space |= {} if size is None else {"scale": float(size), "scaled_unit": "micrometer"}
        axes.append(space)
    return axes
