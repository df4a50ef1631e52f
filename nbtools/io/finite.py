"""Pixels that can be computed with."""

from __future__ import annotations

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.stored import read_slabs


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
