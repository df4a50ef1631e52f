"""What a restoration gains on images that have a clean partner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import restoration

if TYPE_CHECKING:
    from nbtools.methods.method import Method

IMAGES = 4
SIDE = {"Z": 16, "Y": 256, "X": 256}  # pixels of the middle that are looked at


def measure_gain(method: Method, dataset: DataSet) -> tuple[float, float] | None:
    """Mean PSNR of restored and of unprocessed images, in dB, on the middle of a few images.

    Parameters
    ----------
    method : trained.
    dataset : validation images, or those of the training.

    Returns
    -------
    Both; None where no image has a clean partner.
    """
    pairs = []
    for index in np.unique(np.linspace(0, len(dataset) - 1, IMAGES).round().astype(int)):
        sample = dataset[int(index)]
        if sample.clean is None:
            continue
        image, clean = (cut_middle(one.select(T=0)) for one in (sample.image, sample.clean))
        try:
            restored = method.predict(image).image
        except UserError:  # of a kind that training leaves out, too
            continue
        pairs.append([restoration.psnr(one, clean) for one in (restored, image)])
    known = [pair for pair in pairs if not np.isnan(pair).any()]
    if not known:
        return None
    psnr, before = np.minimum(known, restoration.MAX_DB).mean(axis=0)
    return float(psnr), float(before)


def cut_middle(image: Image) -> Image:
    """The middle of an image, with its axes and pixel size."""
    place = []
    for axis, count in zip(image.axes, image.shape, strict=True):
        side = min(SIDE.get(axis, count), count)
        place.append(slice((count - side) // 2, (count - side) // 2 + side))
    return image.replace(pixels=image.pixels[tuple(place)])
