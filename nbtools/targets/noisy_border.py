"""Borders and blind spots: three classes per pixel, and the grey values of hidden pixels.

Buchholz et al. 2020, doi:10.1007/978-3-030-66415-2_21. Images without labels have no class anywhere
and teach their grey values alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from nbtools.patches import Example
from nbtools.targets.blindspot import BlindSpotMask, mask_pixels
from nbtools.targets.border import CLASSES, BorderTarget
from nbtools.targets.restored import RestoredTarget

DENOISE, SEGMENT = "denoise", "segment"  # the two patches of `NoisyThenBorderTarget`


@dataclass(frozen=True)
class NoisyBorderTarget(BorderTarget):
    """Background, inside and border per pixel, and behind them the values of hidden pixels.

    Parameters
    ----------
    channels : of the images.
    border_weight : how much more a pixel of a border counts.
    mask : how pixels are hidden.
    """

    channels: int = 1
    border_weight: float = 5.0
    mask: BlindSpotMask = field(
        default_factory=BlindSpotMask, compare=False
    )  # decoding is the same

    @property
    def outputs(self) -> dict[str, int]:
        return super().outputs | {"denoised": self.channels}

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[np.ndarray, np.ndarray]:
        """The patch with hidden pixels, and (*space, 4 + C + 1) of truth.

        Parameters
        ----------
        rng : source of the hidden pixels.
        patch : with label.

        Returns
        -------
        The patch, and behind each other the three classes (all 0 where nobody has looked), their
        weight, the true grey values, and 1 where they are hidden.
        """
        hidden, mask = mask_pixels(rng, patch.image, spots=self.mask)
        truth = [self.encode(patch), patch.image, mask[..., None]]
        return hidden, np.concatenate(truth, axis=-1)

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """(*space, 3 + C) → (*space, 3) probabilities of the classes, without grey values."""
        return super().activate(raw[..., :CLASSES], ops)


@dataclass(frozen=True)
class NoisyThenBorderTarget(NoisyBorderTarget):
    """As `NoisyBorderTarget`, for two networks, of which the second sees no hidden pixels."""

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[dict, dict]:
        """The patch with hidden pixels and as it is; grey values with the mask, and classes."""
        hidden, mask = mask_pixels(rng, patch.image, spots=self.mask)
        values = np.concatenate([patch.image, mask[..., None]], axis=-1)
        given = {DENOISE: hidden, SEGMENT: patch.image}
        return given, {DENOISE: values, SEGMENT: self.encode(patch)}


@dataclass(frozen=True)
class DenoisedTarget(RestoredTarget):
    """The restored image that a network tells beside the three classes, behind these."""

    @property
    def outputs(self) -> dict[str, int]:
        return {"classes": CLASSES, "denoised": self.channels}

    @property
    def result_channels(self) -> slice:
        """Channels of the maps that hold the restored image."""
        return slice(CLASSES, CLASSES + self.channels)
