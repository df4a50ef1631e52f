"""From the array and metadata of a file to an Image.

Axes are named, guessed or refused; colours come last; spacing is in µm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nbtools import runtime
from nbtools.errors import UserError
from nbtools.image import AXES, RGB, SPACE, Image, check_axes
from nbtools.io.stored import view_part

SMALL = 2**28  # bytes of an image that is not asked how it fits into its file
# bytes of pixels of a file that is decoded as a whole, beyond which its header is read alone
LARGE = 2**22
RATIO = 20_000  # of bytes of pixels for one of the file; deflation gives 1,032 at best
MOST_CHANNELS = 4  # an unnamed axis of up to 4 planes is read as channels, a longer one as Z


@dataclass(frozen=True)
class RawImage:
    """An array as it lies in the file, with the metadata of the file.

    Parameters
    ----------
    pixels : array of as many dimensions as `letters` has letters.
    letters : one per dimension: T, C, Z, Y, X, "S" for colour samples, "?" for an unnamed
        dimension.
    spacing : letter → pixel size, in `unit`; empty where it is unknown.
    unit : "um" or "pixel".
    channels : names of the channels.
    alpha : the last sample is transparency, where there are two or four.
    colour : three samples are red, green and blue, not just three channels.
    guesses : what the reader assumes: "axes", "z_step", "gaps" (pixels that nobody wrote are 0).
    series : names of all images in the file, where it holds several.
    interval_s : seconds between time points; None where it is unknown.
    """

    pixels: np.ndarray
    letters: str
    spacing: dict[str, float] = field(default_factory=dict)
    unit: str = "um"
    channels: tuple[str, ...] = ()
    alpha: bool = True
    colour: bool = True
    guesses: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    interval_s: float | None = None


def interpret(
    raw: RawImage, name: str, *, axes: str | None = None
) -> tuple[Image, tuple[str, ...]]:
    """The Image that a file holds, and what had to be guessed.

    A single unnamed axis is read as channels up to four planes and as Z from five on, and "axes" is
    among the guesses; several unnamed axes are refused. Colour samples come last, as axis C;
    transparency is dropped.

    Parameters
    ----------
    raw : array and metadata of the file.
    name : of the image.
    axes : one letter per dimension, in place of those of the file.

    Returns
    -------
    image, guesses

    Raises
    ------
    UserError : the axes cannot be known, or those given do not fit.

    Examples
    --------
    >>> image, guesses = interpret(RawImage(np.zeros((9, 64, 64)), "?YX"), "stack")
    >>> image.axes, guesses
    ('ZYX', ('axes',))
    """
    raw = _drop_single(raw, keep=axes)
    if axes is not None:
        raw = _rename(raw, check_axes(axes), name)
    elif "?" in raw.letters:
        raw = _guess(raw, name)
    raw = _colours_last(raw)
    spacing, guesses = _spacing_of(raw)
    channels = raw.channels if "C" in raw.letters and len(raw.channels) == _size(raw, "C") else ()
    about = {"spacing": spacing, "unit": raw.unit if spacing else "um", "channels": channels}
    image = Image(raw.pixels, raw.letters, **about, name=name, interval_s=raw.interval_s)
    return image, guesses


def no_pixels(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Zeros of this shape and type that take no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def require_possible(shape: Sequence[int], dtype: np.dtype, *, path: Path) -> None:
    """Require that a file can hold the pixels that it claims, before memory is taken for them.

    Parameters
    ----------
    shape, dtype : as the header says.
    path : of the file; files beside it may hold some of the pixels.

    Raises
    ------
    UserError : no compression could pack so many pixels into the file.
    """
    claimed = math.prod(map(int, shape)) * np.dtype(dtype).itemsize
    if claimed > SMALL and claimed > RATIO * path.stat().st_size:
        raise UserError(
            "An image file must hold the pixels that it claims.",
            f"{path} of {path.stat().st_size} bytes, which claims a shape of {tuple(shape)}",
            "Export the image again.",
        )


def require_memory(shape: Sequence[int], dtype: np.dtype, *, path: Path, copies: int = 1) -> None:
    """Require that the pixels of a file fit into the memory that is free, before they are read.

    Parameters
    ----------
    shape, dtype : as the header says.
    path : of the file.
    copies : that are in memory at one time while it is read.

    Raises
    ------
    UserError : they do not.
    """
    claimed = math.prod(map(int, shape)) * np.dtype(dtype).itemsize * copies
    if claimed > SMALL and claimed > (free := runtime.memory().available):
        raise UserError(
            "An image must fit into the memory that is free.",
            f"{path} of shape {tuple(shape)}, {claimed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free",
            "Use a machine with more memory, or cut the image. As TIFF, nbtools predict, evaluate "
            "and measure take it in blocks.",
        )


def _size(raw: RawImage, letter: str) -> int:
    return raw.pixels.shape[raw.letters.index(letter)]


def _drop_single(raw: RawImage, *, keep: str | None) -> RawImage:
    """Drop axes of length 1 that are not asked for."""
    shape = raw.pixels.shape
    if keep is not None and len(keep) == len(shape):
        return raw
    wanted = AXES if keep is None else keep
    kept = [i for i, letter in enumerate(raw.letters) if shape[i] != 1 or letter in wanted]
    letters = "".join(raw.letters[i] for i in kept)
    return replace(raw, pixels=raw.pixels.reshape([shape[i] for i in kept]), letters=letters)


def _rename(raw: RawImage, axes: str, name: str) -> RawImage:
    """Use the axes of the user; colour samples are named C where the user leaves them out."""
    letters = raw.letters
    if letters.endswith("S") and "C" not in axes and len(axes) == len(letters) - 1:
        return replace(raw, letters=axes + "S")
    if len(axes) != len(letters):
        raise UserError(
            "Axes must name each dimension of the image once.",
            f"{axes} for {name} of shape {raw.pixels.shape}",
            f"Give {len(letters)} letters of {AXES}, or leave the axes out.",
        )
    if letters.endswith("S") and axes.endswith("C"):
        axes = axes[:-1] + "S"
    return replace(raw, letters=axes, guesses=_without(raw.guesses, "axes"))


def _guess(raw: RawImage, name: str) -> RawImage:
    shape = raw.pixels.shape
    letters = raw.letters
    guessed = letters
    if letters == "?YX" and shape[2] <= MOST_CHANNELS < min(shape[:2]):
        guessed = "YXC"
    elif letters.count("?") == 1:
        length = shape[letters.index("?")]
        taken = letters.replace("S", "C")
        free = [a for a in "C" * (length <= MOST_CHANNELS) + "ZT" if a not in taken]
        guessed = letters.replace("?", free[0]) if free else letters
    if "?" in guessed or not set("YX") <= set(guessed):
        example = AXES[-min(len(shape), len(AXES)) :]
        raise UserError(
            f"The axes of an image must be known, at most {AXES}.",
            f"{name} of shape {shape} without names",
            f'Name them with --axes, or in dataset.toml: axes = "{example}".',
        )
    return replace(raw, letters=guessed, guesses=(*raw.guesses, "axes"))


def _colours_last(raw: RawImage) -> RawImage:
    """Move samples to axis C at the end: three are red, green, blue; one grey sample has no C."""
    if "S" not in raw.letters:
        return raw
    pixels = np.moveaxis(raw.pixels, raw.letters.index("S"), -1)
    rest = raw.letters.replace("S", "")
    if raw.alpha and pixels.shape[-1] in (2, 4):
        pixels = view_part(pixels, (..., slice(-1)))
    if pixels.shape[-1] == 1:
        return replace(raw, pixels=view_part(pixels, (..., 0)), letters=rest)
    if "C" in rest:
        raise UserError(
            "An image has either channels or colours.",
            f"axes {raw.letters} {raw.pixels.shape}",
            "Save it with one axis of channels.",
        )
    channels = RGB if pixels.shape[-1] == 3 and raw.colour else raw.channels
    return replace(raw, pixels=pixels, letters=rest + "C", channels=channels)


def _spacing_of(raw: RawImage) -> tuple[tuple[float, ...] | None, tuple[str, ...]]:
    """Spacing along the spatial axes; None where one is missing, since volumes would be wrong."""
    spatial = [a for a in raw.letters if a in SPACE]
    guesses = raw.guesses if "Z" in spatial else _without(raw.guesses, "z_step")
    if all(a in raw.spacing for a in spatial):
        return tuple(raw.spacing[a] for a in spatial), guesses
    if all(a in raw.spacing for a in "YX"):
        guesses = (*_without(guesses, "z_step"), "z_step_missing")
    return None, guesses


def _without(guesses: tuple[str, ...], unwanted: str) -> tuple[str, ...]:
    return tuple(g for g in guesses if g != unwanted)
