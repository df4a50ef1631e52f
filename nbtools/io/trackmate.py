"""Spots and tracks in the XML of TrackMate (Tinevez et al. 2017, doi:10.1016/j.ymeth.2016.09.016).

TrackMate counts from the centre of the first pixel, in the unit of the pixel size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from nbtools.io.files import write_text

SPOT_FEATURES = (
    ("QUALITY", "QUALITY", False),
    ("POSITION_X", "POSITION", False),
    ("POSITION_Y", "POSITION", False),
    ("POSITION_Z", "POSITION", False),
    ("POSITION_T", "TIME", False),
    ("FRAME", "NONE", True),
    ("RADIUS", "LENGTH", False),
    ("VISIBILITY", "NONE", True),
)
EDGE_FEATURES = (
    ("SPOT_SOURCE_ID", "NONE", True),
    ("SPOT_TARGET_ID", "NONE", True),
    ("LINK_COST", "COST", False),
)
TRACK_FEATURES = (("TRACK_ID", "NONE", True), ("NUMBER_SPOTS", "NONE", True))


@dataclass(frozen=True, eq=False)
class Spots:
    """Spots in an image.

    Parameters
    ----------
    places : (N, D) centres in `unit`, columns (z,) y, x.
    radius : (N,) in `unit`.
    frame : (N,) time points from 0.
    names : of the spots.
    quality : (N,) scores.
    unit : "µm" or "pixel".
    interval : time between frames, in `time_unit`.
    time_unit : "sec" or "frame".
    """

    places: np.ndarray
    radius: np.ndarray
    frame: np.ndarray
    names: Sequence[str]
    quality: np.ndarray
    unit: str = "pixel"
    interval: float = 1.0
    time_unit: str = "frame"


@dataclass(frozen=True)
class SpotImage:
    """The image that spots lie in.

    Parameters
    ----------
    name : of the image.
    shape : (Z,) Y, X in pixels; () where it is unknown.
    spacing : of the pixels, as many numbers as the places have columns.
    """

    name: str
    shape: tuple[int, ...]
    spacing: tuple[float, ...]


def write_trackmate(
    path: str | Path,
    spots: Spots,
    *,
    image: SpotImage,
    tracks: Mapping[int, Sequence[tuple[int, int]]] | None = None,
) -> None:
    """Write spots, and the tracks they form, as a file that TrackMate opens.

    Parameters
    ----------
    path : of the file; written whole or not at all.
    spots : numbered from 0 in their order.
    image : that they lie in.
    tracks : number of a connected track, with all its branches → links (spot, later spot).
    """
    root = ElementTree.Element("TrackMate", version="7.11.1")
    units = {"spatialunits": spots.unit, "timeunits": spots.time_unit}
    model = ElementTree.SubElement(root, "Model", units)
    _declare_features(model)
    _add_spots(model, spots)
    _add_tracks(model, tracks or {})
    _describe_image(root, spots, image)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    write_text(Path(path), f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')


def _declare_features(model: ElementTree.Element) -> None:
    """What TrackMate must know of each number of a spot, a link and a track."""
    declared = ElementTree.SubElement(model, "FeatureDeclarations")
    for kind, features in (
        ("SpotFeatures", SPOT_FEATURES),
        ("EdgeFeatures", EDGE_FEATURES),
        ("TrackFeatures", TRACK_FEATURES),
    ):
        place = ElementTree.SubElement(declared, kind)
        for name, dimension, whole in features:
            title = name.capitalize().replace("_", " ")
            about = {"feature": name, "name": title, "shortname": title, "dimension": dimension}
            ElementTree.SubElement(place, "Feature", about | {"isint": str(whole).lower()})


def _add_spots(model: ElementTree.Element, spots: Spots) -> None:
    every = ElementTree.SubElement(model, "AllSpots", nspots=str(len(spots.places)))
    for frame in np.unique(spots.frame).tolist():
        inside = ElementTree.SubElement(every, "SpotsInFrame", frame=str(frame))
        for number in np.flatnonzero(spots.frame == frame).tolist():
            z, y, x = [0.0, *spots.places[number].tolist()][-3:]
            about = {
                "ID": str(number),
                "name": spots.names[number],
                "QUALITY": f"{float(spots.quality[number]):.6g}",
                "POSITION_X": f"{x:.6f}",
                "POSITION_Y": f"{y:.6f}",
                "POSITION_Z": f"{z:.6f}",
                "POSITION_T": f"{frame * spots.interval:g}",
                "FRAME": str(frame),
                "RADIUS": f"{float(spots.radius[number]):.6f}",
                "VISIBILITY": "1",
            }
            ElementTree.SubElement(inside, "Spot", about)


def _add_tracks(
    model: ElementTree.Element, tracks: Mapping[int, Sequence[tuple[int, int]]]
) -> None:
    every = ElementTree.SubElement(model, "AllTracks")
    shown = ElementTree.SubElement(model, "FilteredTracks")
    for number, links in tracks.items():
        count = len({spot for link in links for spot in link})
        about = {"name": f"Track_{number}", "TRACK_ID": str(number), "NUMBER_SPOTS": str(count)}
        track = ElementTree.SubElement(every, "Track", about)
        for source, target in links:
            ends = {"SPOT_SOURCE_ID": str(source), "SPOT_TARGET_ID": str(target)}
            ElementTree.SubElement(track, "Edge", ends | {"LINK_COST": "0.0"})
        ElementTree.SubElement(shown, "TrackID", TRACK_ID=str(number))


def _describe_image(root: ElementTree.Element, spots: Spots, image: SpotImage) -> None:
    """What TrackMate needs of the image to open the file alone."""
    shape = [1, 1, 1, *image.shape][-3:]
    depth, height, width = [1.0, *image.spacing][-3:]
    about = {
        "filename": f"{image.name}.tif",
        "folder": "",
        "width": str(shape[2]),
        "height": str(shape[1]),
        "nslices": str(shape[0]),
        "nframes": str(int(spots.frame.max(initial=0)) + 1),
        "pixelwidth": f"{width:g}",
        "pixelheight": f"{height:g}",
        "voxeldepth": f"{depth:g}",
        "timeinterval": f"{spots.interval:g}",
    }
    ElementTree.SubElement(ElementTree.SubElement(root, "Settings"), "ImageData", about)
