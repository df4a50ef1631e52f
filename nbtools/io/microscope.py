"""Files of microscopes, read with small optional packages: Zeiss CZI, Nikon ND2, Leica LIF."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import ModuleType

import numpy as np

from nbtools.errors import UserError
from nbtools.io.axes import RawImage, no_pixels
from nbtools.io.czi import read_czi
from nbtools.io.intervals import nikon_interval, to_seconds
from nbtools.io.series import choose_series, keep_own, select, spread, tidy_names

PACKAGES = {".czi": "czifile", ".nd2": "nd2", ".lif": "liffile", ".lof": "liffile"}


def read_microscope(
    path: Path,
    *,
    series: int | str | None = None,
    header_only: bool = False,
    palette: bool = False,
) -> RawImage:
    """Read one image of a CZI, ND2 or LIF file, with its pixel size in µm and its interval in s.

    Parameters
    ----------
    path : of the file.
    series : number or name of the image, where there are several; None for the first.
    header_only : leave out the pixels: they are zeros that take no memory.
    palette : has no meaning here.

    Raises
    ------
    UserError : the package for the format is missing, or the file holds no such image.
    """
    kind = path.suffix.lower()
    package = import_optional(PACKAGES[kind], kind)
    read = {".czi": read_czi, ".nd2": _read_nd2}.get(kind, _read_lif)
    return read(path, package, series=series, header_only=header_only)


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
        install = {"nrrd": "pynrrd"}.get(name, name)
        other = (
            "or fetch it by hand" if name == "pooch" else "or save the image as OME-TIFF in Fiji"
        )
        raise UserError(
            f"Reading {what} needs the package {install}.",
            "a Python without it",
            f"Type: pip install {install}; {other}.",
        ) from error


def _read_nd2(
    path: Path, package: ModuleType, *, series: int | str | None, header_only: bool
) -> RawImage:
    with package.ND2File(path) as file:
        letters = "".join(file.sizes)
        places = spread(letters, file.shape)
        names = tidy_names(_name_points(file, len(places)) or [name for name, _ in places])
        _, index = places[choose_series(names, series, path=path)]
        pixels, letters = _take(file, letters, index, header_only=header_only)
        size, interval = file.voxel_size(), nikon_interval(file.experiment)
        channels = getattr(file.metadata, "channels", None) or ()
        channel_names = tuple(c.channel.name for c in channels)
        # sizes of axes that are not calibrated are 1 µm in this package
        calibrated = channels[0].volume.axesCalibrated if channels else (False,) * 3
    known = {
        a: s for a, s, sure in zip("XYZ", (size.x, size.y, size.z), calibrated, strict=True) if sure
    }
    several = names if len(names) > 1 else ()
    about = {"channels": channel_names, "series": several, "interval_s": interval}
    return RawImage(pixels, letters, _clean(known, letters), **about)


def _name_points(file: object, count: int) -> list[str]:
    """Names of the stage positions of an ND2 file; [] where they are not known."""
    loops = [e for e in file.experiment if type(e).__name__ == "XYPosLoop"]
    points = [getattr(p, "name", None) or "" for e in loops for p in e.parameters.points]
    return points if len(points) == count > 1 and all(points) else []


def _take(file: object, letters: str, index: tuple, *, header_only: bool) -> tuple[np.ndarray, str]:
    """The pixels of one position, or zeros of their shape; only its planes are decoded."""
    if header_only:
        kept = zip(file.shape, index, strict=True)
        shape = tuple(n for n, at in kept if isinstance(at, slice))
        return no_pixels(shape, file.dtype), keep_own(letters)
    position = [at for a, at in zip(letters, index, strict=True) if a == "P"]
    if position and not isinstance(position[0], slice):
        pixels = np.asarray(file.asarray(position=position[0]))
        pixels = pixels.reshape([1 if a == "P" else n for a, n in file.sizes.items()])
        index = tuple(0 if a == "P" else at for a, at in zip(letters, index, strict=True))
    else:
        pixels = np.asarray(file.asarray())
    return select(pixels, letters, index=index)


def _read_lif(
    path: Path, package: ModuleType, *, series: int | str | None, header_only: bool
) -> RawImage:
    with package.LifFile(path) as file:
        members = []
        for image in file.images:
            places = spread("".join(image.dims), image.shape)
            members += [("_".join(filter(None, (image.name, p))), image, i) for p, i in places]
        if not members:
            raise UserError("A LIF file must hold an image.", path, "Export the image again.")
        names = tidy_names([name for name, _, _ in members])
        _, image, index = members[choose_series(names, series, path=path)]
        letters = "".join(image.dims)
        steps = {
            a: _step(image.coords[a]) * 1e6 for a in "ZYX" if a in letters and a in image.coords
        }  # from metres
        interval = to_seconds(_step(image.coords["T"])) if "T" in image.coords else None
        if header_only:
            kept = zip(image.shape, index, strict=True)
            shape = tuple(n for n, at in kept if isinstance(at, slice))
            pixels, letters = no_pixels(shape, image.dtype), keep_own(letters)
        else:
            pixels, letters = select(np.asarray(image.asarray()), letters, index=index)
    several = names if len(names) > 1 else ()
    about = {"series": several, "interval_s": interval}
    return RawImage(pixels, letters, _clean(steps, letters), **about)


def _clean(sizes: dict[str, float], letters: str) -> dict[str, float]:
    return {
        a: float(s) for a, s in sizes.items() if a in letters and s and math.isfinite(s) and s > 0
    }


def _step(places: np.ndarray) -> float:
    return abs(float(places[-1] - places[0])) / (len(places) - 1) if len(places) > 1 else 0.0
