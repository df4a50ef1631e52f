"""Outlines drawn in LabelMe and in the VGG Image Annotator (VIA)."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.outlines import Outline, OutlineFile, OutlineNote, image_stem, list_some

HOLE = "hole"  # label of a shape in LabelMe that is cut out of its group
VIA_COLUMNS = {"filename", "region_shape_attributes"}


def is_labelme(content: object) -> bool:
    """Whether a JSON document is that of LabelMe."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read_labelme(content: dict, path: Path, *, shape: tuple[int, ...]) -> OutlineFile:
    """Take the nuclei from a LabelMe document; the image in it is not looked at.

    Shapes of one `group_id` and label are one nucleus; where one lies in another, or has the label
    hole, it is a hole.

    Parameters
    ----------
    content : of the file.
    path : of the file, for messages.
    shape : (Y, X) of the image.

    Raises
    ------
    UserError : another size, or points and lines only.
    """
    size = content.get("imageHeight"), content.get("imageWidth")
    if all(size) and tuple(map(int, size)) != tuple(shape[-2:]):
        raise UserError(
            "Image and LabelMe file must be of one size.",
            f"{size[0]} x {size[1]} px in {path}, {' x '.join(map(str, shape[-2:]))} px in the "
            "image",
            "Give the image on which the outlines were drawn.",
        )
    shapes = []
    for number, one in enumerate(content["shapes"], start=1):
        name, group = str(one.get("label") or "shape"), one.get("group_id")
        if name.casefold() == HOLE and group is not None:
            name = _label_of_group(content["shapes"], group)
        key = number if group is None else (group, name)
        shapes.append((key, f"{name} ({number})", *_read_labelme_shape(one, shape[-2:])))
    return _collect(shapes, path)


def _label_of_group(shapes: list[dict], group: object) -> str:
    labels = (str(s.get("label") or "shape") for s in shapes if s.get("group_id") == group)
    return next((label for label in labels if label.casefold() != HOLE), HOLE)


def is_via(content: object) -> bool:
    """Whether a JSON document is an export or a project of VIA 1 or 2."""
    if not isinstance(content, dict) or not content:
        return False
    if "_via_img_metadata" in content:
        return True
    first = next(iter(content.values()))
    return isinstance(first, dict) and {"filename", "regions"} <= set(first)


def list_via(content: dict) -> list[dict]:
    """The records of a VIA document: `filename` and `regions` of each image."""
    return list(content.get("_via_img_metadata", content).values())


def rows_to_via(rows: list[Mapping[str, str]]) -> dict:
    """The rows of a CSV export of VIA as the document of its JSON export.

    Parameters
    ----------
    rows : with the columns filename and region_shape_attributes; those of version 1 begin with #.

    Examples
    --------
    >>> rows = [{"#filename": "a.png", "region_shape_attributes": '{"name": "circle"}'}]
    >>> rows_to_via(rows)["a.png"]["regions"]
    [{'shape_attributes': {'name': 'circle'}}]
    """
    found: dict[str, dict] = {}
    for row in rows:
        name = row.get("filename") or row.get("#filename") or ""
        about = found.setdefault(name, {"filename": name, "regions": []})
        region = documents.parse_json(row["region_shape_attributes"] or "{}", "a table of VIA")
        about["regions"] += [{"shape_attributes": region}] if region else []
    return found


def read_via(content: dict, path: Path, *, name: str | Path) -> OutlineFile:
    """Take the nuclei of an image from a VIA document; polygons, circles, ellipses, rectangles.

    Parameters
    ----------
    content : of the file.
    path : of the file, for messages.
    name : name or path of the image.

    Raises
    ------
    UserError : the image has points and lines only.
    """
    wanted = image_stem(str(name))
    regions: list = []
    for about in list_via(content):
        if image_stem(about["filename"]) == wanted:
            held = about["regions"]  # a list in version 2, a dictionary in version 1
            regions += held.values() if isinstance(held, dict) else held
    shapes = [_ring_of_via(r["shape_attributes"]) for r in regions]
    return _collect(
        [(i, f"region {i}", ring, kind) for i, (ring, kind) in enumerate(shapes, start=1)], path
    )


