"""What is measured: label pixels with their spacing, and the channels of the image that belong to
them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics.overlap import check_labels


def read_grid(label: Image, image: Image | None) -> tuple[np.ndarray, np.ndarray, str]:
    """Label pixels (2D or 3D), spacing along their axes, and "um", or "px" where the spacing is
    unknown or only a ratio.

    The image's spacing counts where the labels have none.
    """
    label = to_spatial(label)
    source = label if label.spacing or image is None else match_grid(image.select(C=0), label)
    if source.spacing_um:
        return check_labels(label), np.array(source.spacing_um), "um"
    return check_labels(label), np.array(source.relative_spacing), "px"


def read_channels(image: Image | None, label: Image) -> Iterator[tuple[str, np.ndarray]]:
    """Name, or else number, and pixels (on the grid of the label) of each channel; nothing where
    there is no image.
    """
    for channel in range(image.size("C") if image is not None else 0):
        yield (
            name_channel(image, channel),
            match_grid(image.select(C=channel), to_spatial(label)).pixels,
        )


def name_channel(image: Image, channel: int) -> str:
    """Its name where the image knows it, else its number."""
    return image.channels[channel] if image.channels else str(channel)


def to_spatial(label: Image) -> Image:
    """The labels as ZYX, or YX where there is one plane."""
    return label.to("ZYX" if label.size("Z") > 1 else "YX")


def match_grid(image: Image, label: Image) -> Image:
    """One channel of the image, with the axes of the label; a UserError where their shapes
    differ.
    """
    image = image.to(label.axes)
    if image.shape != label.shape:
        received = f"{image.shape} and {label.shape}"
        raise UserError(
            "Image and label must have the same shape.",
            received,
            "Measure an image with its own labels.",
        )
    return image
