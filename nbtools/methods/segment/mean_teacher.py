"""Mean teacher: images without labels teach, too, by what the network's own average finds in them.

Tarvainen & Valpola 2017, arXiv:1703.01780. A border U-Net (the student) learns background, inside
and border from the images with labels. In all images it is to find, in a view of other contrast,
blur and noise, what the running average of its own weights (the teacher) finds in the patch as it
is. The step is one for any network that segments (`training.MeanTeacher`). It teaches what does
not change with contrast and noise; what the teacher never finds, the student never learns, and
with labels for all images there is little to gain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods.settings import border_weight_setting, preset_setting
from nbtools.methods.unlabelled import LearnsUnlabelled, UnlabelledSettings
from nbtools.targets.border import BorderTarget
from nbtools.targets.two_views import TwoViewsTarget
from nbtools.training import MeanTeacher, TrainingSettings, TrainStep

FILTERS = {"tiny": (8, 16), "small": (16, 32, 64, 128)}


@dataclass(frozen=True)
class MeanTeacherSettings(UnlabelledSettings, parameters=BorderTarget.parameters):
    preset: str = preset_setting(*FILTERS, help="Size of the network: small for two cores.")
    border_weight: float = border_weight_setting(5.0)
    consistency: float = setting(
        1.0,
        min=0.0,
        max=1000.0,
        help="Weight of the difference to the teacher in the loss; 0: labels alone.",
    )
    ramp: int = setting(
        200,
        min=0,
        max=10**6,
        level="advanced",
        help="Steps until the teacher has its full weight.",
    )
    memory: float = setting(
        0.99,
        min=0.0,
        max=0.9999,
        level="advanced",
        help="Share of the teacher's weights that stays in a step.",
    )


@final
class MeanTeacherUNet(LearnsUnlabelled):
    """Mean teacher: a border U-Net that its own average teaches."""

    Settings, Target = MeanTeacherSettings, TwoViewsTarget

    def loss(self) -> Callable:
        return losses.weighted_cross_entropy

    def step(self, settings: TrainingSettings) -> TrainStep:
        """The network learns from labels and from its average."""
        chosen = self.settings
        weights = (chosen.consistency, chosen.ramp, chosen.memory)
        about = {"activate": self.target().activate, "weights": weights, "settings": settings}
        return MeanTeacher(self.model, self.loss(), **about)

    def build(self) -> keras.Model:
        plan = {"filters": FILTERS[self.settings.preset]}
        if self.domain.ndim == 3 and self.settings.preset == "small":
            plan = dict(nets.LIGHT_VOLUME)
        return nets.unet_for(self.domain, outputs=len(self.target().outputs), **plan)
