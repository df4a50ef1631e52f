"""Restored grey values: what every network that denoises or sharpens predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nbtools.image import Image
from nbtools.normalize import IDENTITY, Scale
from nbtools.patches import Example
from nbtools.results import Restored
from nbtools.targets.base import Target


@dataclass(frozen=True)
class RestoredTarget(Target):
    """Grey values on the scale of the training set; the result is in those of the input.

    Parameters
    ----------
    channels : of the images.
    scale : how grey values were normalised.
    named : name and channels of the network's outputs; () for the restored image alone.
    result : which of them is the result.
    """

    channels: int = 1
    scale: Scale = IDENTITY
    named: tuple[str, ...] = ("restored",)
    result: str = ""

    per_patch: ClassVar = True
    rescales: ClassVar = False
    time_points_apart: ClassVar = True

    @property
    def outputs(self) -> dict[str, int]:
        return dict.fromkeys(self.named, self.channels)

    def encode(self, example: Example) -> np.ndarray:
        """(*space, C) the clean partner."""
        return example.clean

    @property
    def result_channels(self) -> slice:
        """Channels of the maps that hold the restored image."""
        first = self.channels * (self.named.index(self.result) if self.result else 0)
        return slice(first, first + self.channels)

    def decode(self, maps: np.ndarray) -> Restored:
        """(*space, C) normalised → grey values."""
        restored = self.scale.undo(maps[..., self.result_channels])
        return Restored(Image(restored.astype(np.float32, copy=False), self.axes + "C"))
