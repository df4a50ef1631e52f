"""PNG and JPEG; axes and spacing stand in a text field of PNG."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo

from nbtools import documents
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.axes import LARGE, RawImage, no_pixels, require_memory, require_possible
from nbtools.io.series import choose_series
from nbtools.io.units import is_plausible

METADATA_KEY = "nbtools"
GREY = 0  # type of colour in the header of a PNG
SINGLE = ("1", "L", "I", "I;16", "I;16B")  # modes of Pillow without a channel axis
AS_RGB = ("CMYK", "YCbCr", "LAB", "HSV", "PA")  # modes that become colours
COPIES = 2  # of the pixels, while they are decoded


def read_png_jpeg(
    path: Path,
    *,
    series: int | str | None = None,
    header_only: bool = False,
    palette: bool = False,
) -> RawImage:
    """Read a PNG or JPEG file; its numbers are those of the file.

    Parameters
    ----------
    path : of the file.
    series : must be the first, or None: there is one image.
    header_only : leave out the pixels of large files: they are zeros that take no memory.
    palette : read the numbers of an indexed PNG instead of its colours; label images are often
        saved as such.

    Raises
    ------
    UserError : colours or transparency of 16 bit, without the package that reads them.
    """
    choose_series(("s0",), series, path=path)
    depth, colour = _read_header(path)
    with _open(path) as picture:
        size = (*picture.size, len(picture.getbands()))
        require_possible(size, np.dtype(np.uint8), path=path)
        spacing, unit = _spacing(picture)
        kind, shape = describe_pixels(picture, depth=depth, palette=palette)
        if header_only and np.prod(shape, dtype=float) * kind.itemsize > LARGE:
            return RawImage(no_pixels(shape, kind), "YXS"[: len(shape)], spacing, unit)
        require_memory(shape, kind, path=path, copies=COPIES)
        if depth == 16 and colour != GREY:  # Pillow would give 8 bit
            pixels = _decode_16_bit(path)
        else:
            pixels = np.asarray(_in_plain_mode(picture, palette=palette))
    if pixels.dtype == np.int32:  # how older versions of Pillow give 16-bit PNG
        pixels = pixels.astype(np.uint16)
    if colour == GREY and depth in (2, 4):  # Pillow spreads them over 0 to 255
        pixels = pixels // np.uint8(255 // (2**depth - 1))
    return RawImage(pixels, "YXS" if pixels.ndim == 3 else "YX", spacing, unit)


def _open(path: Path) -> Picture.Image:
    try:
        return Picture.open(path)
    except Picture.DecompressionBombError as error:
        raise UserError(
            f"PNG and JPEG are read up to {2 * Picture.MAX_IMAGE_PIXELS / 1e6:.0f} megapixels.",
            f"{path} ({documents.shorten(error)})",
            "Save the image as TIFF.",
        ) from error


def describe_pixels(
    picture: Picture.Image, *, depth: int, palette: bool
) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape of the pixels as they will be read.

    Parameters
    ----------
    picture : opened, not yet decoded.
    depth : bits per sample.
    palette : the numbers of an indexed picture are read, and not its colours.
    """
    mode, channels = picture.mode, len(picture.getbands())
    if mode == "P":
        channels = 4 if "transparency" in picture.info else 3
    elif mode in AS_RGB:
        channels = 3
    is_single = mode in SINGLE or (mode == "P" and palette)
    kind = np.uint16 if depth == 16 or mode.startswith("I") else np.uint8
    width, height = picture.size
    return np.dtype(kind), (height, width) if is_single else (height, width, channels)


def _read_header(path: Path) -> tuple[int, int]:
    """Bits per sample and type of colour (0 is grey) of a PNG; (8, -1) of other files."""
    with path.open("rb") as file:
        head = file.read(26)
    return (head[24], head[25]) if head.startswith(b"\x89PNG") and len(head) == 26 else (8, -1)


def _decode_16_bit(path: Path) -> np.ndarray:
    """Pixels of a PNG of colours or transparency at 16 bit, by the package imagecodecs."""
    try:
        import imagecodecs
    except ImportError as error:
        raise UserError(
            "Reading PNG of 16-bit colours or transparency needs the package imagecodecs.",
            path,
            "Type: pip install imagecodecs; or save it as TIFF in Fiji.",
        ) from error
    return np.asarray(imagecodecs.png_decode(path.read_bytes()))


def write_png(path: Path, image: Image) -> None:
    """Write a PNG; axes and spacing stand in a text field.

    Parameters
    ----------
    path : of the file.
    image : grey of 8 or 16 bit (axes YX), or RGB of 8 bit (axes YXC).

    Raises
    ------
    UserError : other axes or types.
    """
    kind = image.pixels.dtype.name
    if not (
        (image.axes == "YX" and kind in ("uint8", "uint16"))
        or (image.axes == "YXC" and image.is_rgb and kind == "uint8")
    ):
        raise UserError(
            "PNG holds 2D images: grey of 8 or 16 bit, or RGB of 8 bit.",
            f"axes {image.axes}, {kind}",
            "Write a .tif file instead.",
        )
    about = PngInfo()
    about.add_text(METADATA_KEY, json.dumps({"spacing": image.spacing, "unit": image.unit}))
    Picture.fromarray(np.ascontiguousarray(image.pixels)).save(path, format="PNG", pnginfo=about)


def _in_plain_mode(picture: Picture.Image, *, palette: bool) -> Picture.Image:
    plain = {"1": "L"} | dict.fromkeys(AS_RGB, "RGB")
    if not palette:
        plain["P"] = "RGBA" if "transparency" in picture.info else "RGB"
    return picture.convert(plain[picture.mode]) if picture.mode in plain else picture


def _spacing(picture: Picture.Image) -> tuple[dict[str, float], str]:
    """From our text field, else from a plausible resolution, which PIL gives in dots per inch."""
    note = documents.find_note(picture.info.get(METADATA_KEY))
    if len(note.get("spacing") or ()) == 2:
        return dict(zip("YX", map(float, note["spacing"]), strict=True)), note.get("unit", "um")
    dots = picture.info.get("dpi") or (0, 0)
    sizes = {a: 25400 / float(d) for a, d in zip("XY", dots, strict=False) if d}
    known = len(sizes) == 2 and all(is_plausible(s, "inch") for s in sizes.values())
    return sizes if known else {}, "um"
