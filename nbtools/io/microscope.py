"""Files of microscopes, read with small optional packages: Zeiss CZI, Nikon ND2, Leica LIF."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import ModuleType

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.axes import RawImage

PACKAGES = {".czi": "czifile", ".nd2": "nd2", ".lif": "liffile"}


def read_microscope(path: Path) -> RawImage:
    """Read the first image of a CZI, ND2 or LIF file, with its pixel size in µm.

    Parameters
    ----------
    path : of the file.

    Raises
    ------
    UserError : the package for the format is missing, or the file holds no image.
    """
    kind = path.suffix.lower()
    package = import_optional(PACKAGES[kind], kind)
    return {".czi": _read_czi, ".nd2": _read_nd2, ".lif": _read_lif}[kind](path, package)


def import_optional(name: str, what: str) -> ModuleType:
    """Import an optional package.

    Parameters
    ----------
    name : of the package.
    what : it reads, for the message.

    Raises
    ------
    UserError : the package is not installed; the remedy is the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        extra = {"zarr": "bigdata", "pooch": "public"}.get(name, "formats")
        other = (
            "or fetch it by hand" if name == "pooch" else "or save the image as OME-TIFF in Fiji"
        )
        raise UserError(
            f"Reading {what} needs the package {name}.",
            "a Python without it",
            f'Type: pip install "nbtools[{extra}]" (or pip install {name}); {other}.',
        ) from error


def _read_nd2(path: Path, package: ModuleType) -> RawImage:
    with package.ND2File(path) as file:
        pixels = np.asarray(file.asarray())
        letters = "".join(file.sizes)
        size = file.voxel_size()
        channels = getattr(file.metadata, "channels", None) or ()
        names = tuple(c.channel.name for c in channels)
        # sizes of axes that are not calibrated are 1 µm in this package
        calibrated = channels[0].volume.axesCalibrated if channels else (False,) * 3
    known = {
        a: s for a, s, sure in zip("XYZ", (size.x, size.y, size.z), calibrated, strict=True) if sure
    }
    pixels, letters, guesses = _first_position(pixels, letters)
    return RawImage(pixels, letters, _clean(known, letters), channels=names, guesses=guesses)


def _read_lif(path: Path, package: ModuleType) -> RawImage:
    with package.LifFile(path) as file:
        images = list(file.images)
        if not images:
            raise UserError("A LIF file must hold an image.", path, "Export the image again.")
        image = images[0]
        pixels = np.asarray(image.asarray())
        letters = "".join(image.dims)
        steps = {
            a: _step(image.coords[a]) * 1e6 for a in "ZYX" if a in letters and a in image.coords
        }  # from metres
    pixels, letters, guesses = _first_position(pixels, letters)
    guesses += ("series",) if len(images) > 1 else ()
    return RawImage(pixels, letters, _clean(steps, letters), guesses=guesses)


def _read_czi(path: Path, package: ModuleType) -> RawImage:
    with package.CziFile(path) as file:
        scenes = getattr(file, "scenes", {})  # czifile before 2026 has none
        image = next(iter(scenes.values()), file)
        pixels = _czi_pixels(image, path)
        letters = str(image.axes)
        about = file.metadata()
    letters = letters.replace("0", "S") if letters.endswith("0") else letters
    pixels, letters, guesses = _first_position(pixels, letters)
    older = not hasattr(package, "CziImage")  # its samples are in the order of the file, BGR
    if older and letters.endswith("S") and pixels.shape[-1] >= 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[-1])]]
    guesses += ("series",) if len(scenes) > 1 else ()
    return RawImage(pixels, letters, _clean(_scaling(about), letters), guesses=guesses)


def _czi_pixels(image: object, path: Path) -> np.ndarray:
    """All pixels of an image.

    Versions of czifile without scenes lose errors of their threads and leave black planes: there,
    one worker reads.
    """
    try:
        one = {"max_workers": 1} if hasattr(image, "filtered_subblock_directory") else {}
        return np.asarray(image.asarray(**one))
    except KeyError as error:  # its table of compressions has no such number
        raise UserError(
            "A CZI file must have a known compression.",
            f"number {error} in {path}",
            "Type: pip install imagecodecs; or export it from ZEN without compression.",
        ) from error


def _scaling(about: str) -> dict[str, float]:
    """Pixel sizes in µm from the metadata of a CZI file: <Distance Id="X"><Value> in metres."""
    sizes = {}
    for element in documents.parse_xml(about, "metadata of a CZI file").iter("Distance"):
        value = element.findtext("Value")
        if value and element.get("Id") in ("X", "Y", "Z"):
            sizes[element.get("Id")] = float(value) * 1e6
    return sizes


def _first_position(pixels: np.ndarray, letters: str) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """The first plane of each other axis (positions, scenes, views); "series" if there are more."""
    first = pixels[tuple(slice(None) if a in "TCZYXS" else 0 for a in letters)]
    guesses = ("series",) if first.size < pixels.size else ()
    return first, "".join(a for a in letters if a in "TCZYXS"), guesses


def _clean(sizes: dict[str, float], letters: str) -> dict[str, float]:
    return {
        a: float(s) for a, s in sizes.items() if a in letters and s and math.isfinite(s) and s > 0
    }


def _step(places: np.ndarray) -> float:
    return abs(float(places[-1] - places[0])) / (len(places) - 1) if len(places) > 1 else 0.0
