"""Label images from outlines and run lengths: Fiji ROIs, QuPath GeoJSON, COCO, Data Science Bowl.

In all of them a pixel belongs to a shape if its centre lies inside; the centre of the first pixel
is (0.5, 0.5).
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.archive import list_zip
from nbtools.io.files import find_reason, read_csv

ROI_FILES = (".zip", ".roi", ".geojson", ".json", ".csv", ".npy")
# parts and slices of one nucleus, as nbtools.export names them
OWN_NAME = re.compile(r"^(nucleus-\d+)(?:-z\d+)?(?:-\d+)?$")
RUN_COLUMNS = {"ImageId", "EncodedPixels"}
MOST_BYTES = 2**28  # of all ROIs of a zip
# key of the nucleus, slice (-1: all), rings of (y, x): the first is the outline, the others holes
Shape = tuple[object, int, list[np.ndarray]]


def read_rois(path: str | Path, shape: tuple[int, ...], *, name: str = "") -> np.ndarray:
    """Read a file of outlines or run lengths as a label image.

    Parameters
    ----------
    path : .zip or .roi (Fiji), .geojson or .json (QuPath, COCO), .csv (run lengths).
    shape : (Y, X) or (Z, Y, X) of the image.
    name : of the image, where one file lists the labels of many (COCO, run lengths).

    Returns
    -------
    Label image int32 of that shape; where shapes overlap, the later one wins.

    Raises
    ------
    UserError : an unknown format or a broken file. The _seg.npy files of Cellpose are pickles,
        which may run code: they are not opened.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".npy":
        raise UserError(
            "Labels are never read from pickles, which can run code.",
            path,
            "In Cellpose choose File > Save masks as PNG, and give NAME_cp_masks.png.",
        )
    documents.require_plain_file(path)
    try:
        if kind == ".csv":
            return _paint_runs(read_csv(path), shape, name=name)
        shapes = list(
            _read_rois(path) if kind in (".zip", ".roi") else _read_json(path, shape, name=name)
        )
    except UserError:
        raise
    except Exception as error:  # a broken file fails anywhere inside the readers
        raise UserError(
            "A file of outlines must be whole and readable.",
            f"{path} ({find_reason(error)})",
            "Export it again.",
        ) from error
    return paint_shapes(shapes, shape)


