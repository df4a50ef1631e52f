"""What the methods share that learn from images alone, to start other networks: U-Nets."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from nbtools import nets
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting

FILTERS = {"tiny": (8, 16), "small": (16, 32, 64, 128), "paper": (64, 128, 256, 512)}


@dataclass(frozen=True)
class PretrainingSettings(NetworkSettings):
    """Settings of every pretraining; presets are those of the U-Nets that it starts."""

    preset: str = preset_setting(*FILTERS, help="Size of the network, as that to be started.")


class Pretraining(KerasMethod):
    """A method that learns from images alone, so that its encoder can start another network.

    `nbtools train METHOD DATASET --init MODEL --init-parts encoder`; grey values are scaled as
    networks that segment have them.
    """

    Settings = PretrainingSettings
    needs = ()

    def build(self) -> keras.Model:
        plan = {"filters": FILTERS[self.settings.preset]}
        if self.domain.ndim == 3 and self.settings.preset == "small":
            plan = dict(nets.LIGHT_VOLUME)
        return nets.unet_for(self.domain, outputs=sum(self.target().outputs.values()), **plan)
