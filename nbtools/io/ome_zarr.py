"""OME-Zarr (NGFF 0.4 and 0.5): folders of chunks, read and written at full resolution."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.io.axes import RATIO, SMALL, RawImage, no_pixels
from nbtools.io.microscope import import_optional
from nbtools.io.units import PIXEL, normal_unit, um_per_unit

METADATA_KEY = "nbtools"
CHUNK = {"Y": 512, "X": 512}  # one plane of up to 512 x 512 a chunk


def read_ome_zarr(path: Path, *, header_only: bool = False) -> RawImage:
    """Read the full resolution of the first image of an OME-Zarr folder.

    Parameters
    ----------
    path : of the folder.
    header_only : leave out the pixels: they are zeros that take no memory.

    Raises
    ------
    UserError : the folder has no multiscales metadata, or the package zarr is missing.
    """
    zarr = import_optional("zarr", "OME-Zarr")
    group = zarr.open_group(str(path), mode="r")
    about = dict(group.attrs)
    about = about.get("ome", about)  # NGFF 0.5 keeps them one level deeper
    if "multiscales" not in about:
        raise UserError(
            "An OME-Zarr folder must describe its image.",
            f"{path} without multiscales",
            "Name the folder of one image.",
        )
    scales = about["multiscales"][0]
    level = scales["datasets"][0]
    array = group[level["path"]]
    letters = "".join(a["name"].upper() for a in scales["axes"])
    spacing, unit = _spacing(scales, level, letters)
    note = about.get(METADATA_KEY, {})
    names = tuple(note.get("channels", ())) or tuple(
        c.get("label", "") for c in about.get("omero", {}).get("channels", ())
    )
    require_stored(array, path)
    pixels = no_pixels(array.shape, array.dtype) if header_only else np.asarray(array[...])
    return _as_written(RawImage(pixels, letters, spacing, unit, channels=names), note)


def require_stored(array: object, path: Path) -> None:
    """A UserError where an array claims a shape, and most of its chunks are not there.

    Parameters
    ----------
    array : of the package zarr.
    path : of the folder, for the message.
    """
    claimed = math.prod(array.shape) * array.dtype.itemsize
    if claimed <= SMALL:
        return
    stored = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    if claimed > RATIO * stored:
        raise UserError(
            "An OME-Zarr folder must hold the pixels that it claims.",
            f"{path} of {stored} bytes, which claims a shape of {array.shape}",
            "Export the image again.",
        )


def write_ome_zarr(path: Path, image: Image) -> None:
    """Write NGFF 0.5 (Zarr 3): axes in the order T, C, Z, Y, X, one resolution."""
    zarr = import_optional("zarr", "OME-Zarr")
    letters = "".join(a for a in "TCZYX" if a in image.axes)
    ordered = image.to(letters)
    chunks = tuple(min(n, CHUNK.get(a, 1)) for a, n in zip(letters, ordered.shape, strict=True))
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    array = group.create_array("0", shape=ordered.shape, chunks=chunks, dtype=ordered.pixels.dtype)
    array[...] = ordered.pixels
    group.attrs["ome"] = _describe(ordered) | {
        METADATA_KEY: {"axes": image.axes, "channels": list(image.channels)}
    }


def _spacing(scales: dict, level: dict, letters: str) -> tuple[dict[str, float], str]:
    """Pixel size by letter: the scale of the level times that of the image; {} without units."""
    factors = np.ones(len(letters))
    for holder in (scales, level):
        for step in holder.get("coordinateTransformations", ()):
            if step.get("type") == "scale":
                factors = factors * np.asarray(step["scale"], float)
    units = {
        a["name"].upper(): normal_unit(a.get("unit"))
        for a in scales["axes"]
        if a.get("type", "space") == "space"
    }
    if not units or not all(units.values()):
        return {}, "um"
    sizes = {a: float(f) for a, f in zip(letters, factors, strict=True) if a in units}
    if all(u in PIXEL for u in units.values()):
        return sizes, "pixel"
    known = {a: um_per_unit(u) for a, u in units.items()}
    return {a: known[a] * size for a, size in sizes.items() if known[a]}, "um"


def _describe(image: Image) -> dict:
    kinds = {"T": "time", "C": "channel"}
    unit = {"um": "micrometer", "pixel": "pixel"}[image.unit]
    axes = [
        {"name": a.lower(), "type": kinds.get(a, "space")}
        | ({"unit": unit} if a in "ZYX" and image.spacing else {})
        for a in image.axes
    ]
    known = dict(zip(image.spatial, image.spacing or (), strict=bool(image.spacing)))
    scale = [known.get(a, 1.0) for a in image.axes]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    about = {
        "version": "0.5",
        "multiscales": [{"name": image.name or "image", "axes": axes, "datasets": [level]}],
    }
    if image.channels:
        about["omero"] = {"channels": [{"label": c} for c in image.channels]}
    return documents.parse_json(json.dumps(about), "metadata")


def _as_written(raw: RawImage, note: dict) -> RawImage:
    """Restore the order of axes of the image that was written; colours come last."""
    axes = str(note.get("axes", ""))
    if set(axes) != set(raw.letters) or axes == raw.letters:
        return raw
    pixels = raw.pixels.transpose([raw.letters.index(a) for a in axes])
    letters = axes[:-1] + "S" if axes.endswith("C") and raw.channels == RGB else axes
    return replace(raw, pixels=pixels, letters=letters)
