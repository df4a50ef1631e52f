"""Label images from files of outlines and run lengths, whichever program wrote them.

Fiji's ROIs (.roi, .zip; also the 3D manager's), QuPath's GeoJSON, COCO, LabelMe, VIA (JSON and
CSV), YOLO's outlines, and the run lengths of the Data Science Bowl.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.coco import is_coco, read_coco
from nbtools.io.fiji_rois import read_3d_objects, read_fiji_rois
from nbtools.io.files import find_reason, read_csv
from nbtools.io.geojson import read_geojson
from nbtools.io.image_annotators import (
    VIA_COLUMNS,
    is_labelme,
    is_via,
    list_via_names,
    read_labelme,
    read_via,
    rows_to_via,
)
from nbtools.io.outlines import (
    OutlineFile,
    PaintedLabel,
    image_stem,
    paint_outlines,
    select_frame,
)
from nbtools.io.yolo import read_yolo_outlines

ROI_FILES = (".zip", ".roi", ".geojson", ".json", ".csv", ".npy", ".txt")
RUN_COLUMNS = {"ImageId", "EncodedPixels"}


def read_rois(path: str | Path, shape: tuple[int, ...], *, name: str | Path = "") -> np.ndarray:
    """Read a file of outlines or run lengths as a label image.

    Parameters
    ----------
    path : of the file; for its formats see `read_outlines`.
    shape : (Y, X) or (Z, Y, X) of the image.
    name : of the image, where one file lists the labels of many.

    Returns
    -------
    Label image int32 of that shape; where shapes overlap, the smaller one wins.

    Raises
    ------
    UserError : as `read_outlines`.
    """
    return read_outlines(path, shape, name=name).label


def read_outlines(
    path: str | Path,
    shape: tuple[int, ...],
    *,
    name: str | Path = "",
    frames: Sequence[int] = (),
) -> PaintedLabel:
    """Read a file of outlines or run lengths as a label image, with notes on what was decided.

    Parameters
    ----------
    path : .zip, .roi or a folder of .roi (Fiji), .geojson or .json (QuPath), .json (COCO,
        LabelMe, VIA), .csv (VIA, run lengths), .txt (YOLO).
    shape : (Y, X) or (Z, Y, X) of the image.
    name : name or path of the image, where one file lists the labels of many; a path tells images
        of one name in several folders apart.
    frames : time points from 0 of a movie; () where the image is none.

    Returns
    -------
    PaintedLabel; with frames, (T, Y, X) or (T, Z, Y, X).

    Raises
    ------
    UserError : an unknown format, a broken file, or one without any area. The _seg.npy files of
        Cellpose are pickles, which may run code: they are not opened.
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
        if (
            kind == ".zip"
            and path.is_file()
            and (label := read_3d_objects(path, shape)) is not None
        ):
            return PaintedLabel(label)
        rows = read_csv(path) if kind == ".csv" else []
        if rows and set(rows[0]) >= RUN_COLUMNS:
            return PaintedLabel(_paint_runs(rows, shape, name=name))
        found = _read_file(path, shape, name=name, rows=rows)
        return _paint_frames(found, shape, frames) if frames else paint_outlines(found, shape)
    except UserError:
        raise
    except Exception as error:  # a broken file fails anywhere inside the readers
        raise UserError(
            "A file of outlines must be whole and readable.",
            f"{path} ({find_reason(error)})",
            "Export it again.",
        ) from error


