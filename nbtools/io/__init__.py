"""Read and write images with their axes and pixel size; nothing else touches image files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.image import UNITS, Image
from nbtools.io.archive import unpack, write_zip
from nbtools.io.axes import RawImage, interpret
from nbtools.io.files import (
    NAMES,
    atomic_write,
    find_reason,
    read_csv,
    read_header,
    to_plain,
    write_csv,
    write_json,
    write_text,
)
from nbtools.io.finite import convert_numbers, require_finite, require_numbers
from nbtools.io.folders import (
    add_to_mark,
    finish_commits,
    is_written_by_us,
    new_folder,
    require_new_file,
    require_new_folder,
)
from nbtools.io.foreign import describe_foreign, refuse_format
from nbtools.io.given import find_image, name_axes
from nbtools.io.label_types import LABEL_TYPES, find_label_type, to_label
from nbtools.io.lineage import read_lineage, write_lineage
from nbtools.io.masks import MASKS, are_masks, combine_masks, read_planes, sort_by_number
from nbtools.io.microscope import PACKAGES, import_optional, read_microscope
from nbtools.io.nrrd_nifti import NIFTI, NRRD, read_nrrd_nifti, write_nrrd_nifti
from nbtools.io.ome_zarr import is_zarr, list_labels, name_zarr, read_ome_zarr
from nbtools.io.ome_zarr_writing import write_labels_in_place, write_ome_zarr
from nbtools.io.outlines import OutlineNote, PaintedLabel
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
from nbtools.io.rois import (
    ROI_FILES,
    holds_labels,
    holds_outlines,
    list_image_names,
    read_outlines,
    read_rois,
)
from nbtools.io.series import refuse_several, require_level
from nbtools.io.stored import StoredPixels, is_stored, read_slabs
from nbtools.io.stored_chunks import ZarrPixels
from nbtools.io.tiff import TIFF_SUFFIXES, read_tiff, write_stored_tiff, write_tiff
from nbtools.io.trackmate import SpotImage, Spots, write_trackmate
from nbtools.io.yolo import is_yolo

__all__ = [
    "BOX_FILES",
    "CENTRE_FILES",
    "LABEL_TYPES",
    "MASKS",
    "NAMES",
    "ROI_FILES",
    "SUFFIXES",
    "OutlineNote",
    "PaintedLabel",
    "SpotImage",
    "Spots",
    "StoredPixels",
    "UncheckedImage",
    "ZarrPixels",
    "add_to_mark",
    "are_masks",
    "as_image",
    "as_label",
    "atomic_write",
    "combine_masks",
    "describe_foreign",
    "find_centres",
    "finish_commits",
    "holds_labels",
    "holds_outlines",
    "import_optional",
    "is_image",
    "is_image_folder",
    "is_image_place",
    "is_storable",
    "is_stored",
    "is_written_by_us",
    "is_yolo",
    "list_image_names",
    "list_labels",
    "list_planes",
    "list_series",
    "new_folder",
    "open_image",
    "read_boxes",
    "read_centres",
    "read_csv",
    "read_header",
    "read_image",
    "read_label",
    "read_lineage",
    "read_outlines",
    "read_rois",
    "read_slabs",
    "require_finite",
    "require_new_file",
    "require_new_folder",
    "require_single",
    "require_storable",
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
    "write_labels_in_place",
    "write_lineage",
    "write_ome_zarr",
    "write_text",
    "write_trackmate",
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
    *TIFF_SUFFIXES,
    *NRRD,
    *NIFTI,
)
REGIONAL = (read_tiff, read_ome_zarr)
WRITTEN = (*SUFFIXES[:5], ".ome.zarr", ".zarr", *NRRD, *NIFTI)
# Readers are functions of (path, series=, header_only=, palette=) → RawImage.
BY_SUFFIX = dict.fromkeys(PACKAGES, read_microscope)
BY_SUFFIX |= dict.fromkeys((*NRRD, *NIFTI), read_nrrd_nifti)
BY_START = dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), read_tiff) | dict.fromkeys(
    (b"\x89PNG", b"\xff\xd8\xff"), read_png_jpeg
)


@dataclass(frozen=True, eq=False)
class UncheckedImage:
    """An image as it stands in its file, before any check.

    Parameters
    ----------
    image : its pixels may hold anything, also NaN, colours or real numbers.
    guesses : what the file leaves open and the reader assumes: "axes", "z_step" (ImageJ's default
        of 1), "z_step_missing", "series" (the first of several), "gaps" (pixels that nobody wrote
        are 0).
    series : names of all images in the file, where it holds several.
    """

    image: Image
    guesses: tuple[str, ...] = ()
    series: tuple[str, ...] = ()


def read_image(
    path: str | Path,
    *,
    axes: str | None = None,
    series: int | str | None = None,
    spacing: tuple | None = None,
    unit: str = "um",
) -> Image:
    """Read an image with its axes and pixel size.

    Parameters
    ----------
    path : TIFF (ImageJ, OME or plain), PNG or JPEG, recognised by content; OME-Zarr, CZI, ND2 or
        LIF with the packages for them.
    axes : one letter per dimension, in place of those of the file. For files without axes see
        `axes.interpret`.
    series : number from 0 or name of the image, where the file holds several (positions, scenes).
    spacing : pixel size in place of that of the file; one number for each spatial axis, or one for
        all.
    unit : of `spacing`: "um", or "pixel" where only the ratio is known.

    Returns
    -------
    Image

    Raises
    ------
    UserError : not a readable image, several images of which none is chosen, unknown axes, pixels
        that are not finite real numbers.

    Examples
    --------
    >>> read_image("embryo.tif", axes="ZYX", spacing=(2.18, 1, 1), unit="pixel")  # doctest: +SKIP
    Image('embryo', ZYX 51 x 120 x 122, uint16, 2.18 x 1 x 1 pixel)
    """
    found = require_single(open_image(path, axes=axes, series=series), path)
    image = require_finite(found.image, str(path))
    return image if spacing is None else with_spacing(image, spacing, unit=unit)


def read_label(
    path: str | Path,
    *,
    axes: str | None = None,
    series: int | str | None = None,
    stored: bool = False,
) -> Image:
    """Read a label image: 0 background, 1 … N nuclei, -1 ignored.

    Parameters
    ----------
    path : image file of any format that `read_image` reads; colour palettes are read as numbers.
    axes : one letter per dimension, in place of those of the file.
    series : number from 0 or name of the image, where the file holds several.
    stored : leave the pixels in the file, which must be TIFF or OME-Zarr: see `StoredPixels`.

    Returns
    -------
    Image of type uint8, uint16, uint32 or int32.

    Raises
    ------
    UserError : colours, real numbers, or numbers below -1.
    """
    if stored:
        require_storable(path)
    found = open_image(path, axes=axes, series=series, palette=True, stored=stored)
    return to_label(require_single(found, path).image, str(path))


def list_series(path: str | Path) -> tuple[str, ...]:
    """Names of the images in a file that holds several; () where it holds one.

    Parameters
    ----------
    path : of the file.

    Raises
    ------
    UserError : the file is missing or broken.
    """
    return _read_raw(Path(path), header_only=True).series if is_image(path) else ()


def require_single(found: UncheckedImage, path: object) -> UncheckedImage:
    """What was read, which must not be the first of several images by chance.

    Parameters
    ----------
    found : of `open_image`.
    path : of the file, for the message.

    Raises
    ------
    UserError : the file holds several images, and none was chosen.
    """
    if "series" in found.guesses:
        raise refuse_several(path, found.series)
    return found


def open_image(
    path: str | Path,
    *,
    axes: str | None = None,
    series: int | str | None = None,
    level: int = 0,
    palette: bool = False,
    **pixels: bool,
) -> UncheckedImage:
    """Read a file and what its metadata leave open; only files that hold no image are refused.

    Parameters
    ----------
    path : of the file, or of a folder whose files are the planes of a volume.
    axes : one letter per dimension, in place of those of the file.
    series : number from 0 or name of the image, where the file holds several; None for the first,
        and "series" is among the guesses.
    level : of a pyramid, of TIFF and OME-Zarr; 0 is the full resolution.
    palette : it holds labels: the numbers of an indexed PNG are read instead of its colours.
    pixels : `header_only=True` leaves out the pixels but of small PNG, JPEG and NRRD files: they
        are zeros that take no memory; axes, shape, type and spacing are those of the file.
        `stored=True` leaves those of TIFF and OME-Zarr in their files, to be read region by
        region: see `stored.StoredPixels`. Those of other formats are read.

    Raises
    ------
    UserError : the file is missing, broken, or has no pixels; the axes cannot be known.
    """
    path = Path(path)
    about = {"series": series, "level": level, "palette": palette}
    read = partial(_read_raw, **about, **pixels)
    raw = (
        read_planes(list_planes(path), read, header_only=pixels.get("header_only", False))
        if path.is_dir() and not is_image(path)
        else read(path)
    )
    if raw.series and series is None:
        raw = replace(raw, guesses=(*raw.guesses, "series"))
    raw = require_numbers(raw, path)
    return UncheckedImage(*interpret(raw, stem(path), axes=axes), raw.series)


def as_image(item: object, *, axes: str = "", colours: bool = True) -> Image:
    """An Image of whatever is given where one is wanted.

    Arrays of two dimensions are Y, X. Of three they are colours where they are 8 bit with three
    values last, else `axes` where there are as many, else Z, Y, X where neither the first nor the
    last dimension could be channels (five or more). All others are refused: name their axes with
    `Image(array, "CYX")`.

    Parameters
    ----------
    item : Image, array (also of lists, Dask or PyTorch), path of a file, or an object that holds an
        image, such as a sample or a prediction.
    axes : of arrays with as many dimensions, where what takes the image expects them.
    colours : whether arrays can be colours.

    Raises
    ------
    UserError : none of these, or an array whose axes cannot be known.

    Examples
    --------
    >>> as_image(np.zeros((64, 80))).axes, as_image(np.zeros((9, 64, 80))).axes
    ('YX', 'ZYX')
    >>> as_image(np.zeros((64, 80, 3), np.uint8)).is_rgb
    True
    """
    if isinstance(item, str | Path):
        return read_image(item)
    known = find_image(item)
    return name_axes(item, axes=axes, colours=colours) if known is None else known


def as_label(item: object) -> Image:
    """A label image of whatever is given where one is wanted.

    Parameters
    ----------
    item : as for `as_image`; arrays of two dimensions are Y, X, of three Z, Y, X.

    Raises
    ------
    UserError : none of these.

    Examples
    --------
    >>> as_label(np.zeros((3, 64, 80), int)).axes
    'ZYX'
    """
    if isinstance(item, str | Path):
        return read_label(item)
    known = find_image(item)
    return name_axes(item, axes="ZYX", colours=False) if known is None else known


def write_image(
    path: str | Path, image: Image, *, dtype: object = None, label: bool = False
) -> None:
    """Write an image with its axes, spacing and type, whole or not at all.

    Parameters
    ----------
    path : ends in .tif (ImageJ where it fits, else OME), .ome.tif, .png, .ome.zarr, .nrrd or
        .nii.gz.
    image : or array, see `as_image`; bool pixels become 0 and 1.
    dtype : NumPy type to convert to first; real numbers are rounded and clipped to the range of an
        integer type.
    label : it holds labels, of which the coarser levels of a pyramid are no mean.

    Raises
    ------
    UserError : another suffix, or an image that the format cannot hold.
    """
    path, image = Path(path), as_image(image)
    if suffix(path) not in WRITTEN:
        raise UserError(
            "Images are written as TIFF, PNG, OME-Zarr, NRRD or NIfTI.",
            path.name,
            "Name it .tif, .ome.tif, .png, .ome.zarr, .nrrd or .nii.gz; "
            "JPEG changes the pixels and is not written.",
        )
    if dtype is None:
        dtype = np.uint8 if image.pixels.dtype == bool else image.pixels.dtype
    image = image.replace(pixels=convert_numbers(image.pixels, np.dtype(dtype)))
    if suffix(path).endswith(".zarr"):
        with new_folder(path, overwrite=True) as folder:
            write_ome_zarr(folder, image, label=label)
        return
    with atomic_write(path) as temporary:
        if is_stored(image.pixels) and suffix(path).endswith((".tif", ".tiff")):
            write_stored_tiff(temporary, image, ome=suffix(path).startswith(".ome"))
        elif suffix(path) == ".png":
            write_png(temporary, image)
        elif suffix(path) in (*NRRD, *NIFTI):
            write_nrrd_nifti(temporary, image, nifti=suffix(path) in NIFTI)
        else:
            write_tiff(temporary, image, ome=suffix(path).startswith(".ome"))


def write_label(path: str | Path, image: Image) -> None:
    """Write a label image, whole or not at all.

    Parameters
    ----------
    path : as for `write_image`.
    image : label image, or array; 16 bit up to label 65,535, 32 bit beyond, signed where pixels
        are -1.

    Raises
    ------
    UserError : the image is not a label image.
    """
    image = as_label(image)
    image = to_label(image, image.name or str(path))
    write_image(path, image, dtype=find_label_type(image.pixels), label=True)


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
    """The name without folder and extension: "a/b.c.ome.tif" gives "b.c".

    An image inside a folder of Zarr has the name of that folder, too: "a.zarr/0" gives "a_0".

    Parameters
    ----------
    path : of a file, or of an image in a folder of Zarr.
    """
    path = Path(path)
    if not suffix(path) and any(p.suffix.lower() == ".zarr" for p in path.parents):
        return name_zarr(path)
    return path.name[: len(path.name) - len(suffix(path))] or path.name


def is_image(path: str | Path) -> bool:
    """Whether the name is that of an image file we read, or the place is an image of OME-Zarr."""
    return suffix(path) in SUFFIXES or is_image_folder(path)


def is_image_folder(path: str | Path) -> bool:
    """Whether a place is an image that is a folder (OME-Zarr), which stands where a file may."""
    return is_zarr(Path(path)) and Path(path).is_dir()


def is_image_place(path: str | Path) -> bool:
    """Whether a place is one file, or one image that is a folder."""
    return Path(path).is_file() or is_image_folder(path)


def list_planes(folder: str | Path) -> list[Path]:
    """The image files of a folder in the order of their numbers: planes of a volume, or masks.

    Parameters
    ----------
    folder : hidden files and files of other kinds are left out.
    """
    files = (p for p in Path(folder).iterdir() if is_image(p) and not p.name.startswith("."))
    return sort_by_number(files)


def _read_raw(
    path: Path,
    *,
    series: int | str | None = None,
    header_only: bool = False,
    palette: bool = False,
    stored: bool = False,
    level: int = 0,
) -> RawImage:
    if not is_image(path):
        raise refuse_format(path, known=SUFFIXES)
    try:
        read = _find_reader(path)
        if read in REGIONAL:
            read = partial(read, stored=stored, level=level)
        else:
            require_level(level, count=1, path=path)
        return read(path, series=series, header_only=header_only, palette=palette)
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


def require_storable(path: str | Path) -> None:
    """Require that an image can be read region by region.

    Parameters
    ----------
    path : of the file.

    Raises
    ------
    UserError : only TIFF and OME-Zarr can.
    """
    if not is_storable(path):
        raise UserError(
            "An image larger than the memory is read from TIFF or OME-Zarr, region by region.",
            path,
            "Save it as TIFF (in Fiji: File > Save As > Tiff), or use a machine with more memory.",
        )


def is_storable(path: str | Path) -> bool:
    """Whether an image can be read region by region."""
    path = Path(path)
    if path.is_dir():
        return is_image_folder(path)
    return suffix(path) not in BY_SUFFIX and _find_reader(path) in REGIONAL


def _find_reader(path: Path) -> Callable[..., RawImage]:
    """The function that reads a place: by what it is, by its ending, else by how it begins."""
    if is_image_folder(path):
        return read_ome_zarr
    if suffix(path).endswith(".zarr"):
        raise UserError(
            "An OME-Zarr image is a folder.",
            path,
            "Check the path; unpack it first where it is a zip.",
        )
    if suffix(path) in BY_SUFFIX and path.is_file():
        return BY_SUFFIX[suffix(path)]
    documents.require_plain_file(path)
    with path.open("rb") as file:
        start = file.read(16)
    for begin, read in BY_START.items():
        if start.startswith(begin):
            return read
    found = f"a file that starts with {start!r}" if start else "an empty file"
    raise UserError(
        "An image file must hold TIFF, PNG or JPEG data.",
        f"{path}, {found}",
        "Export the image again.",
    )
