"""pix2pix: an image of another kind, learned from pairs, with a judge of what looks real.

Isola et al. 2017, doi:10.1109/CVPR.2017.632: fluorescence from transmitted light (label-free
prediction), or images from masks. A U-Net is to come near the partner, and a second network, which
sees image and partner together, must not be able to tell its images from real ones. What the image
does not say, the network invents: the structure is that of the training set, whether it is there
or not. Pairs are `images/` and `clean/` (or `targets/`) of one field of view. Differences from the
paper: batch normalisation in place of dropout as the only noise, and small networks (`small`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import keras

from nbtools.config import setting
from nbtools.inference import Inference, Tiled
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.methods.translation import (
    Translation,
    TranslationSettings,
    make_adversarial,
    make_generator,
    nearness_loss,
    pair_output,
)
from nbtools.targets.translated import PairedTarget
from nbtools.training import TrainingSettings, TrainStep


@dataclass(frozen=True)
class Pix2PixSettings(TranslationSettings):
    nearness: float = setting(
        100.0,
        min=0.0,
        max=10**5,
        help="Weight of the absolute difference to the partner; being taken for real weighs 1.",
    )


@final
class Pix2Pix(Translation):
    """pix2pix: translation learned from pairs."""

    Settings, Target, needs = Pix2PixSettings, PairedTarget, ("paired",)
    partner = "clean"

    def loss(self) -> dict[str, Callable]:
        return nearness_loss(self.settings.nearness)

    def step(self, settings: TrainingSettings) -> TrainStep:
        """Generator and judge learn in turn."""
        chosen = self.settings
        about = {"preset": chosen.preset, "nearness": chosen.nearness}
        return make_adversarial(self.model, **about, settings=settings)

    def inference(self) -> Inference:
        return Tiled(replace(measure_receptive_field(self.model), outputs=2.0))

    def build(self) -> keras.Model:
        net = make_generator(self.domain, self.settings.preset)
        return pair_output(net, name="pix2pix")