def list_image_names(path: str | Path) -> list[str]:
    """Names of the images whose labels a file of COCO, VIA or run lengths holds.

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
                columns = {c.removeprefix("#") for c in rows.fieldnames or ()}
                listed = next((c for c in rows.fieldnames or () if c in NAMING), None)
                known = columns >= RUN_COLUMNS or columns >= VIA_COLUMNS
                return list(dict.fromkeys(r[listed] for r in rows)) if known else []
        content = documents.read_json(path) if path.suffix.lower() == ".json" else {}
        if is_via(content):
            return list(list_via_names(content))
        images = content.get("images", ()) if isinstance(content, dict) else ()
        return [Path(i["file_name"].replace("\\", "/")).name for i in images]
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def holds_labels(path: str | Path) -> bool:
    """Whether a file beside an image, of its name, holds outlines, and not facts on the image.

    Parameters
    ----------
    path : .zip, .roi, .geojson or .json.
    """
    path = Path(path)
    try:
        documents.require_plain_file(path)
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                return any(n.lower().endswith((".roi", ".3droi")) for n in archive.namelist())
        if path.suffix.lower() != ".json":
            return True
        content = documents.read_json(path)
    except (UserError, OSError, ValueError, zipfile.BadZipFile):
        return True  # a broken file is refused when it is read
    listed = isinstance(content, list) and bool(content) and "geometry" in content[0]
    known = is_labelme(content) or is_coco(content) or is_via(content)
    return listed or known or (isinstance(content, dict) and "features" in content)


def holds_outlines(path: str | Path) -> bool:
    """Whether a file that lists many images holds outlines or masks, not boxes alone.

    Parameters
    ----------
    path : of a file for which `list_image_names` gives names.
    """
    if Path(path).suffix.lower() != ".json":
        return True
    content = documents.read_json(path)
    return not is_coco(content) or any(a.get("segmentation") for a in content["annotations"])


NAMING = ("ImageId", "filename", "#filename")  # columns that name an image


def _paint_frames(
    found: OutlineFile, shape: tuple[int, ...], frames: Sequence[int]
) -> PaintedLabel:
    """One label image per time point; a note that several have is told once."""
    depth = shape[0] if len(shape) == 3 else 1
    painted = [paint_outlines(select_frame(found, t, depth=depth), shape) for t in frames]
    notes = dict.fromkeys(chain.from_iterable(one.notes for one in painted))
    return PaintedLabel(np.stack([one.label for one in painted]), tuple(notes))


def _read_file(
    path: Path, shape: tuple[int, ...], *, name: str | Path, rows: list[dict[str, str]]
) -> OutlineFile:
    kind = path.suffix.lower()
    if kind in (".zip", ".roi") or path.is_dir():
        return read_fiji_rois(path)
    if kind == ".txt":
        return read_yolo_outlines(path, _require_plane(shape))
    if kind == ".csv":
        if rows and not {c.removeprefix("#") for c in rows[0]} >= VIA_COLUMNS:
            raise UserError(
                "A CSV of labels has the columns ImageId and EncodedPixels, or is one of VIA.",
                f"{path} with the columns {', '.join(rows[0])}",
                "Export label images instead.",
            )
        return read_via(rows_to_via(rows), path, name=name)
    content = documents.read_json(path)
    if is_coco(content):
        return read_coco(content, name, shape=_require_plane(shape))
    if is_labelme(content):
        return read_labelme(content, path, shape=_require_plane(shape))
    if is_via(content):
        return read_via(content, path, name=name)
    return read_geojson(content, path, volume=len(shape) == 3)


def _require_plane(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != 2:
        raise UserError(
            "COCO, LabelMe, YOLO and run lengths are of 2D images.",
            f"an image of the shape {tuple(shape)}",
            "Give label images, or the outlines of Fiji or QuPath, which name their slice.",
        )
    return shape


def _paint_runs(
    rows: list[dict[str, str]], shape: tuple[int, ...], *, name: str | Path
) -> np.ndarray:
    """Run lengths of the Data Science Bowl: one row per nucleus.

    Each holds starts and lengths, counted from 1 down the columns.
    """
    height, width = _require_plane(shape)
    label = np.zeros(height * width, np.int32)
    wanted = image_stem(str(name))
    mine = [r["EncodedPixels"] for r in rows if image_stem(r["ImageId"]) == wanted]
    for number, text in enumerate(mine, start=1):
        numbers = np.array(text.split(), int)
        for start, length in zip(numbers[::2] - 1, numbers[1::2], strict=True):
            label[start : start + length] = number
    return label.reshape(width, height).T.copy()
