"""Inputs of measuring: label pixels with their spacing, and the channels of the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools import io
from nbtools.data.calibration import join_spacing
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics.overlap import check_labels


def read_inputs(label: object, image: object | None) -> tuple[Image, Image | None]:
    """Label image and image as such; arrays have the axes of the label image.

    Parameters
    ----------
    label, image : images, arrays or paths; see `io.as_label` and `io.as_image`.

    Raises
    ------
    UserError : none of these, or axes that cannot be known.
    """
    label = io.as_label(label)
    return label, None if image is None else io.as_image(image, axes=label.axes)


def read_grid(label: Image, image: Image | None) -> tuple[np.ndarray, np.ndarray, str]:
    """Read the pixels of a label image, and their spacing.

    Parameters
    ----------
    label : 2D or 3D label image.
    image : the same field; its spacing counts, unless it is none or a dummy: see
        `data.calibration.join_spacing`.

    Returns
    -------
    Labels (Z, Y, X) or (Y, X), spacing along these axes, and its unit: "um", or "px" where the
    spacing is unknown or only a ratio.

    Raises
    ------
    UserError : shapes differ, or labels are negative or not whole numbers.
    """
    label = to_spatial(label)
    grid = find_grid(label, image)
    labels = np.maximum(check_labels(label), 0)  # nobody looked at pixels of -1: no nucleus there
    return labels, *grid


def find_grid(label: Image, image: Image | None) -> tuple[np.ndarray, str]:
    """The spacing of a label image, and its unit, as of `read_grid`; the pixels do not count.

    Parameters
    ----------
    label : 2D or 3D label image, as `to_spatial` gives it.
    image : the same field; None where there is none.
    """
    source = label
    if image is not None:
        source, _ = join_spacing(label, match_grid(image.select(C=0), label))
    if source.spacing_um:
        return np.array(source.spacing_um), "um"
    return np.array(source.relative_spacing), "px"


def read_channels(image: Image | None, label: Image) -> Iterator[tuple[str, np.ndarray]]:
    """Read the channels of an image one by one.

    Parameters
    ----------
    image : 2D or 3D, with or without channels; None yields nothing.
    label : the same field.

    Returns
    -------
    Name (or number) of each channel, and its pixels on the grid of the labels.

    Raises
    ------
    UserError : shapes differ.
    """
    for channel in range(image.size("C") if image is not None else 0):
        yield (
            name_channel(image, channel),
            match_grid(image.select(C=channel), to_spatial(label)).pixels,
        )


def name_channel(image: Image, channel: int) -> str:
    """Return the name of a channel, or its number where it has none."""
    return image.channels[channel] if image.channels else str(channel)


def to_spatial(label: Image) -> Image:
    """Return the labels as (Z, Y, X), or as (Y, X) where there is one plane."""
    return label.to("ZYX" if label.size("Z") > 1 else "YX")


def match_grid(image: Image, label: Image) -> Image:
    """Return one channel of an image with the axes of the labels.

    Parameters
    ----------
    image : of one channel.
    label : whose axes and shape are expected.

    Raises
    ------
    UserError : shapes differ.
    """
    image = image.to(label.axes)
    if image.shape != label.shape:
        raise UserError(
            "Image and label must have the same shape.",
            f"{image.shape} and {label.shape}",
            "Measure an image with its own labels.",
        )
    return image
