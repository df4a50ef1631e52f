"""Mesmer: a pyramid of features with two heads, the way to the middle of a nucleus and its edge.

After Greenwald et al. 2022, doi:10.1038/s41587-021-01094-0, from the paper alone. One head tells
how near the middle of its nucleus a pixel is; it has one hill per nucleus, from whose top a
watershed starts. The other tells background, inside and edge, where the watershed ends. The
published network has a pair of heads for whole cells and one for nuclei, and is given membranes,
too; here there is one pair, which learns whatever the label images hold, and an image has the
channels that it has. Grey values are scaled as in the whole toolkit. The preset `paper` has the
stages of ResNet-50, for planes, a pyramid of 256 and heads of 128 channels; it begins at a quarter
of the resolution, and is brought back by a learned upsampling. In volumes, `small` works at half
the resolution in the plane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools import losses, nets
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.nets import DecoderConfig
from nbtools.targets.border import CLASSES
from nbtools.targets.inner_distance import InnerDistanceTarget

ENCODERS = {
    "tiny": {"filters": (8, 16), "blocks": 1},
    "small": {"filters": (16, 32, 64, 96), "blocks": 1, "stem": (1, 2, 2)},
}
DECODERS = {
    "tiny": DecoderConfig(features=8, head=8),
    "small": DecoderConfig(features=24, head=12),
    "paper": DecoderConfig(features=256, head=128),
}
HEADS = {"inner_distance": 1, "classes": CLASSES}


@dataclass(frozen=True)
class MesmerSettings(NetworkSettings, parameters=InnerDistanceTarget.parameters):
    preset: str = preset_setting(*DECODERS)


@final
class Mesmer(KerasMethod):
    """Mesmer: nearness to the middle, and edges, from one pyramid."""

    Settings, Target = MesmerSettings, InnerDistanceTarget

    def loss(self) -> Callable:
        return losses.inner_distance

    def build(self) -> keras.Model:
        preset = self.settings.preset
        if preset == "paper":
            found = nets.paper_encoder_for(self.domain, "resnet50", first=1)
        else:
            found = nets.encoder_for(self.domain, **ENCODERS[preset])
        image, stages, steps = found
        return nets.panoptic(image, stages, steps=steps, heads=HEADS, config=DECODERS[preset])
