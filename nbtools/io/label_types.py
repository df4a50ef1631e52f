"""Which numbers are labels, and the types that hold them."""

from __future__ import annotations

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image

LABEL_TYPES = (np.uint8, np.uint16, np.int32, np.uint32)


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
        pixels = pixels.astype(find_label_type(pixels))
    return image.replace(pixels=pixels, channels=())


def find_label_type(pixels: np.ndarray) -> type:
    """The type labels are written in: 16 bit where it holds them, signed where pixels are -1."""
    if pixels.min(initial=0) < 0:
        return np.int32
    return np.uint16 if pixels.max(initial=0) <= 65535 else np.uint32