def list_image_names(path: str | Path) -> list[str]:
    """Names of the images whose labels a COCO or run-length file holds.

    Parameters
    ----------
    path : of the file.

    Returns
    -------
    File names; [] for files that describe a single image, and for files that cannot be read.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".csv":
            documents.require_plain_file(path)
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                listed = set(rows.fieldnames or ()) >= RUN_COLUMNS
                return list(dict.fromkeys(r["ImageId"] for r in rows)) if listed else []
        content = documents.read_json(path) if path.suffix.lower() == ".json" else {}
        images = content.get("images", ()) if isinstance(content, dict) else ()
        return [Path(i["file_name"]).name for i in images]
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return []


def paint_shapes(shapes: Iterable[Shape], shape: tuple[int, ...]) -> np.ndarray:
    """Paint outlined shapes as a label image.

    Parameters
    ----------
    shapes : (key, z, rings): shapes of the same key get the same number; z is a plane, or -1 for
        all; rings are (n, 2) in the order y, x, the first the outline, the others holes.
    shape : (Y, X) or (Z, Y, X) of the image.

    Returns
    -------
    Label image int32, numbers 1 … N; where shapes overlap, the later one wins.

    Examples
    --------
    >>> square = np.array([[0, 0], [0, 2], [2, 2], [2, 0]])
    >>> paint_shapes([("a", -1, [square])], (3, 3)).tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    """
    label = np.zeros(shape, np.int32)
    numbers: dict[object, int] = {}
    for key, z, rings in shapes:
        number = numbers.setdefault(key, len(numbers) + 1)
        inside = _fill(rings, shape[-2:])
        if label.ndim == 2:
            label[inside] = number
        elif z < label.shape[0]:
            label[slice(None) if z < 0 else z][..., inside] = number
    return label


def _fill(rings: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    from skimage.draw import polygon

    inside = np.zeros(shape, bool)
    for i, ring in enumerate(rings):
        rows, columns = polygon(ring[:, 0] - 0.5, ring[:, 1] - 0.5, shape)
        inside[rows, columns] = i == 0
    return inside


def _read_rois(path: Path) -> Iterator[Shape]:
    import roifile

    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = list_zip(archive, name=str(path), most=MOST_BYTES)
            rois = [
                roifile.ImagejRoi.frombytes(member.open().read())
                for member in members
                if member.name.lower().endswith(".roi")
            ]
    else:
        rois = [roifile.ImagejRoi.frombytes(path.read_bytes())]
    for i, roi in enumerate(rois):
        own = OWN_NAME.match(roi.name or "")
        z = (roi.z_position or roi.position or 0) - 1
        key = own.group(1) if own else i
        if roi.roitype == roifile.ROI_TYPE.OVAL:
            yield key, z, [_ellipse(roi.top, roi.left, roi.bottom, roi.right)]
            continue
        for ring in roi.coordinates(multi=True):
            if len(ring) > 2:
                yield key, z, [np.asarray(ring, float)[:, ::-1]]


def _ellipse(top: float, left: float, bottom: float, right: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    start = np.array([top, left])
    stop = np.array([bottom, right])
    around = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return (start + stop) / 2 + (stop - start) / 2 * around


def _read_json(path: Path, shape: tuple[int, ...], *, name: str) -> Iterator[Shape]:
    content = documents.read_json(path)
    if isinstance(content, dict) and "annotations" in content:
        yield from _read_coco(content, shape, name=name)
        return
    features = content.get("features", [content]) if isinstance(content, dict) else content
    for i, feature in enumerate(features):
        geometry = feature.get("nucleusGeometry") or feature["geometry"]
        z = int((geometry.get("plane") or {}).get("z", 0)) if len(shape) == 3 else -1
        polygons = {
            "Polygon": [geometry["coordinates"]],
            "MultiPolygon": geometry["coordinates"],
        }.get(geometry["type"], [])
        for rings in polygons:
            yield i, z, [np.asarray(r, float)[:, 1::-1] for r in rings]


def _read_coco(content: dict, shape: tuple[int, ...], *, name: str) -> Iterator[Shape]:
    wanted = {
        i["id"]
        for i in content["images"]
        if Path(i["file_name"]).stem.casefold() == name.casefold()
    }
    for i, about in enumerate(
        a
        for a in content["annotations"]
        if a["image_id"] in wanted or (len(content["images"]) == 1 and not wanted)
    ):
        parts = about.get("segmentation")
        if isinstance(parts, dict):
            raise UserError(
                "COCO labels must be polygons.",
                f"run lengths for {name}",
                "Export polygons, or decode the masks with pycocotools and save a label image.",
            )
        for part in parts or ():
            yield i, -1, [np.asarray(part, float).reshape(-1, 2)[:, ::-1]]


def _paint_runs(rows: list[dict[str, str]], shape: tuple[int, ...], *, name: str) -> np.ndarray:
    """Run lengths of the Data Science Bowl: one row per nucleus.

    Each holds starts and lengths, counted from 1 down the columns.
    """
    if rows and not set(rows[0]) >= RUN_COLUMNS:
        raise UserError(
            "A CSV of labels has the columns ImageId and EncodedPixels.",
            ", ".join(rows[0]),
            "Export label images instead.",
        )
    if len(shape) != 2:
        raise UserError(
            "Run lengths are of 2D images.", f"a shape of {shape}", "Give label images."
        )
    label = np.zeros(shape[0] * shape[1], np.int32)
    mine = [
        r["EncodedPixels"] for r in rows if Path(r["ImageId"]).stem.casefold() == name.casefold()
    ]
    for number, text in enumerate(mine, start=1):
        numbers = np.array(text.split(), int)
        for start, length in zip(numbers[::2] - 1, numbers[1::2], strict=True):
            label[start : start + length] = number
    return label.reshape(shape[::-1]).T.copy()
