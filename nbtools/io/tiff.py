"""TIFF in its dialects (ImageJ, OME, tifffile's own); the only module that knows tifffile."""

from __future__ import annotations

import json
import logging
import math
import operator
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from nbtools import documents
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.axes import RawImage, no_pixels, require_possible
from nbtools.io.units import PIXEL, is_plausible, normal_unit, resolution_tag, um_per_unit

METADATA_KEY = "nbtools"  # our note in the description: exact axes, shape, spacing, channel names
DAMAGE = re.compile("corrupted|failed|missing data|invalid page")  # in the log of tifffile
IMAGEJ_TYPES = ("uint8", "uint16", "float32")
OME_TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
DESCRIPTION = ".//{*}Description"
IMAGEJ_LIMIT = 2**32 - 2**26  # ImageJ's TIFF has 32-bit offsets


def read_tiff(path: Path, *, header_only: bool = False) -> RawImage:
    """Read the first series of a TIFF file.

    Parameters
    ----------
    path : of the file.
    header_only : leave out the pixels: they are zeros that take no memory.

    Raises
    ------
    tifffile.TiffFileError : the file is damaged; `open_image` turns it into a UserError.
    """
    with _collect_log() as messages, tifffile.TiffFile(path) as file:
        _require_own_files(file, path)
        series = file.series[0]
        _require_undamaged(messages)  # before any other reader meets the file
        shape = tuple(series.shape)
        require_possible(shape, series.dtype, path=path)
        pixels = (
            no_pixels(shape, series.dtype) if header_only else _pixels(file, path).reshape(shape)
        )
        guesses = ("series",) if len({s.shape for s in file.series}) > 1 else ()
        raw = _describe(file, RawImage(pixels, _letters(series.axes), guesses=guesses))
    _require_undamaged(messages)
    return raw


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
    letters = image.axes[:-1] + "S" if image.is_rgb and image.axes.endswith("YXC") else image.axes
    photometric = "rgb" if letters.endswith("S") else "minisblack"
    options = {"photometric": photometric, "compression": "zlib"}
    if not ome and _fits_imagej(image, letters):
        options = {
            "photometric": photometric,
            "imagej": True,
            "metadata": _imagej_metadata(image, letters),
            **_resolution(image),
        }
    elif _fits_ome(image, letters):
        options |= {
            "ome": True,
            "bigtiff": image.pixels.nbytes > IMAGEJ_LIMIT,
            "metadata": _ome_metadata(image, letters),
        }
    elif ome:
        raise UserError(
            "OME-TIFF holds common types of pixels, plane by plane.",
            f"{image.pixels.dtype} {image.axes}",
            f"Use one of {', '.join(OME_TYPES)}, with Y and X last; or a name that ends in .tif.",
        )
    else:
        options |= {"ome": False, "metadata": {METADATA_KEY: _own_metadata(image)}}
    try:
        tifffile.imwrite(path, np.ascontiguousarray(image.pixels), **options)
    except (ValueError, TypeError, KeyError, tifffile.OmeXmlError) as error:
        raise UserError(
            "Pixels must be of a type that TIFF knows.",
            f"{image.pixels.dtype} {image.axes}",
            "Use uint8, uint16 or float32, and at most the axes TCZYX.",
        ) from error


class _LogCollector(logging.Filter):
    """Collects the log messages of tifffile while this thread reads; other users keep their log."""

    local = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        messages = getattr(self.local, "messages", None)
        if messages is None:
            return True
        messages.append(record.getMessage())
        return False


logging.getLogger("tifffile").addFilter(_LogCollector())


@contextmanager
def _collect_log() -> Iterator[list[str]]:
    """Collect the log messages of tifffile, which only logs damage and returns half an image."""
    _LogCollector.local.messages = messages = []
    try:
        yield messages
    finally:
        _LogCollector.local.messages = None


