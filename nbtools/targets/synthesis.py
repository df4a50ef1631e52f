"""Masks to make images of, real images to make them like, and the nuclei that are in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.patches import Example
from nbtools.targets import border
from nbtools.targets.distance import DistanceTarget
from nbtools.targets.translated import HERE, THERE

SEGMENT = "segment"


def draw_mask(label: np.ndarray) -> np.ndarray:
    """Draw the mask that an image is made of.

    Parameters
    ----------
    label : (*space) labels; negative where nobody has looked.

    Returns
    -------
    (*space, 1) float32: 1 inside nuclei, -1 elsewhere and where two touch, 0 where nobody has
    looked.

    Examples
    --------
    >>> draw_mask(np.array([[0, 4, 4, 4, 0, -1]]))[0, :, 0].tolist()
    [-1.0, 1.0, 1.0, 1.0, -1.0, 0.0]
    """
    mask = np.where(border.encode(label) == border.INSIDE, 1, -1)
    return np.where(label[..., None] < 0, 0, mask).astype(np.float32)


@dataclass(frozen=True)
class SynthesisTarget(DistanceTarget):
    """As `DistanceTarget`, learned from images that are made of the labels.

    Parameters
    ----------
    channels : of the images.
    """

    channels: int = 1

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[dict, dict]:
        """A mask and a patch of a real image, and the nuclei of the mask.

        Parameters
        ----------
        rng : is not used.
        patch : with label and unpaired image.

        Returns
        -------
        {"here": (*space, C) mask, see `draw_mask`; "there": the real image}, and {"segment":
        (*space, 3) foreground, distance and weight}.
        """
        mask = np.repeat(draw_mask(patch.label), self.channels, axis=-1)
        truth = self.encode(patch) if patch.maps is None else patch.maps
        return {HERE: mask, THERE: patch.unpaired}, {SEGMENT: truth}
