"""TIFF in its dialects (ImageJ, OME, tifffile's own, microscopes'), read and written."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import tifffile

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.axes import RawImage, no_pixels, require_memory, require_possible
from nbtools.io.series import (
    choose_series,
    keep_own,
    require_level,
    select,
    spread,
    tidy_names,
)
from nbtools.io.stored import StoredPixels, read_slabs
from nbtools.io.tiff_metadata import METADATA_KEY, describe, name_positions, require_own_files
from nbtools.io.tiff_pixels import (
    collect_log,
    read_pixels,
    require_undamaged,
    store_pixels,
)
from nbtools.io.units import resolution_tag

TIFF_SUFFIXES = (".lsm", ".stk", ".svs", ".ndpi", ".qptiff", ".scn", ".bif", ".btf", ".tf8")
PREVIEWS = ("thumbnail", "label", "macro", "map", "overview", "probability")  # of slide scanners
SCANNERS = ("svs", "ndpi", "qpi", "bif", "philips", "avs", "scn", "sis")
IMAGEJ_TYPES = ("uint8", "uint16", "float32")
OME_TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
IMAGEJ_LIMIT = 2**32 - 2**26  # ImageJ's TIFF has 32-bit offsets


@dataclass(frozen=True)
class _Member:
    """One image of a file: a series, or one position in it."""

    name: str
    series: tifffile.TiffPageSeries
    index: tuple


def read_tiff(
    path: Path,
    *,
    series: int | str | None = None,
    header_only: bool = False,
    palette: bool = False,
    stored: bool = False,
    level: int = 0,
) -> RawImage:
    """Read one image of a TIFF file.

    Parameters
    ----------
    path : of the file.
    series : number or name of the image, where there are several; None for the first.
    header_only : leave out the pixels: they are zeros that take no memory.
    palette : numbers of indexed colours are read in any case.
    stored : leave the pixels in the file, see `stored.StoredPixels`.
    level : of a pyramid; 0 is the full resolution.

    Raises
    ------
    tifffile.TiffFileError : the file is damaged; `open_image` turns it into a UserError.
    UserError : there is no such image or level, or pixels cannot be decoded here.
    """
    with collect_log() as messages, tifffile.TiffFile(path) as file:
        require_own_files(file, path)
        members = _list_members(file)
        require_undamaged(messages)  # before any other reader meets the file
        names = tidy_names([m.name for m in members])
        member = members[choose_series(names, series, path=path)]
        whole = member.series
        require_level(level, count=len(whole.levels), path=path)
        found = whole.levels[level]
        require_possible(found.shape, found.dtype, path=path)
        letters = _letters(found.axes)
        if header_only:
            kept = zip(found.shape, member.index, strict=True)
            shape = tuple(n for n, at in kept if isinstance(at, slice))
            pixels, letters = no_pixels(shape, found.dtype), keep_own(letters)
        elif stored:
            at = {"series": file.series.index(whole), "level": level}
            pixels = store_pixels(file, found, path=path, **at).view(member.index)
            letters = keep_own(letters)
        else:
            require_memory(found.shape, found.dtype, path=path)
            pixels = read_pixels(file, found, path=path).reshape(found.shape)
            pixels, letters = select(pixels, letters, index=member.index)
        raw = describe(file, whole, raw=RawImage(pixels, letters))
        raw = coarsen(raw, whole, level=found) if level else raw
    require_undamaged(messages)
    return replace(raw, series=names if len(names) > 1 else ())


def coarsen(
    raw: RawImage, whole: tifffile.TiffPageSeries, *, level: tifffile.TiffPageSeries
) -> RawImage:
    """The image with the pixel size of a level of its pyramid.

    Parameters
    ----------
    raw : with the pixel size of the full resolution.
    whole, level : of the pyramid.
    """
    shapes = zip(whole.axes, whole.shape, level.shape, strict=True)
    factors = {axis: n / m for axis, n, m in shapes}
    spacing = {axis: size * factors.get(axis, 1.0) for axis, size in raw.spacing.items()}
    return replace(raw, spacing=spacing)


def _list_members(file: tifffile.TiffFile) -> list[_Member]:
    """The images of a file, without previews, and without what lies in other files of its set."""
    found = [s for s in file.series if not _is_preview(s)] or list(file.series[:1])
    members = list(chain.from_iterable(_spread_series(file, s) for s in found))
    here = [m for m in members if not _is_elsewhere(m, file)]
    return here or members


def _is_preview(series: tifffile.TiffPageSeries) -> bool:
    """Whether it is a small copy, or a picture of the whole slide and its label."""
    named = series.kind in SCANNERS and series.name.casefold().startswith(PREVIEWS)
    return bool(series.keyframe.is_reduced or series.kind == "lsmreduced" or named)


def _spread_series(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> list[_Member]:
    places = spread(_letters(series.axes), series.shape)
    known = name_positions(file, len(places))
    members = []
    for number, (place, index) in enumerate(places):
        name = known[number] if known else place
        members.append(_Member("_".join(filter(None, (series.name, name))), series, index))
    return members


def _is_elsewhere(member: _Member, file: tifffile.TiffFile) -> bool:
    """Whether all its planes lie in other files of the same acquisition."""
    if not member.series.is_multifile and member.series.kind != "ome":
        return False
    pages = [p for p in member.series if p is not None]
    parents = np.array([p.parent.filename != file.filename for p in pages])
    planes = [n for a, n in zip(member.series.axes, member.series.shape, strict=True)]
    ndim = len(planes) - len(pages[0].shape) if pages else 0
    if len(pages) != np.prod(planes[:ndim], dtype=int):
        return bool(parents.all())
    return bool(parents.reshape(planes[:ndim])[member.index[:ndim]].all())


def _letters(axes: str) -> str:
    """The axes of a series; sequences and unknown ones are "?", positions keep their letter."""
    return axes.replace("I", "?").replace("Q", "?")


def write_tiff(path: Path, image: Image, *, ome: bool = False) -> None:
    """Write a TIFF in the dialect that keeps most: ImageJ, else OME, else plain with own metadata.

    Parameters
    ----------
    path : of the file.
    image : of any axes and type that TIFF can hold.
    ome : write OME-TIFF.

    Raises
    ------
    UserError : the type or the order of axes cannot be written, or not as OME-TIFF.
    """
    options = {"compression": "zlib"} | _choose_dialect(image, ome=ome)
    try:
        tifffile.imwrite(path, np.ascontiguousarray(image.pixels), **options)
    except (ValueError, TypeError, KeyError, tifffile.OmeXmlError) as error:
        raise UserError(
            "Pixels must be of a type that TIFF knows.",
            f"{image.pixels.dtype} {image.axes}",
            "Use uint8, uint16 or float32, and at most the axes TCZYX.",
        ) from error


def write_stored_tiff(path: Path, image: Image, *, ome: bool = False) -> None:
    """Write an image whose pixels are in a file, slab by slab and uncompressed.

    Parameters
    ----------
    path, image, ome : as for `write_tiff`.
    """
    options = _choose_dialect(image, ome=ome) | {"compression": None}
    kind = image.pixels.dtype
    written = tifffile.memmap(path, shape=image.shape, dtype=kind, **options)
    target = StoredPixels(path, image.shape, written.dtype, offset=written.offset)
    del written
    for place, slab in read_slabs(image.pixels):
        target[place] = slab


def _choose_dialect(image: Image, *, ome: bool) -> dict:
    """Options of tifffile: ImageJ where it fits, else OME, else plain with our own metadata."""
    letters = image.axes[:-1] + "S" if image.is_rgb and image.axes.endswith("YXC") else image.axes
    photometric = "rgb" if letters.endswith("S") else "minisblack"
    options = {"photometric": photometric}
    if not ome and _fits_imagej(image, letters):
        about = {"imagej": True, "metadata": _imagej_metadata(image, letters)}
        return options | about | {"compression": None} | _resolution(image)
    if _fits_ome(image, letters):
        big = image.pixels.nbytes > IMAGEJ_LIMIT
        return options | {"ome": True, "bigtiff": big, "metadata": _ome_metadata(image, letters)}
    if ome:
        raise UserError(
            "OME-TIFF holds common types of pixels, plane by plane.",
            f"{image.pixels.dtype} {image.axes}",
            f"Use one of {', '.join(OME_TYPES)}, with Y and X last; or a name that ends in .tif.",
        )
    return options | {"ome": False, "metadata": {METADATA_KEY: _own_metadata(image)}}


def _own_metadata(image: Image) -> dict:
    note = {"axes": image.axes, "shape": list(image.shape)}
    if image.spacing:
        note |= {"spacing": list(image.spacing), "unit": image.unit}
    if image.interval_s:
        note["interval_s"] = image.interval_s
    return note | ({"channels": list(image.channels)} if image.channels else {})


def _fits_imagej(image: Image, letters: str) -> bool:
    ordered = letters == "".join(a for a in "TZCYXS" if a in letters)
    small = image.pixels.nbytes < IMAGEJ_LIMIT
    colour = "S" not in letters or image.pixels.dtype == np.uint8
    return ordered and small and colour and image.pixels.dtype.name in IMAGEJ_TYPES


def _fits_ome(image: Image, letters: str) -> bool:
    return letters.endswith(("YX", "YXS")) and image.pixels.dtype.name in OME_TYPES


def _imagej_metadata(image: Image, letters: str) -> dict:
    known = dict(zip(image.spatial, image.spacing, strict=True)) if image.spacing else {}
    unit = {"unit": image.unit} if known else {}
    step = {"spacing": known["Z"]} if "Z" in known else {}
    time = {"finterval": image.interval_s, "tunit": "sec"} if image.interval_s else {}
    return {
        "axes": letters,
        **unit,
        **step,
        **time,
        METADATA_KEY: json.dumps(_own_metadata(image)),
    }


def _resolution(image: Image) -> dict:
    if not image.spacing:
        return {}
    known = dict(zip(image.spatial, image.spacing, strict=True))
    tags = (resolution_tag(known["X"]), resolution_tag(known["Y"]))
    return {"resolution": tags, "resolutionunit": "NONE"}


def _ome_metadata(image: Image, letters: str) -> dict:
    about: dict = {
        "axes": letters,
        "Name": image.name or "image",
        "Description": json.dumps({METADATA_KEY: _own_metadata(image)}),
    }
    for axis, size in zip(image.spatial, image.spacing or (), strict=bool(image.spacing)):
        about |= {
            f"PhysicalSize{axis}": size,
            f"PhysicalSize{axis}Unit": "pixel" if image.unit == "pixel" else "µm",
        }
    if image.interval_s:
        about |= {"TimeIncrement": image.interval_s, "TimeIncrementUnit": "s"}
    if image.channels and not image.is_rgb:
        about["Channel"] = {"Name": list(image.channels)}
    return about
