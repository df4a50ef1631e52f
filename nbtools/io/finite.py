"""Pixels that can be computed with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.axes import RawImage
from nbtools.io.stored import StoredPixels, is_stored, read_slabs


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
    if image.pixels.dtype.kind != "f":
        return image
    # what is beyond the range of float32 becomes infinite in every computation
    most, count = np.finfo(np.float32).max, 0
    for _, slab in read_slabs(image.pixels):
        count += int(slab.size - np.count_nonzero(np.abs(slab) <= most))
    if count:
        raise UserError(
            "Pixels must be finite numbers.",
            f"{count} NaN or infinite in {source}",
            "Replace them: nbtools check --fix writes a copy with the image's median instead.",
        )
    return image


def require_numbers(raw: RawImage, path: object) -> RawImage:
    """What was read, which must hold pixels that are real numbers; true and false become 1 and 0.

    Parameters
    ----------
    raw : as it lies in the file.
    path : of the file, for the message.

    Raises
    ------
    UserError : no pixels, or complex numbers.
    """
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
    return replace(raw, pixels=raw.pixels.astype(np.uint8)) if raw.pixels.dtype == bool else raw


def convert_numbers(
    pixels: np.ndarray | StoredPixels, dtype: np.dtype
) -> np.ndarray | StoredPixels:
    """Pixels of another type; real numbers are rounded and clipped to the range of integers.

    Parameters
    ----------
    pixels : of any type.
    dtype : NumPy type.
    """
    if dtype == pixels.dtype:
        return pixels
    if is_stored(pixels):
        return pixels.astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if pixels.dtype.kind == "f":
            pixels = np.nan_to_num(np.rint(pixels))
        pixels = np.clip(pixels, limits.min, limits.max)
    return pixels.astype(dtype)
