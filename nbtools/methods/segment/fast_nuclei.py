"""Fast nuclei: foreground and normalised distance by a compact network, trained in minutes.

Valleys of the distance split touching nuclei.

The network works at half the resolution of the image in the plane (a strided stem, a learned
upsampling at the end), so that each step costs a quarter. Planes whose nuclei are small or large
for it are predicted again, enlarged or reduced. Distance target as in Naylor et al. 2019,
doi:10.1109/TMI.2018.2865709, normalised nucleus by nucleus. Where the training images have classes
of nuclei, the network predicts them, too (`targets.class_head`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import keras

from nbtools import losses
from nbtools.config import vary
from nbtools.inference.scale_search import AUTO_SCALE
from nbtools.methods.compact_unet import FILTERS, build_network
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.targets.distance import DistanceTarget


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
    learns_classes = True

    def loss(self) -> Callable:
        return losses.with_classes(losses.foreground_distance, self.target().outputs)

    def build(self) -> keras.Model:
        outputs = sum(self.target().outputs.values())
        return build_network(self.domain, self.settings.preset, outputs=outputs)