def _require_undamaged(messages: list[str]) -> None:
    if any(map(DAMAGE.search, messages)):
        raise tifffile.TiffFileError(messages[0])


def _pixels(file: tifffile.TiffFile, path: Path) -> np.ndarray:
    series = file.series[0]
    for page in filter(None, series.pages):
        ends = map(operator.add, page.dataoffsets, page.databytecounts)
        if max(ends, default=0) > file.filehandle.size:
            raise tifffile.TiffFileError("the file is cut off")
    try:
        return np.asarray(series.asarray())
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
    return _pixels_by_pillow(path)


def _pixels_by_pillow(path: Path) -> np.ndarray:
    """Pixels of compressions that tifffile leaves to another package: LZW, JPEG, fax."""
    from PIL import Image as Picture
    from PIL import ImageSequence

    with Picture.open(path) as picture:
        return np.stack([np.asarray(frame) for frame in ImageSequence.Iterator(picture)])


def _require_own_files(file: tifffile.TiffFile, path: Path) -> None:
    """A UserError where OME-XML is no plain XML, names files elsewhere, or claims too much."""
    if not file.is_ome:
        return
    root = documents.parse_xml(file.ome_metadata, path)
    named = (e.get("FileName") for e in root.iterfind(".//{*}UUID"))
    for name in (n for n in named if n and not documents.is_plain_name(n)):
        raise UserError(
            "OME-XML may name files of its own folder only.",
            f"{documents.shorten(repr(name))} in {path}",
            "Export the image again, as one file.",
        )
    for pixels in root.iterfind(".//{*}Pixels"):
        sizes = [int(pixels.get(f"Size{axis}") or 1) for axis in "TCZYX"]
        require_possible(sizes, np.dtype(np.uint8), path=path)


def _letters(axes: str) -> str:
    return "".join(a if a in "TCZYXS" else "?" for a in axes)


def _describe(file: tifffile.TiffFile, raw: RawImage) -> RawImage:
    """Add the metadata of the dialect, then our own, which hold more where both agree."""
    colour = file.pages[0].photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
    changes = {"alpha": _has_alpha(file), "colour": colour}
    if file.is_imagej:
        changes |= _from_imagej(file)
    elif file.is_ome:
        changes |= _from_ome(file)
    else:
        changes |= {"spacing": _from_resolution(file)}
    changes["guesses"] = raw.guesses + changes.get("guesses", ())
    return _apply_own_metadata(replace(raw, **changes), _find_own_metadata(file))


def _has_alpha(file: tifffile.TiffFile) -> bool:
    """Whether a sample is transparency: named so, or the fourth of interleaved samples."""
    page = file.pages[0]
    interleaved = page.planarconfig != tifffile.PLANARCONFIG.SEPARATE
    return any(extra in (1, 2) for extra in page.extrasamples) or (
        interleaved and page.samplesperpixel == 4
    )


def _from_imagej(file: tifffile.TiffFile) -> dict:
    """Unit, resolution and z step as in ImageJ: no resolution is no calibration, no z step is 1."""
    about = file.imagej_metadata or {}
    pixel_size = _pixels_per_unit(file)
    unit = normal_unit(about.get("unit"))
    step = about.get("spacing")
    step = abs(float(step)) if isinstance(step, int | float) and step else None
    scale = um_per_unit(unit)
    if scale is None:
        sizes = pixel_size | ({"Z": step} if step else {})
        named = unit in PIXEL and bool(pixel_size)
        if named or (step and pixel_size and len(set(sizes.values())) > 1):
            return {"spacing": sizes, "unit": "pixel"}
        return {}
    if not pixel_size or not all(is_plausible(s * scale, unit) for s in pixel_size.values()):
        return {}
    sizes = {a: s * scale for a, s in (pixel_size | {"Z": step or 1.0}).items()}
    return {"spacing": sizes, "guesses": () if step else ("z_step",)}