def _collect(shapes: list[tuple], path: Path) -> OutlineFile:
    """Outlines of (key, name, ring or mask or None, kind); rings of one key are one outline."""
    found = OutlineFile()
    rings: dict[object, list[np.ndarray]] = {}
    left = []
    for key, name, drawn, kind in shapes:
        if drawn is None:
            left.append(f"{name}, {kind}")
        elif drawn.dtype == bool:
            found.outlines.append(Outline(key, [], name=name, mask=drawn))
        elif key in rings:
            rings[key].append(drawn)
        else:
            rings[key] = [drawn]
            found.outlines.append(Outline(key, rings[key], name=name))
    if left and not found.outlines:
        raise UserError(
            "Labels are made from outlines of areas.",
            f"{path} with {list_some(left)}",
            "Outline the nuclei; points may stand in centres/NAME.csv, with the columns y and x.",
        )
    if left:
        text = f"{len(left)} of {len(shapes)} shapes have no area and are left out"
        remedy = "Outline these nuclei if they are some; else nothing is to be done."
        found.notes.append(
            OutlineNote("outline_without_area", "warning", f"{text}: {list_some(left)}.", remedy)
        )
    return found


def _read_labelme_shape(one: dict, shape: tuple[int, ...]) -> tuple[np.ndarray | None, str]:
    """The ring or the mask of a shape of LabelMe, None where it has no area; and its kind."""
    kind = str(one.get("shape_type") or "polygon")
    points = np.asarray(one["points"], float).reshape(-1, 2)[:, ::-1]
    if kind == "polygon" and len(points) > 2:
        return points, kind
    if kind == "rectangle" and len(points) > 1:
        return _rectangle(points.min(axis=0), points.max(axis=0)), kind
    if kind == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        return _ellipse(points[0], (radius, radius)), kind
    if kind == "mask" and one.get("mask"):
        return _place_mask(one["mask"], points.min(axis=0).astype(int), shape), kind
    return None, kind


def _place_mask(text: str, corner: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The plane with a mask at its place; LabelMe stores it as a PNG of its box, in base 64."""
    from PIL import Image as Picture

    with Picture.open(io.BytesIO(base64.b64decode(text))) as picture:
        part = np.asarray(picture.convert("L")) > 0
    plane = np.zeros(shape, bool)
    inside = plane[corner[0] :, corner[1] :][: part.shape[0], : part.shape[1]]
    inside |= part[: inside.shape[0], : inside.shape[1]]
    return plane


def _ring_of_via(about: dict) -> tuple[np.ndarray | None, str]:
    kind = str(about.get("name") or "nothing")
    if kind == "polygon":
        ring = np.stack([about["all_points_y"], about["all_points_x"]], axis=1).astype(float)
        return (ring if len(ring) > 2 else None), kind
    if kind == "rect":
        low = np.array([about["y"], about["x"]], float)
        return _rectangle(low, low + np.array([about["height"], about["width"]])), kind
    if kind in ("circle", "ellipse"):
        radii = (about.get("ry", about.get("r")), about.get("rx", about.get("r")))
        centre = np.array([about["cy"], about["cx"]], float)
        return _ellipse(centre, radii, angle=float(about.get("theta", 0))), kind
    return None, kind


def _rectangle(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.array([low, (low[0], high[1]), high, (high[0], low[1])], float)


def _ellipse(centre: np.ndarray, radii: tuple[float, float], *, angle: float = 0.0) -> np.ndarray:
    """100 points of an ellipse; radii along y and x, then turned from x towards y, in radians."""
    turn = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    y, x = np.sin(turn) * radii[0], np.cos(turn) * radii[1]
    return centre + np.stack(
        [x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) - y * np.sin(angle)], axis=1
    )


def list_via_names(content: dict) -> Iterator[str]:
    """File names of the images of a VIA document."""
    return (PureWindowsPath(about["filename"]).name for about in list_via(content))
