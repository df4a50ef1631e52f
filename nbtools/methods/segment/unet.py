"""U-Net: foreground or background at every pixel; nuclei are the connected regions.

Touching nuclei stay one unless a gap is learned.

Ronneberger, Fischer & Brox 2015, doi:10.1007/978-3-319-24574-4_28; in 3D Çiçek et al. 2016,
doi:10.1007/978-3-319-46723-8_49. The preset `paper` is their architecture with padded convolutions,
so that the output is as large as the image; `small` has the same shape, in volumes at half the
resolution in the plane inside the network. Where the training images have classes of nuclei,
foreground is one output per class, and a nucleus has the class of most of its pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.targets.foreground import ForegroundTarget

FILTERS = {"tiny": (8, 16), "small": (16, 32, 64, 128)}
PAPER = {
    2: {"filters": (64, 128, 256, 512, 1024), "norm": "none", "upsampling": "transpose"},
    3: {"filters": (64, 128, 256, 512), "double_before_pooling": True, "upsampling": "transpose"},
}


@dataclass(frozen=True)
class UNetSettings(NetworkSettings, parameters=ForegroundTarget.parameters):
    preset: str = preset_setting(*FILTERS, "paper")
    gap_weight: float = setting(
        10.0,
        min=0.0,
        max=100.0,
        level="advanced",
        help=("How much more a pixel counts in a narrow gap between nuclei; 0: no weight map."),
    )


@final
class UNet(KerasMethod):
    """U-Net: foreground and its connected regions."""

    Settings, Target = UNetSettings, ForegroundTarget
    learns_classes = True

    def loss(self) -> Callable:
        return losses.partial_label_ce_dice if self.domain.classes else losses.weighted_bce_dice

    def build(self) -> keras.Model:
        preset, plan = self.settings.preset, {"filters": FILTERS.get(self.settings.preset)}
        if preset == "paper":
            plan = PAPER[self.domain.ndim]
        elif preset == "small" and self.domain.ndim == 3:
            plan = nets.LIGHT_VOLUME
        outputs = sum(self.target().outputs.values())
        return nets.unet_for(self.domain, outputs=outputs, **plan)
