"""Zeiss CZI: the sub-blocks of one scene, and what nobody wrote.

The letter S has two meanings here: samples of colour in the array, and scenes in the directory of
older versions of czifile. Scenes are images of their own; samples come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.axes import RawImage, no_pixels
from nbtools.io.intervals import zeiss_interval
from nbtools.io.series import choose_series, keep_own, select, spread, tidy_names
from nbtools.io.units import to_number

RAW, JPEG, LZW, JPEG_XR, ZSTD, ZSTD_HEADER = 0, 1, 2, 4, 5, 6  # numbers of compressions
CODECS = {
    RAW: "",
    JPEG: "jpeg",
    LZW: "lzw",
    JPEG_XR: "jpegxr",
    ZSTD: "zstd",
    ZSTD_HEADER: "zstd",
}  # names of their decoders in imagecodecs


def read_czi(
    path: Path, package: ModuleType, *, series: int | str | None, header_only: bool
) -> RawImage:
    """Read one scene of a CZI file.

    Parameters
    ----------
    path : of the file.
    package : czifile.
    series : number or name of the scene; None for the first.
    header_only : leave out the pixels.

    Raises
    ------
    UserError : there is no such scene, a plane is missing, or the compression is unknown.
    """
    with package.CziFile(path) as file:
        about = documents.parse_xml(file.metadata(), path)
        scenes = _list_scenes(file)
        names = _name_scenes(about, len(scenes))
        members = []
        for name, scene in zip(names, scenes, strict=True):
            places = spread(scene.axes, scene.shape)
            members += [("_".join(filter(None, (name, p))), scene, i) for p, i in places]
        names = tidy_names([name for name, _, _ in members])
        _, scene, index = members[choose_series(names, series, path=path)]
        guesses: tuple[str, ...] = ()
        if header_only:
            kept = zip(scene.shape, index, strict=True)
            shape = tuple(n for n, at in kept if isinstance(at, slice))
            pixels, letters = no_pixels(shape, scene.dtype), keep_own(scene.axes)
        else:
            pixels, written = scene.read(path)
            pixels, letters = select(pixels, scene.axes, index=index)
            written, _ = select(written, scene.axes, index=index)
            guesses = _judge_gaps(written, letters, path)
    raw = RawImage(pixels, letters, _find_scaling(about), guesses=guesses)
    return replace(
        raw,
        channels=_name_channels(about) if "C" in letters else (),
        series=names if len(names) > 1 else (),
        interval_s=zeiss_interval(about),
    )


def _list_scenes(file: object) -> list:
    if hasattr(file, "scenes"):  # czifile from 2026 on
        return [_Scene(image) for image in file.scenes.values()]
    full = [e for e in file.subblock_directory if e.stored_shape == e.shape]  # not a pyramid's
    numbers = sorted({_scene_number(e) for e in full})
    return [_OldScene([e for e in full if _scene_number(e) == n]) for n in numbers]


def _scene_number(entry: object) -> int:
    return next((d.start for d in entry.dimension_entries if d.dimension == "S"), 0)


class _Scene:
    """A scene as czifile from 2026 on gives it."""

    def __init__(self, image: object):
        self.image, self.axes, self.shape = image, str(image.axes), tuple(image.shape)
        self.dtype = image.dtype

    def read(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Pixels, and which of them were written; gaps are 0."""
        try:
            pixels = np.asarray(self.image.asarray(fillvalue=0))
        except ValueError as error:
            if "not supported" not in str(error):
                raise
            raise _refuse_compression(error, path) from error
        if pixels.all():
            return pixels, np.broadcast_to(True, pixels.shape)
        again = np.asarray(self.image.asarray(fillvalue=1))  # gaps are what follows the filling
        return pixels, pixels == again


