"""Points and boxes of nuclei: tables, Pascal VOC, COCO and images of blobs.

Boxes hold edges, counted in pixels from 0: the box of the first pixel alone is y0, x0, y1, x1 = 0,
0, 1, 1. Points are pixel coordinates: the centre of the first pixel is 0, 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.geometry import centroids
from nbtools.io.coco import list_annotations
from nbtools.io.files import find_reason, read_csv, write_csv
from nbtools.io.marked_points import read_marked_points
from nbtools.io.yolo import read_yolo_boxes

EDGES = ("y0", "x0", "y1", "x1", "z0", "z1")
BOX_FILES = (".csv", ".xml", ".json", ".txt")
CENTRE_FILES = (".csv", ".roi", ".zip", ".geojson")


def read_boxes(
    path: str | Path, ndim: int, *, name: str | Path = "", shape: tuple[int, ...] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the boxes of an image, and their classes.

    Parameters
    ----------
    path : a table with a column for each edge and perhaps `class`; Pascal VOC (.xml, whose first
        pixel is 1); COCO (.json); YOLO as LabelImg writes it (.txt).
    ndim : 2 or 3.
    name : name or path of the image, where one file lists many.
    shape : (Y, X) of the image; only YOLO's shares need it.

    Returns
    -------
    boxes : (n, 2 * ndim) float64, columns y0, x0, y1, x1 and in 3D z0, z1 behind them, in pixels.
    classes : name of the class of each box; () where no box has one.

    Raises
    ------
    UserError : a broken file, missing columns, entries that are no finite numbers.
    """
    columns = 2 * ndim
    try:
        rows, classes = _read_rows(Path(path), columns, name=name, shape=shape)
        boxes = np.array(rows, float).reshape(-1, columns)
    except UserError:
        raise
    except Exception as error:  # a broken file fails anywhere inside the readers
        names = ", ".join(EDGES[:columns])
        raise UserError(
            "A file of boxes must be whole and readable.",
            f"{path} ({find_reason(error)})",
            f"Export it again, or write a table with the columns {names}, in pixels.",
        ) from error
    require_finite(boxes, path)
    return boxes, tuple(classes) if any(classes) else ()


def read_centres(path: str | Path, spatial: str) -> np.ndarray:
    """Read the centres of nuclei.

    Parameters
    ----------
    path : of a CSV file whose columns are named like the axes, in pixels; or of the points of Fiji
        (.roi, .zip) or QuPath (.geojson).
    spatial : spatial axes of the image, "YX" or "ZYX" in any order.

    Returns
    -------
    (n, ndim) float64, columns in the order of `spatial`.

    Raises
    ------
    UserError : missing columns, entries that are no finite numbers, a broken file.
    """
    letters = spatial.lower()
    if Path(path).suffix.lower() != ".csv":
        return _read_marked(Path(path), letters)
    rows = read_csv(path)
    if rows and not set(letters) <= set(rows[0]):
        raise UserError(
            "A table of centres has a column for each axis.",
            f"{', '.join(rows[0])} in {path}",
            f"Name the columns {', '.join(letters)}, and give pixels.",
        )
    try:
        centres = np.array([[float(row[a]) for a in letters] for row in rows])
    except (TypeError, ValueError) as error:
        raise UserError(
            "Centres must be numbers.",
            f"{path} ({find_reason(error)})",
            "Correct the table; a decimal point is a point.",
        ) from error
    require_finite(centres, path)
    return centres.reshape(-1, len(letters))


def _read_marked(path: Path, letters: str) -> np.ndarray:
    """Points of Fiji or QuPath, columns in the order of the axes."""
    try:
        points = read_marked_points(path)
    except UserError:
        raise
    except Exception as error:  # a broken file fails anywhere inside the readers
        raise UserError(
            "A file of points must be whole and readable.",
            f"{path} ({find_reason(error)})",
            "Save it again, or write a table with a column for each axis.",
        ) from error
    require_finite(points, path)
    return points[:, ["zyx".index(letter) for letter in letters]]


def find_centres(pixels: np.ndarray) -> np.ndarray:
    """Centroids of the blobs of an image.

    Parameters
    ----------
    pixels : (*space) label image; where all blobs have one value, each connected part is a blob.

    Returns
    -------
    (n, ndim) float64, in pixels.

    Examples
    --------
    >>> find_centres(np.array([[1, 0, 0], [1, 0, 1]])).tolist()
    [[0.5, 0.0], [1.0, 2.0]]
    """
    from scipy import ndimage

    if len(np.unique(pixels[pixels > 0])) == 1:
        pixels, _ = ndimage.label(pixels > 0, np.ones((3,) * pixels.ndim))
    return centroids(pixels)


