"""Retina U-Net: boxes by anchors on a pyramid of features that leads on to every single pixel.

After Jaeger et al. 2020, arXiv:1811.08661. The pyramid of RetinaNet goes on to the full resolution,
where it learns the foreground; so the labels that a detector of boxes throws away are used. A
nucleus is what its box holds of the foreground; where boxes overlap, a pixel goes to the box whose
middle is nearer. Published are cross-entropy with the hardest negatives, and clusters of boxes
weighted by their scores; here the scores have the focal loss, and of boxes that overlap the best
stays. The preset `paper` has the stages of ResNet-50, for planes, and levels of 192 channels as
published; its finest level is at half the resolution, and brought back by a learned upsampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import final

import keras
import numpy as np
from keras import layers

from nbtools import nets
from nbtools.methods.box_network import PRIOR
from nbtools.methods.box_pixel_network import BoxPixelNetwork, BoxPixelSettings, accumulate
from nbtools.methods.settings import preset_setting
from nbtools.nets.dense_prediction import finish
from nbtools.nets.pyramid import Strides, top_down
from nbtools.targets.box_pixels import PIXELS
from nbtools.targets.boxes import name_level

ENCODERS = {
    "tiny": {"filters": (4, 8, 12), "blocks": 1},
    "small": {"filters": (16, 32, 64, 96), "blocks": 1, "stem": (1, 2, 2)},
}
FEATURES = {"tiny": 8, "small": 32, "paper": 192}
CONVS = {"tiny": 1, "small": 1, "paper": 4}  # of each tower
FINEST = 4  # px per cell of the finest grid of boxes, in the plane
PUBLISHED = 5  # stages of ResNet-50


@dataclass(frozen=True)
class RetinaUNetSettings(BoxPixelSettings):
    preset: str = preset_setting(*FEATURES)


@final
class RetinaUNet(BoxPixelNetwork):
    """Retina U-Net: boxes on a pyramid that leads on to every pixel."""

    Settings = RetinaUNetSettings

    @property
    def config(self) -> SimpleNamespace:
        """Channels of the levels."""
        return SimpleNamespace(features=FEATURES[self.settings.preset])

    def steps(self) -> Strides:
        """Stride of the finest stage on the image, and of each on the one before."""
        if self.settings.preset == "paper":
            return ((2,) * self.domain.ndim,) * PUBLISHED
        plan = ENCODERS[self.settings.preset]
        stem = plan.get("stem", (1, 1, 1))
        return nets.plan_encoder(self.domain, levels=len(plan["filters"]), stem=stem)

    def plan(self) -> tuple[Strides, Strides]:
        """Strides of the stages on each other, and those of the grids of boxes on the image."""
        steps = self.steps()
        return steps, tuple(s for s in accumulate(steps) if s[-1] >= FINEST)

    def build(self) -> keras.Model:
        steps, grids = self.plan()
        if self.settings.preset == "paper":
            image, stages, _ = nets.paper_encoder_for(self.domain, "resnet50")
        else:
            image, stages, _ = nets.encoder_for(self.domain, **ENCODERS[self.settings.preset])
        levels = top_down(self.domain.ndim, stages, steps=steps, features=self.config.features)
        convs, ndim = CONVS[self.settings.preset], self.domain.ndim
        count = len(self.target().sizes)
        sides = count * 2 * ndim
        score = self.tower("score", convs=convs, outputs=count, bias=np.full(count, PRIOR))
        move = self.tower("move", convs=convs, outputs=sides, bias=np.zeros(sides))
        found = {PIXELS: finish(levels[0], 1, stride=steps[0])}
        for stride, x in zip(grids, levels[-len(grids) :], strict=True):
            name = name_level(stride)
            found[name] = layers.Concatenate(name=name)([score(x), move(x)])
        found[PIXELS] = layers.Identity(name=PIXELS)(found[PIXELS])
        return keras.Model(image, found, name="retina_unet")
