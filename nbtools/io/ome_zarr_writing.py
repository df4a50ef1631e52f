"""OME-Zarr written: images and labels with their pyramid, by themselves or inside of an image."""

from __future__ import annotations

import json
from pathlib import Path

from nbtools import documents
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.folders import new_folder
from nbtools.io.microscope import import_optional
from nbtools.io.ome_zarr import (
    LABELS,
    METADATA_KEY,
    is_zarr,
    kind_of,
    list_label_names,
    read_ome_zarr,
)
from nbtools.io.zarr_levels import write_levels

ZARR_FORMATS = {"0.4": 2, "0.5": 3}  # of the versions of NGFF that are written


def write_ome_zarr(
    path: Path,
    image: Image,
    *,
    label: bool = False,
    version: str = "0.5",
    inside: bool = False,
) -> None:
    """Write OME-Zarr: axes in the order T, C, Z, Y, X, large planes with a pyramid.

    Each level halves Y and X, by the mean of grey values and by every second label. Pixels that are
    in a file are read and written part by part. Empty chunks are written, too, and the note says
    so: a chunk that is missing was lost.

    Parameters
    ----------
    path : of the folder.
    image : of any axes and type.
    label : it holds labels, which have no mean.
    version : of NGFF: "0.5" (Zarr 3) or "0.4" (Zarr 2).
    inside : labels lie in the folder of their image.
    """
    zarr = import_optional("zarr", "OME-Zarr")
    letters = "".join(a for a in "TCZYX" if a in image.axes)
    ordered = image.to(letters)
    group = zarr.open_group(str(path), mode="w", zarr_format=ZARR_FORMATS[version])
    count = write_levels(group, ordered.pixels, letters=letters, label=label)
    about = _describe(ordered, levels=count, version=version)
    if label:
        source = {"source": {"image": "../../"}} if inside else {}
        about["image-label"] = {"version": version} | source
    note = {"axes": image.axes, "channels": list(image.channels), "complete": True}
    about[METADATA_KEY] = note
    group.attrs.update({"ome": about} if version == "0.5" else about)


def write_labels_in_place(path: Path, image: Image) -> None:
    """Write labels into the folder of their image, as IMAGE.zarr/labels/NAME, and list them there.

    They are of the version of the image.

    Parameters
    ----------
    path : of the labels; replaced where they are there.
    image : labels on the grid of the image.

    Raises
    ------
    UserError : the folder around holds no OME-Zarr image of that shape.
    """
    zarr = import_optional("zarr", "OME-Zarr")
    outer = path.parent.parent
    if path.parent.name != LABELS or not is_zarr(outer) or kind_of(outer) != "group":
        raise UserError(
            "Labels are written into the folder of their image.",
            path,
            f"Give IMAGE.zarr/{LABELS}/{path.name}.",
        )
    whole = read_ome_zarr(outer, header_only=True)
    sizes = dict(zip(whole.letters, whole.pixels.shape, strict=True))
    if any(sizes.get(axis, 1) != image.size(axis) for axis in "ZYX"):
        raise UserError(
            "Labels must have the shape of their image.",
            f"{image.axes} {image.shape} for {whole.letters} {whole.pixels.shape}",
            "Give the folder of the image that they were found in.",
        )
    version = "0.5" if (outer / "zarr.json").is_file() else "0.4"
    group = zarr.open_group(str(path.parent), mode="a", zarr_format=ZARR_FORMATS[version])
    with new_folder(path, overwrite=True) as folder:
        write_ome_zarr(folder, image, label=True, version=version, inside=True)
    known = list_label_names(path.parent)
    listed = {"labels": sorted({*known, path.name})}
    group.attrs.update({"ome": listed | {"version": version}} if version == "0.5" else listed)


def _describe(image: Image, *, levels: int, version: str) -> dict:
    kinds = {"T": "time", "C": "channel"}
    unit = {"um": "micrometer", "pixel": "pixel"}[image.unit]
    axes = [
        {"name": a.lower(), "type": kinds.get(a, "space")}
        | ({"unit": unit} if a in "ZYX" and image.spacing else {})
        | ({"unit": "second"} if a == "T" and image.interval_s else {})
        for a in image.axes
    ]
    known = dict(zip(image.spatial, image.spacing or (), strict=bool(image.spacing)))
    known["T"] = image.interval_s or 1.0
    datasets = []
    for level in range(levels):
        scale = [known.get(a, 1.0) * (2**level if a in "YX" else 1) for a in image.axes]
        step = {"type": "scale", "scale": scale}
        datasets.append({"path": str(level), "coordinateTransformations": [step]})
    scales = {"name": image.name or "image", "axes": axes, "datasets": datasets}
    if version == "0.5":
        about = {"version": version, "multiscales": [scales]}
    else:
        about = {"multiscales": [{"version": version, **scales}]}
    if image.channels:
        about["omero"] = {"channels": [{"label": c} for c in image.channels]}
    return documents.parse_json(json.dumps(about), "metadata")
