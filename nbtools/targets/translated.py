"""Translated images: of another kind than the input, paired with it or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nbtools.image import Image
from nbtools.patches import Example
from nbtools.results import Restored
from nbtools.targets.restored import RestoredTarget

HERE, THERE = "here", "there"  # the two kinds of images


@dataclass(frozen=True)
class PairedTarget(RestoredTarget):
    """The partner of an image, as pix2pix learns it: judged together with the image.

    `scale` is that of the partners.
    """

    named: tuple[str, ...] = ("near",)

    @property
    def outputs(self) -> dict[str, int]:
        return {"near": self.channels, "generated": 2 * self.channels}

    def encode(self, example: Example) -> dict[str, np.ndarray]:
        """The partner, and it behind the image, to be told from generated ones."""
        both = np.concatenate([example.image, example.clean], axis=-1)
        return {"near": example.clean, "real": both}

    def decode(self, maps: dict[str, np.ndarray]) -> Restored:
        """The generated image in grey values of the partners."""
        return super().decode(maps["near"])


@dataclass(frozen=True)
class CycleTarget(RestoredTarget):
    """An image of each of two kinds, that have nothing to do with each other.

    `scale` is that of the kind that is generated.
    """

    per_patch: ClassVar = True

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[dict, dict]:
        """One patch of each kind, which is all that is given, and all that is to come back."""
        both = {HERE: patch.image, THERE: patch.unpaired}
        return both, dict(both)

    def decode(self, maps: np.ndarray) -> Restored:
        """(*space, C) → grey values of the other kind of images."""
        found = self.scale.undo(maps).astype(np.float32, copy=False)
        return Restored(Image(found, self.axes + "C"))
