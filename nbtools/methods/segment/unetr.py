"""UNETR: a transformer looks at patches of the image, and a decoder leads back to its pixels.

Hatamizadeh et al. 2022, doi:10.1109/WACV51458.2022.00181. Every patch sees all others of its tile
from the first block on; what the blocks know at several depths takes the place of a U-Net's skip
connections. Places are learned for tiles of the size of the training patches; images are predicted
in such tiles, blended where they overlap. The preset `paper` has the published transformer (ViT-B
on patches of 16 px); `small` has patches of 8 px, smaller along an axis with large pixels, four
blocks of 96 channels, and batch normalisation in the decoder. Transformers learn slowly from few
images: compare with `border_unet` before you trust a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import keras
import numpy as np

from nbtools import nets
from nbtools.config import vary
from nbtools.methods.pixel_network import PixelNetwork, PixelSettings
from nbtools.methods.settings import preset_setting
from nbtools.nets import UNETRConfig

NETWORKS = {
    "tiny": UNETRConfig(width=16, depth=2, heads=2, hidden=16, features=4),
    "small": UNETRConfig(),
    "paper": UNETRConfig(width=768, depth=12, heads=12, hidden=3072, norm="instance"),
}
LEVELS = {"tiny": 3, "small": 3, "paper": 4}  # halvings from the image to a patch
VOLUME = 8  # channels of the small decoder for volumes, at full resolution


@dataclass(frozen=True)
class UNETRSettings(PixelSettings):
    preset: str = preset_setting(*NETWORKS)
    learning_rate: float = vary(PixelSettings, "learning_rate", default=1e-3)


@final
class UNETR(PixelNetwork):
    """UNETR: a transformer on patches, and a decoder back to the pixels."""

    Settings = UNETRSettings

    def build(self) -> keras.Model:
        ndim, preset = self.domain.ndim, self.settings.preset
        config = NETWORKS[preset]
        if ndim == 3 and preset == "small":
            config = replace(config, features=VOLUME)
        spacing = None if preset == "paper" else self.domain.spacing
        strides = nets.plan_halvings(LEVELS[preset] + 1, spacing, ndim=ndim)
        tile = self.tile_shape(np.prod(strides, axis=0))
        about = {"channels": self.domain.channels, "outputs": self.outputs, "strides": strides}
        return nets.unetr(ndim, tile=tile, config=config, **about)
