"""YOLO's text files: one line per object, in shares of the image's width and height.

LabelImg writes boxes (class, centre x, centre y, width, height); for segmentation a line holds the
class and the points of an outline, x and y in turn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nbtools.errors import UserError
from nbtools.io.outlines import Outline, OutlineFile

CLASS_NAMES = "classes.txt"


def is_yolo(path: Path) -> str:
    """What a text file holds: "boxes", "labels" (outlines), or "" where it is none of YOLO's.

    Parameters
    ----------
    path : of the file; a file without lines holds boxes of an image without objects.
    """
    try:
        lines = [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]
        rows = [[float(part) for part in line] for line in lines]
    except (OSError, ValueError):
        return ""
    if not all(row[0] == int(row[0]) and max(row[1:], default=9) <= 1.001 for row in rows):
        return ""
    if all(len(row) in (5, 6) for row in rows):
        return "boxes"
    return "labels" if all(len(row) >= 7 and len(row) % 2 for row in rows) else ""


def read_yolo_boxes(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """Read boxes, with the names of classes.txt beside the file or in the folder above.

    Parameters
    ----------
    path : of the file.
    shape : (Y, X) of the image.

    Returns
    -------
    boxes : (n, 4), columns y0, x0, y1, x1 in pixels.
    classes : of each box; its number where it has no name.
    """
    rows = _read_rows(path)
    names = _read_names(path)
    boxes = []
    for _, x, y, width, height in (row[:5] for row in rows):
        boxes.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
    found = np.array(boxes, float).reshape(-1, 4) * (shape * 2)
    numbers = [int(row[0]) for row in rows]
    return found, [names[n] if n < len(names) else str(n) for n in numbers]


def read_yolo_outlines(path: Path, shape: tuple[int, ...]) -> OutlineFile:
    """Read outlines of nuclei.

    Parameters
    ----------
    path : of the file.
    shape : (Y, X) of the image.

    Raises
    ------
    UserError : the file holds boxes, or nothing of the kind.
    """
    if is_yolo(path) != "labels":
        raise UserError(
            "A text file of labels holds outlines in YOLO's form.",
            path,
            "Boxes of LabelImg belong into boxes/ beside images/.",
        )
    rings = [np.array(row[1:]).reshape(-1, 2)[:, ::-1] * shape for row in _read_rows(path)]
    return OutlineFile([Outline(i, [ring], name=f"line {i}") for i, ring in enumerate(rings, 1)])


def _read_rows(path: Path) -> list[list[float]]:
    lines = path.read_text("utf-8").splitlines()
    return [[float(part) for part in line.split()] for line in lines if line.strip()]


def _read_names(path: Path) -> list[str]:
    for place in (path.parent / CLASS_NAMES, path.parent.parent / CLASS_NAMES):
        if place.is_file():
            lines = place.read_text("utf-8-sig").splitlines()
            return [line.strip() for line in lines if line.strip()]
    return []
