"""Read and write images with their axes and pixel size; nothing else touches image files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.image import UNITS, Image
from nbtools.io.archive import unpack, write_zip
from nbtools.io.axes import RawImage, interpret
from nbtools.io.files import (
    atomic_write,
    find_reason,
    read_csv,
    to_plain,
    write_csv,
    write_json,
    write_text,
)
from nbtools.io.folders import (
    add_to_mark,
    is_written_by_us,
    new_folder,
    read_mark,
    require_new_file,
    require_new_folder,
)
from nbtools.io.microscope import PACKAGES, import_optional, read_microscope
from nbtools.io.ome_zarr import read_ome_zarr, write_ome_zarr
from nbtools.io.png_jpeg import read_png_jpeg, write_png
from nbtools.io.points_and_boxes import (
    BOX_FILES,
    CENTRE_FILES,
    find_centres,
    read_boxes,
    read_centres,
    write_boxes,
    write_centres,
)
from nbtools.io.rois import ROI_FILES, list_image_names, read_rois
from nbtools.io.tiff import read_tiff, write_tiff

__all__ = [
    "BOX_FILES",
    "CENTRE_FILES",
    "LABEL_TYPES",
    "ROI_FILES",
    "SUFFIXES",
    "UncheckedImage",
    "add_to_mark",
    "atomic_write",
    "find_centres",
    "import_optional",
    "is_image",
    "is_written_by_us",
    "list_image_names",
    "new_folder",
    "open_image",
    "read_boxes",
    "read_centres",
    "read_csv",
    "read_image",
    "read_label",
    "read_mark",
    "read_rois",
    "require_finite",
    "require_new_file",
    "require_new_folder",
    "stem",
    "suffix",
    "to_label",
    "to_plain",
    "unpack",
    "with_spacing",
    "write_boxes",
    "write_centres",
    "write_csv",
    "write_image",
    "write_json",
    "write_label",
    "write_text",
    "write_zip",
]

SUFFIXES = (
    ".ome.tif",
    ".ome.tiff",
    ".tif",
    ".tiff",
    ".png",
    ".jpg",
    ".jpeg",
    ".ome.zarr",
    ".zarr",
    *PACKAGES,
)
WRITTEN = (*SUFFIXES[:5], ".ome.zarr", ".zarr")
LABEL_TYPES = (np.uint8, np.uint16, np.int32, np.uint32)
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PICTURE = (b"\x89PNG", b"\xff\xd8\xff")


@dataclass(frozen=True, eq=False)
class UncheckedImage:
    """An image as it stands in its file, before any check.

    Parameters
    ----------
    image : its pixels may hold anything, also NaN, colours or real numbers.
    guesses : what the file leaves open and the reader assumes: "axes", "z_step" (ImageJ's default
        of 1), "z_step_missing", "series" (the first of several).
    """

    image: Image
    guesses: tuple[str, ...] = ()


def read_image(
    path: str | Path, *, axes: str | None = None, spacing: tuple | None = None, unit: str = "um"
) -> Image:
    """Read an image with its axes and pixel size.

    Parameters
    ----------
    path : TIFF (ImageJ, OME or plain), PNG or JPEG, recognised by content; OME-Zarr, CZI, ND2 or
        LIF with the packages for them.
    axes : one letter per dimension, in place of those of the file. For files without axes see
        `axes.interpret`.
    spacing : pixel size in place of that of the file; one number for each spatial axis, or one for
        all.
    unit : of `spacing`: "um", or "pixel" where only the ratio is known.

    Returns
    -------
    Image

    Raises
    ------
    UserError : not a readable image, unknown axes, pixels that are not finite real numbers.

    Examples
    --------
    >>> read_image("embryo.tif", axes="ZYX", spacing=(2.18, 1, 1), unit="pixel")  # doctest: +SKIP
    Image('embryo', ZYX 51 x 120 x 122, uint16, 2.18 x 1 x 1 pixel)
    """
    image = require_finite(open_image(path, axes=axes).image, str(path))
    return image if spacing is None else with_spacing(image, spacing, unit=unit)


def read_label(path: str | Path, *, axes: str | None = None) -> Image:
    """Read a label image: 0 background, 1 … N nuclei, -1 ignored.

    Parameters
    ----------
    path : image file of any format that `read_image` reads; colour palettes are read as numbers.
    axes : one letter per dimension, in place of those of the file.

    Returns
    -------
    Image of type uint8, uint16, uint32 or int32.

    Raises
    ------
    UserError : colours, real numbers, or numbers below -1.
    """
    return to_label(open_image(path, axes=axes, palette=True).image, str(path))


def open_image(
    path: str | Path, *, axes: str | None = None, header_only: bool = False, palette: bool = False
) -> UncheckedImage:
    """Read a file and what its metadata leave open; only files that hold no image are refused.

    Parameters
    ----------
    path : of the file.
    axes : one letter per dimension, in place of those of the file.
    header_only : leave out the pixels of TIFF and OME-Zarr files: they are zeros that take no
        memory; axes, shape, type and spacing are those of the file.
    palette : read the numbers of an indexed PNG instead of its colours.

    Raises
    ------
    UserError : the file is missing, broken, or has no pixels; the axes cannot be known.
    """
    path = Path(path)
    raw = _read_raw(path, header_only=header_only, palette=palette)
    if 0 in raw.pixels.shape:
        raise UserError(
            "An image must have pixels.",
            f"{path} of shape {raw.pixels.shape}",
            "Export it again.",
        )
    if raw.pixels.dtype.kind not in "biuf":
        raise UserError(
            "Pixels must be real numbers.",
            f"{raw.pixels.dtype} in {path}",
            "Save the magnitude, or one field of it.",
        )
    if raw.pixels.dtype.kind == "b":
        raw = replace(raw, pixels=raw.pixels.astype(np.uint8))
    return UncheckedImage(*interpret(raw, stem(path), axes=axes))


def write_image(path: str | Path, image: Image, *, dtype: object = None) -> None:
    """Write an image with its axes, spacing and type, whole or not at all.

    Parameters
    ----------
    path : ends in .tif (ImageJ where it fits, else OME), .ome.tif, .png or .ome.zarr.
    image : its bool pixels become 0 and 1.
    dtype : NumPy type to convert to first; real numbers are rounded and clipped to the range of an
        integer type.

    Raises
    ------
    UserError : another suffix, or an image that the format cannot hold.
    """
    path = Path(path)
    if suffix(path) not in WRITTEN:
        raise UserError(
            "Images are written as TIFF, PNG or OME-Zarr.",
            path.name,
            "Name it .tif, .ome.tif, .png or .ome.zarr; "
            "JPEG changes the pixels and is not written.",
        )
    if dtype is None:
        dtype = np.uint8 if image.pixels.dtype == bool else image.pixels.dtype
    image = image.replace(pixels=_convert(image.pixels, np.dtype(dtype)))
    if suffix(path).endswith(".zarr"):
        with new_folder(path, overwrite=True) as folder:
            write_ome_zarr(folder, image)
        return
    with atomic_write(path) as temporary:
        if suffix(path) == ".png":
            write_png(temporary, image)
        else:
            write_tiff(temporary, image, ome=suffix(path).startswith(".ome"))


def write_label(path: str | Path, image: Image) -> None:
    """Write a label image, whole or not at all.

    Parameters
    ----------
    path : as for `write_image`.
    image : label image; 16 bit up to label 65,535, 32 bit beyond, signed where pixels are -1.

    Raises
    ------
    UserError : the image is not a label image.
    """
    image = to_label(image, image.name or str(path))
    write_image(path, image, dtype=_label_type(image.pixels))


def to_label(image: Image, source: str) -> Image:
    """The image as a label image of an integer type.

    Parameters
    ----------
    image : whole numbers from -1.
    source : name of the file, for the message.

    Raises
    ------
    UserError : colours, real numbers, numbers below -1, or numbers beyond 32 bit.
    """
    rule = "A label image holds whole numbers: 0 background, 1 to N nuclei."
    pixels = image.pixels
    if image.is_rgb:
        raise UserError(
            rule,
            f"colours in {source}",
            "Export the labels as 16-bit grey TIFF; nbtools check --fix converts grey ones.",
        )
    if pixels.dtype.kind == "b":
        pixels = pixels.astype(np.uint8)
    if pixels.dtype.kind not in "iu":
        raise UserError(
            rule,
            f"{pixels.dtype} in {source}",
            "Save it as 16 bit; nbtools check --fix does so where all numbers are whole.",
        )
    low = int(pixels.min(initial=0))
    high = int(pixels.max(initial=0))
    if low < -1 or high >= 2**32 or (low < 0 and high >= 2**31):
        raise UserError(
            rule, f"numbers from {low} to {high} in {source}", "Number the nuclei from 1 again."
        )
    if pixels.dtype not in LABEL_TYPES:
        pixels = pixels.astype(_label_type(pixels))
    return image.replace(pixels=pixels, channels=())


def require_finite(image: Image, source: str) -> Image:
    """The image itself, which must hold finite numbers only.

    Parameters
    ----------
    image : of any type.
    source : name of the file, for the message.

    Raises
    ------
    UserError : NaN or infinite pixels.
    """
    if image.pixels.dtype.kind == "f" and not np.isfinite(image.pixels).all():
        count = int((~np.isfinite(image.pixels)).sum())
        raise UserError(
            "Pixels must be finite numbers.",
            f"{count} NaN or infinite in {source}",
            "Replace them: nbtools check --fix writes a copy with the image's median instead.",
        )
    return image


def with_spacing(image: Image, spacing: object, *, unit: str = "um") -> Image:
    """The image with another pixel size.

    Parameters
    ----------
    image : with spatial axes YX or ZYX in any order.
    spacing : one number for each spatial axis, or one for all.
    unit : "um", or "pixel" where only the ratio is known.

    Raises
    ------
    UserError : another unit, another number of values, or values that are not above 0.
    """
    values = (spacing,) if np.ndim(spacing) == 0 else tuple(spacing)
    values = values * len(image.spatial) if len(values) == 1 else values
    if unit not in UNITS:
        raise UserError('Unit must be "um" or "pixel".', unit, "Convert the spacing to µm.")
    return image.replace(spacing=values, unit=unit)


def suffix(path: str | Path) -> str:
    """The extension of a file name in lower case, double ones in full.

    Parameters
    ----------
    path : of a file; of an unknown format, the part after the last dot counts.

    Examples
    --------
    >>> suffix("a.OME.TIF"), suffix("b.c.txt")
    ('.ome.tif', '.txt')
    """
    name = Path(path).name.lower()
    return next((s for s in SUFFIXES if name.endswith(s)), Path(name).suffix)


def stem(path: str | Path) -> str:
    """The name without folder and extension: "a/b.c.ome.tif" gives "b.c"."""
    name = Path(path).name
    return name[: len(name) - len(suffix(path))] or name


def is_image(path: str | Path) -> bool:
    """Whether the name is that of an image file we read."""
    return suffix(path) in SUFFIXES


def _read_raw(path: Path, *, header_only: bool, palette: bool) -> RawImage:
    if not is_image(path):
        raise UserError(
            "An image file must be of a known format.",
            path,
            f"Use one of {', '.join(SUFFIXES)}; Fiji saves most microscope formats as TIFF.",
        )
    try:
        if suffix(path).endswith(".zarr"):
            if not path.is_dir():
                raise UserError(
                    "An OME-Zarr image is a folder.",
                    path,
                    "Check the path; unpack it first where it is a zip.",
                )
            return read_ome_zarr(path, header_only=header_only)
        documents.require_plain_file(path)
        if suffix(path) in PACKAGES and path.is_file():
            return read_microscope(path)
        with path.open("rb") as file:
            start = file.read(16)
        if start.startswith(_TIFF):
            return read_tiff(path, header_only=header_only)
        if start.startswith(_PICTURE):
            return read_png_jpeg(path, palette=palette)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError("An image file must exist.", path, "Check the path.") from error
    # a broken file fails anywhere inside the readers, with any exception
    except Exception as error:
        raise UserError(
            "An image file must be whole and readable.",
            f"{path} ({find_reason(error, most=160)})",
            "Copy or export it again.",
        ) from error
    found = "an empty file" if not start else f"a file that starts with {start!r}"
    raise UserError(
        "An image file must hold TIFF, PNG or JPEG data.",
        f"{path}, {found}",
        "Export the image again.",
    )


def _label_type(pixels: np.ndarray) -> type:
    if pixels.min(initial=0) < 0:
        return np.int32
    return np.uint16 if pixels.max(initial=0) <= 65535 else np.uint32


def _convert(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype == pixels.dtype:
        return pixels
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if pixels.dtype.kind == "f":
            pixels = np.nan_to_num(np.rint(pixels))
        pixels = np.clip(pixels, limits.min, limits.max)
    return pixels.astype(dtype)
