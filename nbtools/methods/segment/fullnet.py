"""FullNet: the full resolution is kept, dilated convolutions see far, and nuclei are to be even.

Qu et al. 2019, doi:10.1007/978-3-030-32239-7_42. Beside the cross-entropy of background, inside and
border, the loss holds the variance of what is predicted within each nucleus, so that a nucleus is
found as a whole or not at all. The preset `paper` has the published seven blocks of six layers;
dilations around 4 and 8 are sets of our own between those that are published. `small` has four
blocks of three layers, and in volumes it works at half the resolution in the plane. With
learns=classes there are no nuclei, and the loss is cross-entropy and Dice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import keras

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods.pixel_network import PixelNetwork, PixelSettings
from nbtools.methods.settings import preset_setting
from nbtools.nets import FullNetConfig
from nbtools.targets.numbered_pixels import MOST_NUCLEI, NumberedPixelTarget

PLAIN, TWO = (1,) * 6, (1, 2, 3, 1, 2, 3)
FOUR, EIGHT = (3, 4, 5, 3, 4, 5), (5, 7, 8, 9, 10, 11)
SIXTEEN = (10, 13, 16, 17, 19, 21)
NETWORKS = {
    "tiny": FullNetConfig(dilations=((1, 2),), growth=4, first=4),
    "small": FullNetConfig(),
    "paper": FullNetConfig(
        dilations=(PLAIN, TWO, FOUR, EIGHT, SIXTEEN, FOUR, PLAIN),
        growth=24,
        first=24,
        dropout=0.1,
    ),
}
STEM = (1, 2, 2)  # of the small network for volumes


@dataclass(frozen=True)
class FullNetSettings(PixelSettings):
    preset: str = preset_setting(*NETWORKS)
    variance_weight: float = setting(
        1.0,
        min=0.0,
        max=100.0,
        level="advanced",
        help="How much the variance within each nucleus counts; 0 leaves it out.",
    )


@final
class FullNet(PixelNetwork):
    """FullNet: full resolution, dilations, and even nuclei."""

    Settings, Target = FullNetSettings, NumberedPixelTarget

    def loss(self) -> Callable:
        if self.learns_pixels:
            return super().loss()
        return losses.even_nuclei(MOST_NUCLEI, weight=self.settings.variance_weight)

    def build(self) -> keras.Model:
        ndim, config = self.domain.ndim, NETWORKS[self.settings.preset]
        if ndim == 3 and self.settings.preset == "small":
            config = replace(config, stem=STEM)
        about = {"channels": self.domain.channels, "outputs": self.outputs}
        return nets.fullnet(ndim, spacing=self.domain.spacing, config=config, **about)