def write_boxes(path: str | Path, boxes: np.ndarray, *, classes: tuple[str, ...] = ()) -> None:
    """Write a table of boxes as `read_boxes` reads it.

    Parameters
    ----------
    path : of the CSV file.
    boxes : (n, 2 * ndim), columns y0, x0, y1, x1 and in 3D z0, z1.
    classes : name of the class of each box; () leaves the column out.
    """
    columns = dict(zip(EDGES, boxes.T.astype(float), strict=False))
    write_csv(path, columns | ({"class": classes} if classes else {}))


def read_centre_classes(path: str | Path) -> tuple[str, ...]:
    """Read the class of each centre of a table.

    Parameters
    ----------
    path : of a CSV file, perhaps with a column `class`.

    Returns
    -------
    Names in the order of the rows, "" where a row has none; () where no row has one.
    """
    named = tuple((row.get("class") or "").strip() for row in read_csv(path))
    return named if any(named) else ()


def write_centres(
    path: str | Path, centres: np.ndarray, *, spatial: str, classes: tuple[str, ...] = ()
) -> None:
    """Write a table of centres as `read_centres` and `read_centre_classes` read it.

    Parameters
    ----------
    path : of the CSV file.
    centres : (n, ndim), in pixels.
    spatial : axes of the columns, "YX" or "ZYX" in any order.
    classes : class of each centre; () leaves the column out.
    """
    columns = dict(zip(spatial.lower(), centres.T.astype(float), strict=True))
    write_csv(path, columns | ({"class": classes} if classes else {}))


def _read_rows(
    path: Path, columns: int, *, name: str | Path, shape: tuple[int, ...]
) -> tuple[list | np.ndarray, list[str]]:
    kind = path.suffix.lower()
    if kind == ".txt":
        _require_flat(path, columns)
        return read_yolo_boxes(path, shape)
    if kind == ".json":
        return _boxes_of_coco(path, columns, name)
    return (_boxes_of_voc if kind == ".xml" else _boxes_of_table)(path, columns)


def _boxes_of_table(path: Path, columns: int) -> tuple[list, list[str]]:
    rows = read_csv(path)
    needed = EDGES[:columns]
    if rows and not set(needed) <= set(rows[0]):
        raise UserError(
            "A table of boxes has a column for each edge.",
            f"{', '.join(rows[0])} in {path}",
            f"Name the columns {', '.join(needed)}, and class where there are classes.",
        )
    return [[float(row[edge]) for edge in needed] for row in rows], [
        row.get("class") or "" for row in rows
    ]


def _boxes_of_voc(path: Path, columns: int) -> tuple[list, list[str]]:
    """Pascal VOC counts pixels from 1, and the last pixel belongs to the box."""
    _require_flat(path, columns)
    boxes = []
    classes = []
    for thing in documents.parse_xml(path.read_bytes(), path).iter("object"):
        y0, x0, y1, x1 = (
            float(thing.findtext(f"bndbox/{key}")) for key in ("ymin", "xmin", "ymax", "xmax")
        )
        boxes.append([y0 - 1, x0 - 1, y1, x1])
        classes.append((thing.findtext("name") or "").strip())
    return boxes, classes


def _boxes_of_coco(path: Path, columns: int, name: str | Path) -> tuple[list, list[str]]:
    """COCO boxes are x, y, width and height."""
    _require_flat(path, columns)
    content = documents.read_json(path)
    known = {c["id"]: str(c["name"]) for c in content.get("categories", ())}
    _, mine = list_annotations(content, name)
    boxes = [[y, x, y + height, x + width] for x, y, width, height in (a["bbox"] for a in mine)]
    return boxes, [known.get(a.get("category_id"), "") for a in mine]


def _require_flat(path: Path, columns: int) -> None:
    if columns != 4:
        raise UserError(
            "Pascal VOC, COCO and YOLO hold boxes of 2D images.",
            f"{path} beside a volume",
            f"Write a table with the columns {', '.join(EDGES)}.",
        )


def require_finite(places: np.ndarray, path: str | Path) -> None:
    """Refuse a table with entries that are NaN or infinite.

    Parameters
    ----------
    places : of any shape: coordinates, edges, scores.
    path : of the table, for errors.
    """
    if not np.isfinite(places).all():
        raise UserError(
            "Boxes, centres and scores must be finite numbers.",
            f"NaN or infinity in {path}",
            "Correct the table, or take the row out.",
        )


def require_extent(edges: np.ndarray, path: str | Path) -> None:
    """Refuse boxes that end before they begin: they overlap with nothing.

    Parameters
    ----------
    edges : (N, 2 D), columns y0, x0, y1, x1 and in 3D z0, z1.
    path : of the table, for errors.
    """
    ndim = edges.shape[1] // 2
    low, high = edges[:, (0, 1, 4)[:ndim]], edges[:, (2, 3, 5)[:ndim]]
    if wrong := int((high <= low).any(axis=1).sum()):
        raise UserError(
            "A box ends behind where it begins.",
            f"{wrong} of {len(edges)} boxes of {path} do not",
            "The near corner comes first: y0, x0, y1, x1 (z0, z1). Of a data set, nbtools check "
            "--fix COPY leaves them out.",
        )
