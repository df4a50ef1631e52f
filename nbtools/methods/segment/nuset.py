"""NuSeT: a U-Net, and at its bottom a proposer of regions whose boxes become markers.

After Yang et al. 2020, doi:10.1371/journal.pcbi.1008193. Boxes need not be exact: a marker in the
middle of each starts a watershed on the distance to the background, which divides nuclei that
touch; foreground without a box stays one nucleus. Anchors have the sizes of the training nuclei
where the published ones have seven ratios of their median. Left out are the second pass, with grey
values scaled by what the first one found, and the missing skip connection of the published network.
The published network is one of planes, with which its authors predict volumes slice by slice; here
volumes have a network of their own. The preset `paper` has the published widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import final

import keras
import numpy as np
from keras import layers

from nbtools import nets
from nbtools.methods.box_network import PRIOR
from nbtools.methods.box_pixel_network import BoxPixelNetwork, BoxPixelSettings, accumulate
from nbtools.methods.settings import preset_setting
from nbtools.nets.pyramid import Strides
from nbtools.targets.box_pixels import PIXELS, MarkerBoxTarget

NETWORKS = {
    "tiny": {"filters": (4, 8, 12), "convs": 1},
    "small": {"filters": (16, 32, 64, 128)},
    "paper": {"filters": (64, 128, 256, 512, 1024), "norm": "none", "upsampling": "transpose"},
}
REGIONS = {"tiny": 8, "small": 64, "paper": 512}  # channels of the proposer of regions


@dataclass(frozen=True)
class NuSeTSettings(BoxPixelSettings):
    preset: str = preset_setting(*NETWORKS)


@final
class NuSeT(BoxPixelNetwork):
    """NuSeT: a U-Net, and boxes as markers."""

    Settings, Target = NuSeTSettings, MarkerBoxTarget
    focal = False

    @property
    def config(self) -> SimpleNamespace:
        """Channels of the proposer of regions."""
        return SimpleNamespace(features=REGIONS[self.settings.preset])

    @property
    def network_plan(self) -> dict:
        """Fields of the U-Net."""
        if self.domain.ndim == 3 and self.settings.preset == "small":
            return dict(nets.LIGHT_VOLUME)
        return dict(NETWORKS[self.settings.preset])

    def plan(self) -> tuple[Strides, Strides]:
        """Strides of the levels on each other, and that of the bottom on the image."""
        plan, ndim = self.network_plan, self.domain.ndim
        stem, count = plan.get("stem", (1,) * 3), len(plan["filters"]) - 1
        pools = nets.plan_pooling(ndim, self.domain.spacing, count=count, stem=stem)
        pools = tuple((p,) * ndim if isinstance(p, int) else p for p in pools)
        steps = (tuple(stem[-ndim:]), *pools)
        return steps, (accumulate(steps)[-1],)

    def build(self) -> keras.Model:
        plan, ndim = self.network_plan, self.domain.ndim
        trunk = nets.unet_for(self.domain, outputs=1, **plan)
        bottom = f"enc{len(plan['filters']) - 1}_{plan.get('convs', 2) - 1}_act"
        count = len(self.target().sizes)
        bias = np.r_[np.full(count, PRIOR / 2), np.zeros(count * 2 * ndim)]
        regions = self.tower("regions", convs=1, outputs=len(bias), bias=bias)
        (name,) = self.target().names
        found = {
            name: layers.Identity(name=name)(regions(trunk.get_layer(bottom).output)),
            PIXELS: layers.Identity(name=PIXELS)(trunk.output),
        }
        return keras.Model(trunk.input, found, name="nuset")
