"""CycleGAN: images of another kind, learned without pairs, from two heaps of images.

Zhu et al. 2017, doi:10.1109/ICCV.2017.244. One generator makes images of the other kind, a second
brings them back; both ways must end where they began, and judges must not be able to tell what was
made. With the spatial constraint of SpCycleGAN (Fu et al. 2018, arXiv:1801.07198) a
third network must find the input in what was made of it: so nuclei stay where the mask has them,
and images made of masks can teach a segmenter. Images are `images/` (masks, or simulated images),
those of the other kind `unpaired/`. Nothing forbids a generator to invent nuclei or to hide them:
look, and score what is learned from its images on real labels. Differences from the paper: U-Nets
in place of residual networks, no memory of earlier images for the judges, planes and volumes alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools.config import setting
from nbtools.methods.translation import (
    Translation,
    TranslationSettings,
    make_cycle,
    make_generator,
)
from nbtools.targets.translated import CycleTarget
from nbtools.training import TrainingSettings, TrainStep
from nbtools.training.cycle import absolute


@dataclass(frozen=True)
class CycleGanSettings(TranslationSettings):
    cycle: float = setting(
        10.0,
        min=0.0,
        max=10**5,
        help="Weight of coming back to the image; being taken for real weighs 1.",
    )
    spatial: float = setting(
        10.0,
        min=0.0,
        max=10**5,
        help="Weight of finding the input in what was made of it (SpCycleGAN); 0: CycleGAN.",
    )


@final
class CycleGan(Translation):
    """CycleGAN: translation learned without pairs."""

    Settings, Target, needs = CycleGanSettings, CycleTarget, ("unpaired",)
    partner = "unpaired"

    def loss(self) -> Callable:
        return absolute

    def step(self, settings: TrainingSettings) -> TrainStep:
        """Both generators, both judges and the finder learn in one step."""
        chosen = self.settings
        weights = {"cycle": chosen.cycle, "spatial": chosen.spatial}
        about = {"preset": chosen.preset, "weights": weights, "settings": settings}
        return make_cycle(self.model, self.domain, **about)

    def build(self) -> keras.Model:
        return make_generator(self.domain, self.settings.preset)
