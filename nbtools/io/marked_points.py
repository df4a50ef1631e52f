"""Points that people set in Fiji and QuPath: the multi-point tool, and point annotations."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.archive import list_zip

CENTRE = 0.5  # Fiji and QuPath count from the corner of the image, points from centres of pixels
MOST_BYTES = 2**28  # of all members of a zip


def read_marked_points(path: Path) -> np.ndarray:
    """Read the points of a file of Fiji or QuPath.

    Parameters
    ----------
    path : of a .roi, of a .zip of these, or of a GeoJSON document.

    Returns
    -------
    (N, 3) float64, z, y, x in pixels, the centre of the first pixel at 0; z is 0 where a point has
    no slice.

    Raises
    ------
    UserError : the file holds outlines or lines and no points, or is broken.
    """
    kind = path.suffix.lower()
    documents.require_plain_file(path)
    find = _list_geojson if kind in (".geojson", ".json") else _list_rois
    points, others = [], 0
    for places in find(path):
        if places is None:
            others += 1
        else:
            points.append(places)
    if others:
        raise UserError(
            "A file of centres holds points.",
            f"{path} with {others} shapes that are no points",
            "Save the points alone; outlines belong into labels/.",
        )
    return np.concatenate([np.zeros((0, 3)), *points])


def _list_rois(path: Path) -> Iterator[np.ndarray | None]:
    import roifile

    for content in _read_contents(path):
        roi = roifile.ImagejRoi.frombytes(content)
        if roi.roitype != roifile.ROI_TYPE.POINT:
            yield None
            continue
        places = np.asarray(roi.coordinates(), float)
        # points of integers are of the pixel itself; parts of pixels count from its corner
        places = places - CENTRE if roi.subpixel_coordinates is not None else places
        z = max(roi.z_position or roi.position, 1) - 1
        slices = np.full(len(places), float(z))
        known = roi.counter_positions
        if known is not None and len(known) == len(places):
            slices = np.where(np.asarray(known) > 0, np.asarray(known, float) - 1, slices)
        yield np.column_stack([slices, places[:, 1], places[:, 0]])


def _read_contents(path: Path) -> list[bytes]:
    """The ROIs of a file, as bytes."""
    if path.suffix.lower() != ".zip":
        return [path.read_bytes()]
    with zipfile.ZipFile(path) as archive:
        list_zip(archive, name=str(path), most=MOST_BYTES)
        names = [m.filename for m in archive.infolist() if m.filename.lower().endswith(".roi")]
        return [archive.read(name) for name in names if "__MACOSX" not in name]


def _list_geojson(path: Path) -> Iterator[np.ndarray | None]:
    content = documents.read_json(path)
    features = content if isinstance(content, list) else content.get("features", [content])
    for feature in features:
        geometry = feature.get("geometry") or feature
        places = geometry.get("coordinates")
        if geometry.get("type") == "Point":
            places = [places]
        elif geometry.get("type") != "MultiPoint":
            yield None
            continue
        plane = geometry.get("plane") or {}
        flat = np.asarray(places, float).reshape(len(places), -1)[:, :2] - CENTRE
        z = np.full(len(flat), float(plane.get("z", 0)))
        yield np.column_stack([z, flat[:, 1], flat[:, 0]])
