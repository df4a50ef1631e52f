"""Outlines from Fiji's ROI Manager, and the objects of its 3D manager."""

from __future__ import annotations

import re
import zipfile
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np

from nbtools.errors import UserError
from nbtools.io.archive import list_zip
from nbtools.io.outlines import OWN_NAME, Outline, OutlineFile, OutlineNote, list_some

# ImageJ names the ROIs of a stack slice-y-x, and reads the slice from there where none is stored
SLICE_NAME = re.compile(r"^(\d{4,6})-\d{4,}-\d{4,}(?:-\d+)?$")
MOST_BYTES = 2**28  # of all members of a zip
WORDS = {  # ROI type → what a shape without area is called
    "LINE": "line",
    "FREELINE": "freehand line",
    "POLYLINE": "segmented line",
    "ANGLE": "angle",
    "POINT": "points",
    "NOROI": "nothing",
    "UNKNOWN": "unknown",
}


def read_fiji_rois(path: Path) -> OutlineFile:
    """Read the outlines of a .roi or .zip file, or of a folder; holes of composite ROIs stay open.

    Points, lines and texts have no area: they are left out, and a note names them.

    Parameters
    ----------
    path : of the file, or of a folder of .roi files.

    Raises
    ------
    UserError : a zip without ROIs, or a file of points and lines only.
    """
    if path.is_dir():
        contents = [p.read_bytes() for p in sorted(path.glob("*.[rR][oO][iI]"))]
    elif path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = _list_members(archive, path, suffix=".roi")
            contents = [archive.read(m) for m in members]
    else:
        contents = [path.read_bytes()]
    found = OutlineFile()
    without_area = []
    for number, content in enumerate(contents, start=1):
        outline, kind = _read_roi(content, number)
        if kind:
            without_area.append(f"{outline.name} ({kind})")
        else:
            found.outlines.append(outline)
    if without_area and not found.outlines:
        raise UserError(
            "Labels are made from outlines of areas.",
            f"{path} with {list_some(without_area)}",
            "Outline the nuclei; points may stand in centres/NAME.csv, with the columns y and x.",
        )
    if without_area:
        text = f"{len(without_area)} of {len(contents)} ROIs have no area and are left out"
        found.notes.append(
            OutlineNote(
                "outline_without_area",
                "warning",
                f"{text}: {list_some(without_area)}.",
                "Outline these nuclei if they are some; else nothing is to be done.",
            )
        )
    return found


