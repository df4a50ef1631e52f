"""Borders of nuclei, and which nucleus each pixel is of: for losses that look at whole nuclei."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.patches import Example
from nbtools.targets.pixel_classes import PixelTarget

MOST_NUCLEI = 256  # in a training patch; further ones have no number


def number_nuclei(label: np.ndarray) -> np.ndarray:
    """Number the nuclei of a patch from 1, in the order of their labels.

    Parameters
    ----------
    label : (*space) labels; only numbers above 0 are nuclei.

    Returns
    -------
    (*space) float32, 0 … MOST_NUCLEI - 1; nuclei beyond that are 0, as the background.

    Examples
    --------
    >>> number_nuclei(np.array([-1, 0, 9, 4, 9])).tolist()
    [0.0, 0.0, 2.0, 1.0, 2.0]
    """
    present = np.unique(label[label > 0])
    number = np.searchsorted(present, label) + 1
    return np.where((label > 0) & (number < MOST_NUCLEI), number, 0).astype(np.float32)


@dataclass(frozen=True)
class NumberedPixelTarget(PixelTarget):
    """As `PixelTarget`, with the number of each pixel's nucleus behind the weight."""

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 5): the three classes, the weight, and the number, see `number_nuclei`."""
        number = number_nuclei(example.label)[..., None]
        return np.concatenate([super().encode(example), number], axis=-1)
