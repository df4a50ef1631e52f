"""Parts of images: a channel, and pixels that are taken from their file."""

from __future__ import annotations

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image


def take_pixels(image: Image) -> Image:
    """The image in memory, where its pixels are in a file."""
    return image.replace(pixels=image.pixels[...]) if io.is_stored(image.pixels) else image


def select_channel(image: Image, channel: int | str) -> Image:
    """One channel of an image; the axis C goes.

    Parameters
    ----------
    image : with or without axis C.
    channel : number from 0, or name.

    Raises
    ------
    UserError : there is no such channel; the message lists the known names.

    Examples
    --------
    >>> import numpy as np
    >>> image = Image(np.zeros((2, 8, 8)), "CYX", channels=("DAPI", "GFP"))
    >>> select_channel(image, "dapi").shape
    (8, 8)
    """
    if "C" not in image.axes:
        if channel == 0:
            return image
        raise UserError(
            "Channel must be one of the image's.",
            f"{channel} for {image.name}, which has one",
            "Leave the channel out.",
        )
    if isinstance(channel, str):
        names = [n.casefold() for n in image.channels]
        if channel.casefold() not in names:
            known = ", ".join(image.channels) or "none is named"
            raise UserError(
                "Channel must be one of the image's.",
                f"{channel!r} for {image.name}",
                f"Use a number from 0, or a name ({known}).",
            )
        channel = names.index(channel.casefold())
    return image.select(C=channel).replace(channels=())
