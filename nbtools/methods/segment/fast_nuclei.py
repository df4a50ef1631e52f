"""Fast nuclei: foreground and normalised distance by a compact network, trained in minutes.

Valleys of the distance split touching nuclei.

The network works at half the resolution of the image in the plane (a strided stem, a learned
upsampling at the end), so that each step costs a quarter. Planes whose nuclei are small or large
for it are predicted again, enlarged or reduced. Distance target as in Naylor et al. 2019,
doi:10.1109/TMI.2018.2865709, normalised nucleus by nucleus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import keras

from nbtools import losses, nets
from nbtools.config import vary
from nbtools.inference.scale_search import AUTO_SCALE
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.targets.distance import DistanceTarget

FILTERS = {"tiny": (8, 16, 32), "small": (24, 48, 96, 192), "paper": (32, 64, 128, 256)}
STEM = (1, 2, 2)


@dataclass(frozen=True)
class FastNucleiSettings(NetworkSettings, parameters=DistanceTarget.parameters):
    # many small steps learn sooner than few large ones
    defaults_by_ndim: ClassVar = {"patch_size": {2: 96, 3: 64}, "batch_size": {2: 4, 3: 2}}

    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side of a training patch in the plane; empty: 96, in volumes 64.",
    )
    preset: str = preset_setting(*FILTERS, help="Size of the network: small for two cores.")
    auto_scale: bool = AUTO_SCALE


@final
class FastNuclei(KerasMethod):
    """Fast nuclei: foreground and distance on a compact U-Net."""

    Settings, Target = FastNucleiSettings, DistanceTarget

    def loss(self) -> Callable:
        return losses.foreground_distance

    def build(self) -> keras.Model:
        plan = {"filters": FILTERS[self.settings.preset], "stem": STEM}
        return nets.unet_for(self.domain, outputs=2, skip_mode="add", decoder_convs=1, **plan)
