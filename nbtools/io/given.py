"""What a user hands over where an image is wanted: an Image, an array, a path, or a result."""

from __future__ import annotations

import numpy as np

from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.io.axes import MOST_CHANNELS

PARTS = ("image", "labels")  # of samples, predictions and results


def find_image(item: object) -> Image | None:
    """The item itself, or the image that it holds; None where it is neither.

    Parameters
    ----------
    item : Image, sample, prediction, result, or anything else.
    """
    if isinstance(item, Image):
        return item
    held = (getattr(item, part, None) for part in PARTS)
    return next((image for image in held if isinstance(image, Image)), None)


def name_axes(item: object, *, axes: str, colours: bool) -> Image:
    """An Image of an array, with axes that follow from its shape; see `io.as_image`.

    Parameters
    ----------
    item : array, or what NumPy turns into one.
    axes : of arrays with as many dimensions.
    colours : whether arrays can be colours.

    Raises
    ------
    UserError : no numbers, or the axes cannot be known.
    """
    rule = "An image must be an Image, an array of numbers, or the path of a file."
    if item is None or isinstance(item, bytes | dict | set):
        raise UserError(rule, type(item).__name__, 'Use Image(array, "ZYX"), or give a path.')
    try:
        array = np.asarray(item)
    except Exception as error:  # whatever the library of a foreign array raises
        raise UserError(rule, f"{type(item).__name__} ({error})", "Convert it to NumPy.") from error
    if array.dtype.kind not in "biuf":
        received = f"{type(item).__name__} of {array.dtype}"
        raise UserError(rule, received, 'Use Image(array, "ZYX") with an array of real numbers.')
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if colours and array.ndim == 3 and array.shape[-1] == 3 and array.dtype == np.uint8:
        return Image(array, "YXC", channels=RGB)
    ends = array.shape[0::2] if array.ndim == 3 else ()
    named = {2: "YX", len(axes) if axes else 0: axes}.get(array.ndim)
    if named is None and ends and min(ends) > MOST_CHANNELS:
        named = "ZYX"
    if not named or not all(array.shape):
        raise UserError(
            "The axes of an array must be known.",
            f"an array of shape {array.shape}",
            'Name them: Image(array, "ZYX"), "CYX", "TYX" or "YXC" (nbtools.image.Image).',
        )
    return Image(array, named)
