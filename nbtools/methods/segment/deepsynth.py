"""DeepSynth: a segmenter that learns from images made of simulated masks, without a label of yours.

After Dunn et al. 2019, doi:10.1038/s41598-019-54244-5, and Fu et al. 2018, arXiv:1801.07198. A
translator (CycleGAN with the spatial constraint) learns to make images of masks that look like the
real ones in `unpaired/`; from the made images and the nuclei of the masks a U-Net learns to
segment. Both learn in every step. Labels come from `nbtools simulate`, whose images are not used;
the real images need none. Whether nuclei of the masks are really seen in what was made of them,
nobody has checked: score the model on a few real labels, beside one trained on the plain
simulation. Differences from the paper: planes and volumes as they are, not slices put together;
foreground and distance in place of foreground and a watershed of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import keras

from nbtools import losses, nets, normalize
from nbtools.config import setting, vary
from nbtools.data import DataSet
from nbtools.methods import domain
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings
from nbtools.methods.translation import (
    GENERATORS,
    GeneratorSettings,
    choose_others,
    make_cycle,
    make_generator,
)
from nbtools.targets.synthesis import SynthesisTarget
from nbtools.training import Supervised, Synthesis, TrainingSettings, TrainStep


@dataclass(frozen=True)
class DeepSynthSettings(GeneratorSettings, parameters=SynthesisTarget.parameters):
    augmentation: str = vary(
        NetworkSettings,
        "augmentation",
        default="flips",
        choices=("none", "mirrors", "flips", "turns"),
        help="How masks and images are varied; grey values stay: they are what is learned.",
    )
    cycle: float = setting(
        10.0, min=0.0, max=10**5, help="Weight of coming back to the mask or the image."
    )
    spatial: float = setting(
        10.0,
        min=0.0,
        max=10**5,
        help="Weight of finding the mask in the image that was made of it.",
    )


@final
class DeepSynth(KerasMethod):
    """DeepSynth: segmentation learned from images that are made of masks."""

    Settings, Target = DeepSynthSettings, SynthesisTarget
    needs, normalization = ("labels", "unpaired"), normalize.SET_MOMENTS

    def prepare(self, train: DataSet) -> None:
        """Images to predict are compared with the real ones, not with the simulation's."""
        super().prepare(train)
        real = domain.describe(choose_others(train, "unpaired"))
        self.domain = replace(self.domain, grey=real.grey)

    def measure_scale(self, train: DataSet) -> None:
        """Grey values are scaled as the real images have them."""
        super().measure_scale(choose_others(train, "unpaired"))

    def loss(self) -> Callable:
        return losses.foreground_distance

    def step(self, settings: TrainingSettings) -> TrainStep:
        """The translator learns, and the segmenter from what it makes."""
        chosen = self.settings
        weights = {"cycle": chosen.cycle, "spatial": chosen.spatial}
        about = {"preset": chosen.preset, "weights": weights, "settings": settings}
        translator = make_generator(self.domain, chosen.preset, name="translator")
        cycle = make_cycle(translator, self.domain, **about)
        return Synthesis(cycle, Supervised(self.model, self.loss(), settings))

    def build(self) -> keras.Model:
        filters = GENERATORS[self.settings.preset]
        return nets.unet_for(self.domain, outputs=2, filters=filters)