class _OldScene:
    """Sub-blocks of one scene, put together here.

    The reader of czifile 2019 spans all scenes with one array, and leaves in the gaps what was in
    memory before.
    """

    def __init__(self, entries: Sequence):
        order = [d.dimension for d in entries[0].dimension_entries if d.dimension != "M"]
        self.entries = sorted(entries, key=lambda e: e.mosaic_index or 0)
        starts = np.array([e.start for e in entries])
        first, last = starts.min(0), (starts + [e.shape for e in entries]).max(0)
        letters = [*order, "S"]
        # axes of one plane are left out; a scene has one number, so that its letter goes here
        self.kept = [i for i, n in enumerate(last - first) if n > 1 or letters[i] in "YX"]
        self.axes = "".join(letters[i] for i in self.kept)
        self.first = [int(first[i]) for i in self.kept]
        self.shape = tuple(int(last[i] - first[i]) for i in self.kept)
        self.dtype = np.result_type(*{np.dtype(e.dtype[-2:]) for e in entries})

    def read(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Pixels, and which of them were written; gaps are 0."""
        pixels, written = np.zeros(self.shape, self.dtype), np.zeros(self.shape, bool)
        for entry in self.entries:
            block = _decode(entry, path)
            block = block.reshape([block.shape[i] for i in self.kept])
            corner = [entry.start[i] - f for i, f in zip(self.kept, self.first, strict=True)]
            place = tuple(slice(c, c + n) for c, n in zip(corner, block.shape, strict=True))
            pixels[place], written[place] = block, True
        return pixels, written


def _decode(entry: object, path: Path) -> np.ndarray:
    """Pixels of a sub-block; colours as red, green, blue.

    CZI holds them as blue, green, red, apart from JPEG and JPEG XR.
    """
    data = entry.data_segment().data(raw=True)
    kind, dtype = entry.compression, np.dtype(entry.dtype[-2:])
    size = int(np.prod(entry.stored_shape)) * dtype.itemsize
    if kind not in CODECS:
        raise _refuse_compression(f"number {kind}", path)
    if kind == RAW or len(data) == size:  # some writers name a compression and do not compress
        block = np.frombuffer(data, dtype)
    else:
        block = _decompress(data, kind, dtype=dtype, path=path)
    block = block[: size // dtype.itemsize].reshape(entry.stored_shape)
    if kind not in (JPEG, JPEG_XR) and block.shape[-1] >= 3:
        block = block[..., [2, 1, 0, *range(3, block.shape[-1])]]
    return block


def _decompress(data: bytes, kind: int, *, dtype: np.dtype, path: Path) -> np.ndarray:
    """Flat pixels of a compressed sub-block, by the package imagecodecs."""
    try:
        import imagecodecs
    except ImportError as error:
        raise UserError(
            f"Reading CZI with compression {CODECS[kind]} needs the package imagecodecs.",
            f"{path} (number {kind})",
            "Type: pip install imagecodecs; or export it from ZEN without compression.",
        ) from error
    split = False
    if kind == ZSTD_HEADER:  # length of the header, then whether high bytes follow low ones
        length = data[0]
        split = length >= 3 and data[1] == 1 and bool(data[2] & 1)
        data = data[length:]
    found = getattr(imagecodecs, f"{CODECS[kind]}_decode")(data)
    if not isinstance(found, bytes | bytearray | memoryview):
        return np.asarray(found).ravel()
    if split:
        found = np.frombuffer(found, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
    return np.frombuffer(found, dtype)


def _refuse_compression(what: object, path: Path) -> UserError:
    return UserError(
        "A CZI file must have a known compression.",
        f"{what} in {path}",
        "Export it from ZEN without compression.",
    )


def _judge_gaps(written: np.ndarray, letters: str, path: Path) -> tuple[str, ...]:
    """ "gaps" where tiles leave corners free; an error where whole planes are missing."""
    if written.all():
        return ()
    inside = tuple(i for i, a in enumerate(letters) if a in "YXS")
    planes = written.any(axis=inside)
    if not planes.all():
        raise UserError(
            "All planes of an image must be there.",
            f"{path} lacks {int((~planes).sum())} of {planes.size} planes",
            "Copy the file again, or export the complete part of it from ZEN.",
        )
    return ("gaps",)


def _name_scenes(about: ElementTree.Element, count: int) -> list[str]:
    """Names of the scenes; [""] where there is one, "" where they have none."""
    if count < 2:
        return [""] * count
    names = {e.get("Index"): e.get("Name") or "" for e in about.iter("Scene")}
    return [names.get(str(i)) or f"scene{i}" for i in range(count)]


def _name_channels(about: ElementTree.Element) -> tuple[str, ...]:
    names = [e.get("Name") or "" for e in about.iterfind(".//Information/Image//Channels/Channel")]
    return tuple(names) if names and all(names) else ()


def _find_scaling(about: ElementTree.Element) -> dict[str, float]:
    """Pixel sizes in µm from the metadata: <Distance Id="X"><Value> in metres."""
    sizes = {}
    for element in about.iter("Distance"):
        value = to_number(element.findtext("Value"))
        if value and value > 0 and element.get("Id") in ("X", "Y", "Z"):
            sizes[element.get("Id")] = value * 1e6
    return sizes
