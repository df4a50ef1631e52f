"""HRNet: branches of several resolutions side by side, none of which is ever given up.

Wang et al. 2020, doi:10.1109/TPAMI.2020.2983686. The preset `paper` is HRNetV2-W48 as published for
scenes of streets, which works at a quarter of the resolution; `small` at half of it in the plane,
since nuclei are small. Coarse branches are brought back by repetition in place of bilinear
interpolation, and the output by a learned upsampling. The review calls an adaptation to 3D no
simple task: here kernels, strides and exchanges have one axis more, and planes that lie apart are
halved later.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import final

import keras
import numpy as np

from nbtools import nets
from nbtools.methods.pixel_network import PixelNetwork, PixelSettings
from nbtools.methods.settings import preset_setting
from nbtools.nets import HRNetConfig

STEM = (1, 2, 2)
NETWORKS = {
    "tiny": HRNetConfig(widths=(4, 8), units=(1,), first=4),
    "small": HRNetConfig(widths=(24, 48, 96), units=(1, 1), first=24, stem=STEM),
    "paper": HRNetConfig(
        widths=(48, 96, 192, 384),
        units=(1, 4, 3),
        blocks=4,
        first=64,
        bottlenecks=4,
        halvings=2,
    ),
}
VOLUME = HRNetConfig(widths=(16, 32, 64), units=(1, 1), first=16, stem=STEM)


@dataclass(frozen=True)
class HRNetSettings(PixelSettings):
    preset: str = preset_setting(*NETWORKS)


@final
class HRNet(PixelNetwork):
    """HRNet: several resolutions side by side."""

    Settings = HRNetSettings

    def build(self) -> keras.Model:
        ndim, config = self.domain.ndim, NETWORKS[self.settings.preset]
        if ndim == 3 and self.settings.preset == "small":
            config = VOLUME
        stem = config.stem[-ndim:] or (1,) * ndim
        config = dataclasses.replace(config, stem=stem)
        spacing = tuple(np.array(self.domain.spacing or (1.0,) * ndim) * stem)
        strides = nets.plan_halvings(len(config.widths), spacing, ndim=ndim)
        about = {"channels": self.domain.channels, "outputs": self.outputs, "strides": strides}
        return nets.hrnet(ndim, config=config, **about)
