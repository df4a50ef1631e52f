"""Pixels that can be computed with."""

from __future__ import annotations

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image


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
    usable = np.abs(image.pixels) <= np.finfo(np.float32).max
    if not usable.all():
        raise UserError(
            "Pixels must be finite numbers.",
            f"{int((~usable).sum())} NaN or infinite in {source}",
            "Replace them: nbtools check --fix writes a copy with the image's median instead.",
        )
    return image