def _pixels_per_unit(file: tifffile.TiffFile) -> dict[str, float]:
    """Pixel size in the file's own unit, from the resolution tags."""
    sizes = {}
    for axis in "XY":
        tag = file.pages[0].tags.get(f"{axis}Resolution")
        if tag is not None and isinstance(tag.value, tuple) and all(tag.value[:2]):
            sizes[axis] = tag.value[1] / tag.value[0]
    return sizes if len(sizes) == 2 else {}


def _from_resolution(file: tifffile.TiffFile) -> dict[str, float]:
    unit = {2: "inch", 3: "cm"}.get(int(file.pages[0].resolutionunit or 1))
    if unit is None:
        return {}
    sizes = {a: s * um_per_unit(unit) for a, s in _pixels_per_unit(file).items()}
    return sizes if sizes and all(is_plausible(s, unit) for s in sizes.values()) else {}


def _from_ome(file: tifffile.TiffFile) -> dict:
    root = documents.parse_xml(file.ome_metadata, file.filename)
    pixels = next(root.iterfind(".//{*}Pixels"))
    names = tuple(e.get("Name", "") for e in pixels.findall("{*}Channel"))
    spacing = {}
    units = set()
    for axis in "ZYX":
        size = pixels.get(f"PhysicalSize{axis}")
        unit = normal_unit(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        scale = 1.0 if unit in PIXEL else um_per_unit(unit)
        if size is not None and scale is not None and 0 < float(size) < math.inf:
            spacing[axis] = float(size) * scale
            units.add("pixel" if unit in PIXEL else "um")
    known = {"spacing": spacing, "unit": units.pop()} if len(units) == 1 else {}
    return {**known, "channels": names if all(names) else ()}


def _find_own_metadata(file: tifffile.TiffFile) -> dict:
    """Our own metadata from the description of any dialect; {} without them."""
    note: object = (file.imagej_metadata or {}).get(METADATA_KEY)
    if file.is_shaped and file.shaped_metadata:
        note = file.shaped_metadata[0].get(METADATA_KEY)
    elif file.is_ome:
        texts = (
            e.text or ""
            for e in documents.parse_xml(file.ome_metadata, file.filename).iterfind(DESCRIPTION)
        )
        note = next((t for t in texts if t.startswith(f'{{"{METADATA_KEY}"')), None)
    return documents.find_note(note)


def _apply_own_metadata(raw: RawImage, note: dict) -> RawImage:
    """Use our own metadata where the pixels still have their shape.

    Their spacing counts where the standard tags agree with it.
    """
    shape = tuple(note.get("shape") or ())
    axes = note.get("axes") or ""
    if math.prod(shape) != raw.pixels.size or len(shape) != len(axes):
        return raw
    if [n for n in shape if n > 1] != [n for n in raw.pixels.shape if n > 1]:
        return raw
    spacing = dict(zip((a for a in axes if a in "ZYX"), note.get("spacing") or (), strict=False))
    unit = note.get("unit", "um")
    same = unit == raw.unit and all(
        math.isclose(spacing.get(a, 0), s, rel_tol=1e-3)
        for a, s in raw.spacing.items()
        if a in axes
    )
    if (raw.spacing and not same) or not spacing:
        spacing = raw.spacing
        unit = raw.unit
    return replace(
        raw,
        pixels=raw.pixels.reshape(shape),
        letters=axes,
        spacing=spacing,
        unit=unit,
        channels=tuple(note.get("channels", ())),
        guesses=tuple(g for g in raw.guesses if g != "z_step"),
    )


def _own_metadata(image: Image) -> dict:
    note = {"axes": image.axes, "shape": list(image.shape)}
    if image.spacing:
        note |= {"spacing": list(image.spacing), "unit": image.unit}
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
    return {"axes": letters, **unit, **step, METADATA_KEY: json.dumps(_own_metadata(image))}


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
    if image.channels and not image.is_rgb:
        about["Channel"] = {"Name": list(image.channels)}
    return about
