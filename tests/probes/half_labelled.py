"""A segmenter that is content with labels for some of its images."""

from dataclasses import dataclass

from nbtools import losses, nets
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings
from nbtools.targets.foreground import ForegroundTarget


@dataclass(frozen=True)
class HalfLabelledSettings(NetworkSettings, parameters=ForegroundTarget.parameters):
    pass


class HalfLabelledProbe(KerasMethod):
    Settings, Target, welcomes = HalfLabelledSettings, ForegroundTarget, ("unlabelled",)

    def loss(self):
        return losses.weighted_bce_dice

    def build(self):
        return nets.unet_for(self.domain, outputs=1, filters=(8, 16))
