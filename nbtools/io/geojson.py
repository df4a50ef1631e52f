"""Outlines of nuclei in GeoJSON, as QuPath writes it: what an object is counts, not its shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbtools.errors import UserError
from nbtools.io.outlines import OWN_NAME, Outline, OutlineFile, OutlineNote, list_some

# What an object is, by the spellings of QuPath's versions: objectType, object_type, and the id of
# 0.2 ("PathCellObject"). The first kind that a file holds are its nuclei.
KINDS = ("cell", "detection", "annotation", "")
NEVER = ("tile", "tma_core", "tmacore", "root")
AREAS = ("Polygon", "MultiPolygon")


@dataclass(frozen=True, eq=False)
class _Object:
    number: int
    kind: str
    name: str
    classes: tuple[str, ...]
    geometry: dict


def read_geojson(content: object, path: Path, *, volume: bool) -> OutlineFile:
    """Take the nuclei from a GeoJSON document.

    Where a file holds cells, these are its nuclei (by their own nucleus, where they have one); else
    its detections; else its annotations. Annotations around detections are regions, and objects of
    a class that ends in * are not counted in QuPath: all these are left out, and a note tells.

    Parameters
    ----------
    content : the document, a FeatureCollection, a list of features, a feature or a geometry.
    path : of the file, for messages.
    volume : whether the image has slices.

    Raises
    ------
    UserError : none of the objects is a nucleus.
    """
    objects = [_describe(i, f) for i, f in enumerate(_list_features(content), start=1)]
    wanted = next((k for k in KINDS if any(o.kind == k for o in objects)), "")
    found = OutlineFile()
    left: dict[str, list[str]] = {}
    for one in objects:
        reason, outlines = _take(one, wanted=wanted, volume=volume)
        found.outlines += outlines
        if reason:
            left.setdefault(reason, []).append(one.name)
    if left and not found.outlines:
        received = "; ".join(f"{list_some(names)}: {reason}" for reason, names in left.items())
        raise UserError(
            "Labels are made from outlines of areas.",
            f"{path} with {received}",
            "Export the outlines of the nuclei: in QuPath, File > Export objects as GeoJSON.",
        )
    for reason, names in left.items():
        usual = reason in (REGION, IGNORED)
        found.notes.append(
            OutlineNote(
                "outline_no_nucleus",
                "note" if usual else "warning",
                f"{len(names)} of {len(objects)} objects are left out, {reason}: "
                f"{list_some(names)}.",
                "Nothing to do, unless they are nuclei: then export them alone, as detections.",
            )
        )
    return found


PARTS = ("detection",)  # of cells, where a file has both
REGION = "annotations beside detections or cells are regions, not nuclei"
IGNORED = "QuPath does not count classes that end in *"


def _take(one: _Object, *, wanted: str, volume: bool) -> tuple[str, list[Outline]]:
    """Why an object is left out, or else its outlines."""
    if any(name.endswith("*") for name in one.classes):
        return IGNORED, []
    if one.kind in NEVER:
        return f"of the type {one.kind}", []
    if one.kind != wanted:
        if one.kind in PARTS:
            return "detections beside cells are parts of these", []
        return REGION if one.kind == "annotation" else f"of no type, beside {wanted}s", []
    parts = list(_list_polygons(one.geometry))
    if not parts:
        return f"of the shape {one.geometry.get('type') or 'nothing'}, which has no area", []
    plane = one.geometry.get("plane") or {}
    z = int(plane.get("z", 0)) if volume else int(plane.get("z", 0) or plane.get("t", 0) or -1)
    own = OWN_NAME.match(one.name)
    about = {
        "key": own.group(1) if own else one.number,
        "z": z,
        "t": int(plane.get("t", 0)) if plane else -1,
        "name": one.name,
        "joined": bool(own),
    }
    return "", [
        Outline(rings=[np.asarray(ring, float)[:, 1::-1] for ring in rings], **about)
        for rings in parts
    ]


def _list_features(content: object) -> list[dict]:
    if isinstance(content, list):
        return content
    if content.get("type") in (*AREAS, "GeometryCollection") and "properties" not in content:
        return [{"geometry": content}]
    return content.get("features", [content])


def _describe(number: int, feature: dict) -> _Object:
    about = feature.get("properties") or {}
    kind = about.get("objectType") or about.get("object_type") or str(feature.get("id") or "")
    kind = str(kind).removeprefix("Path").removesuffix("Object").lower()
    kind = kind if kind in (*KINDS, *NEVER) else ""
    given = about.get("classification") or {}
    given = given if isinstance(given, dict) else {"name": given}
    names = given.get("names") or str(given.get("name") or "").split(":")
    nucleus = feature.get("nucleusGeometry") or about.get("nucleusGeometry")
    name = str(about.get("name") or f"{kind or 'object'} {number}")
    names = tuple(str(n).strip() for n in names)
    return _Object(number, kind, name, names, nucleus or feature.get("geometry") or {})


def _list_polygons(geometry: dict) -> Iterator[list]:
    """The rings of each polygon: the outline, then its holes."""
    kind = geometry.get("type")
    if kind == "Polygon":
        yield geometry["coordinates"]
    elif kind == "MultiPolygon":
        yield from geometry["coordinates"]
    for part in geometry.get("geometries") or ():
        yield from _list_polygons(part)
