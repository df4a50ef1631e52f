"""Pixels of TIFF files: whole, of the type that the file states, or refused."""

from __future__ import annotations

import importlib.util
import logging
import operator
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from nbtools.errors import UserError
from nbtools.io.stored import StoredPixels, create_temporary
from nbtools.io.stored_chunks import store_tiff

# in the log of tifffile; planes in other files that are not there are counted in `_require_planes`
HARMLESS = r"to read (?:'|[0-9]+ files|display|comments)"  # other files, and notes of Micro-Manager
DAMAGE = re.compile(
    rf"corrupted|failed (?!{HARMLESS})|missing data [ob]|invalid page", re.IGNORECASE
)
DECODERS = "Type: pip install imagecodecs; or save it uncompressed in Fiji."


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
def collect_log() -> Iterator[list[str]]:
    """Collect the log messages of tifffile, which only logs damage and returns half an image."""
    _LogCollector.local.messages = messages = []
    try:
        yield messages
    finally:
        _LogCollector.local.messages = None


def require_undamaged(messages: list[str]) -> None:
    """A TiffFileError where a message tells of damage."""
    if damage := [m for m in messages if DAMAGE.search(m)]:
        raise tifffile.TiffFileError(damage[0])


def read_pixels(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries, *, path: Path
) -> np.ndarray:
    """Pixels of a series as the file states them.

    Parameters
    ----------
    file, series : as opened.
    path : of the file.

    Raises
    ------
    tifffile.TiffFileError : the file is cut off.
    UserError : planes are in other files, or the compression cannot be decoded here without loss.
    """
    _require_planes(series, file, path)
    try:
        return np.asarray(series.asarray())
    except (ValueError, NotImplementedError, ImportError) as error:
        if not re.search("imagecodecs|not supported", str(error)):
            raise
        if is_exact_in_pillow(series):
            return _read_by_pillow(series, path)
        raise _refuse_compression(series, path) from error
    except Exception as error:  # of a decoder that knows the compression, but not this variant
        if "imagecodecs" in type(error).__module__ or "_imcd" in type(error).__module__:
            raise _refuse_compression(series, path) from error
        raise


def store_pixels(
    file: tifffile.TiffFile, found: tifffile.TiffPageSeries, *, path: Path, **place: int
) -> StoredPixels:
    """Pixels of a series that stay in the file; compressed strips are unpacked to a temporary one.

    Tiles are unpacked where a region touches them, if the package zarr is there.

    Parameters
    ----------
    file, found : as opened; a series, or a level of its pyramid.
    path : of the file.
    place : number of the `series`, and of the `level`.

    Raises
    ------
    tifffile.TiffFileError : the file is cut off.
    UserError : planes are in other files, or the compression cannot be decoded here without loss.
    """
    _require_planes(found, file, path)
    own = all(page.parent.filename == file.filename for page in found)
    if found.dataoffset is not None and own:
        kind = np.dtype(file.byteorder + found.dtype.char)
        return StoredPixels(path, found.shape, kind, offset=found.dataoffset)
    if found.keyframe.planarconfig == 2 and found.keyframe.samplesperpixel > 1:
        raise _refuse_compression(found, path)
    if own and found.keyframe.is_tiled and importlib.util.find_spec("zarr"):
        try:
            return store_tiff(path, found.shape, kind=found.dtype, **place)
        except (ValueError, NotImplementedError, ImportError) as error:
            raise _refuse_compression(found, path) from error
    target = create_temporary(found.shape, found.dtype.newbyteorder("="))
    planes = replace(target, held=(len(found), *found.keyframe.shape))
    try:
        for number, page in enumerate(found):
            _unpack(page, planes, number)
    except (ValueError, NotImplementedError, ImportError) as error:
        raise _refuse_compression(found, path) from error
    return target


def _unpack(page: tifffile.TiffPage, planes: StoredPixels, number: int) -> None:
    """Write the pieces of a plane to their places, one after the other."""
    for data, index, shape in page.segments():
        if data is None:
            continue
        # tiles reach beyond the end of the plane
        left = zip(shape[1:3], planes.shape[1:3], index[2:4], strict=True)
        rows, columns = (min(n, most - start) for n, most, start in left)
        place = (slice(index[2], index[2] + rows), slice(index[3], index[3] + columns))
        piece = data[0, :rows, :columns]
        if planes.ndim == 3:
            planes[(number, *place)] = piece[..., 0]
        else:
            planes[(number, *place)] = piece


def _require_planes(series: tifffile.TiffPageSeries, file: tifffile.TiffFile, path: Path) -> None:
    """All planes must be there: tifffile would make up black ones."""
    missing = 0
    for page in series:
        if page is None or not any(page.databytecounts):
            missing += 1
        elif page.parent.filename == file.filename:
            ends = map(operator.add, page.dataoffsets, page.databytecounts)
            if max(ends, default=0) > file.filehandle.size:
                raise tifffile.TiffFileError("the file is cut off")
    if missing:
        raise UserError(
            "All planes of an image must be there.",
            f"{path} lacks {missing} of {len(series)} planes",
            "Copy all files of the acquisition into one folder, or export the image again.",
        )


def is_exact_in_pillow(series: tifffile.TiffPageSeries) -> bool:
    """Whether Pillow gives the very numbers of the file.

    It reads colours, transparency and most grey types at 8 bit, turns images by their orientation
    and inverts those whose 0 is white.

    Parameters
    ----------
    series : of a TIFF file.
    """
    page = series.keyframe
    grey = page.photometric in (1, 3) and page.samplesperpixel == 1
    colour = page.photometric in (2, 6) and page.samplesperpixel == 3 and page.planarconfig == 1
    upright = int(getattr(page.tags.get("Orientation"), "value", 1)) == 1
    whole = page.bitspersample == 8 * series.dtype.itemsize
    known = ("uint8", "uint16", "float32") if grey else ("uint8",)
    plain = whole and upright and not page.extrasamples
    return bool((grey or colour) and plain and series.dtype.name in known)


def _read_by_pillow(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray:
    """Pixels of compressions that tifffile leaves to another package: LZW, JPEG, fax."""
    from PIL import Image as Picture

    planes, dtype = [], series.dtype.newbyteorder("=")
    try:
        picture = Picture.open(path)
    except OSError as error:  # a compression that it does not know either
        raise _refuse_compression(series, path) from error
    with picture:
        for page in series:
            if page.parent.filename != path.name or np.ndim(
                page.index
            ):  # in another file, or SubIFD
                raise _refuse_compression(series, path)
            picture.seek(int(page.index))
            plane = np.asarray(picture)
            if plane.size != page.size or plane.dtype.newbyteorder("=") != dtype:
                raise _refuse_compression(series, path)
            planes.append(plane)
    return np.stack(planes).astype(dtype, copy=False)


def _refuse_compression(series: tifffile.TiffPageSeries, path: Path) -> UserError:
    """The refusal of a sound file that would need another decoder; it names the compression."""
    page = series.keyframe
    name = getattr(page.compression, "name", str(page.compression)).replace("_", " ")
    kind = f"compression {name}, {series.dtype}, {page.samplesperpixel} samples a pixel"
    try:
        import imagecodecs  # noqa: F401
    except ImportError:
        remedy = DECODERS
    else:
        remedy = "Save it uncompressed in Fiji, or in the program that wrote it."
    return UserError(
        "The compression of an image must be one that is decoded here without loss.",
        f"{path} ({kind})",
        remedy,
    )