def read_3d_objects(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Read the objects that Fiji's 3D manager has saved as a zip of .3droi files.

    Such a file lists its voxels: a number, x, y, z from 0 and a value in each line, behind some
    lines of description.

    Parameters
    ----------
    path : of the zip.
    shape : (Y, X) or (Z, Y, X) of the image.

    Returns
    -------
    Label image int32, or None where the zip holds no such file.

    Raises
    ------
    UserError : objects without voxels, or voxels outside of the image.
    """
    with zipfile.ZipFile(path) as archive:
        names = [i.filename for i in archive.infolist()]
        if not any(n.lower().endswith(".3droi") for n in names):
            return None
        members = _list_members(archive, path, suffix=".3droi")
        objects = {m.filename: _read_voxels(archive.read(m)) for m in members}
    label = np.zeros(shape, np.int32)
    size = (1,) * (3 - len(shape)) + tuple(shape)
    for number, (name, voxels) in enumerate(objects.items(), start=1):
        if not len(voxels) or (voxels < 0).any() or (voxels >= size).any():
            what = "has no voxels" if not len(voxels) else "lies partly outside of the image"
            raise UserError(
                "Objects of the 3D manager must be lists of voxels in the image.",
                f"{name} in {path}, which {what}",
                "In Fiji draw the objects into a label image (3D Manager > 3D Fill), and save it.",
            )
        label.reshape(size)[tuple(voxels.T)] = number
    return label


def _list_members(archive: zipfile.ZipFile, path: Path, *, suffix: str) -> list[zipfile.ZipInfo]:
    files = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
    members = [m for m in files if m.filename.lower().endswith(suffix)]
    if not members:
        held = list_some([PurePosixPath(m.filename).name for m in files]) or "nothing"
        raise UserError(
            "A zip of labels holds ROIs of Fiji (.roi).",
            f"{path}, which holds {held}",
            "Save the ROIs in Fiji's ROI Manager (More > Save); or unpack the zip if it holds "
            "label images.",
        )
    list_zip(archive, name=str(path), most=MOST_BYTES)
    return members


def _read_roi(content: bytes, number: int) -> tuple[Outline, str]:
    """The outline, and what a shape without area is called."""
    import roifile

    roi = roifile.ImagejRoi.frombytes(content)
    name = roi.name or f"ROI {number}"
    own = OWN_NAME.match(name)
    place = SLICE_NAME.match(name)
    z = roi.z_position or roi.position or roi.t_position
    z = z or int(place.group(1) if place else 0)
    about = {
        "key": own.group(1) if own else number,
        "z": z - 1,
        "t": roi.t_position - 1,
        "place": -1 if roi.z_position or roi.t_position else z - 1,
        "name": name,
        "group": roi.group or 0,
        "joined": bool(own),
    }
    kind = WORDS.get(roi.roitype.name, "")
    kind = "text" if roi.subtype == roifile.ROI_SUBTYPE.TEXT else kind
    if kind:
        return Outline(rings=(), **about), kind
    if roi.roitype == roifile.ROI_TYPE.OVAL:
        rings = [_ellipse(roi.top, roi.left, roi.bottom, roi.right)]
    elif roi.multi_coordinates is not None:
        rings = _flatten_path(roi.multi_coordinates)
    else:
        rings = [np.asarray(ring, float)[:, ::-1] for ring in roi.coordinates(multi=True)]
    return Outline(rings=[r for r in rings if len(r) > 2], **about), ""


def _flatten_path(path: np.ndarray, *, steps: int = 16) -> list[np.ndarray]:
    """Rings of a composite ROI; curves become short lines.

    The path is a list of commands with their points: 0 begins a ring, 1 is a line, 2 and 3 are
    Bézier curves of one and two control points, 4 closes the ring.
    """
    values = iter(np.asarray(path, float).tolist())
    rings: list[list[np.ndarray]] = []
    counts = {0: 1, 1: 1, 2: 2, 3: 3, 4: 0}
    for command in values:
        points = [np.array([next(values), next(values)]) for _ in range(counts[int(command)])]
        if int(command) == 0:
            rings.append(points)
        elif points:
            rings[-1] += _bend([rings[-1][-1], *points], steps if len(points) > 1 else 1)
    return [np.array(ring)[:, ::-1] for ring in rings]


def _bend(points: list[np.ndarray], steps: int) -> list[np.ndarray]:
    """Points of a Bézier curve behind its first one, by the construction of de Casteljau."""
    found = []
    for t in np.linspace(0, 1, steps + 1)[1:]:
        row = points
        while len(row) > 1:
            row = [(1 - t) * a + t * b for a, b in pairwise(row)]
        found.append(row[0])
    return found


def _ellipse(top: float, left: float, bottom: float, right: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    start = np.array([top, left])
    stop = np.array([bottom, right])
    around = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return (start + stop) / 2 + (stop - start) / 2 * around


def _read_voxels(content: bytes) -> np.ndarray:
    """(n, 3) in the order z, y, x."""
    rows = []
    for line in content.decode("utf-8", "replace").splitlines():
        parts = line.split("\t")
        try:
            rows.append([float(part) for part in parts[1:4]])
        except ValueError:
            continue
    rows = [row for row in rows if len(row) == 3]
    return np.rint(np.array(rows).reshape(-1, 3)[:, ::-1]).astype(int)
