"""RCAN: restoration by residual channel attention, at full resolution, trained on pairs; 2D and 3D.

Zhang et al. 2018, doi:10.1007/978-3-030-01234-2_18; for volumes from microscopes Chen et al. 2021,
doi:10.1038/s41592-021-01155-x. Written from the descriptions. The attention looks at the mean of a
whole tile, so that tiles cannot equal the image in one piece: tiles have a fixed size, whatever
memory there is, overlap by a quarter and are blended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools import nets, normalize
from nbtools.config import setting
from nbtools.inference import FixedTile, Inference, TestTimeAugmentation, Tiled
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import RestoreSettings, preset_setting
from nbtools.targets.restored import RestoredTarget

NETWORKS = {
    "tiny": {"groups": 1, "blocks": 1, "width": 8},
    "small": {"groups": 2, "blocks": 2, "width": 24},
    "paper": {"groups": 5, "blocks": 3, "width": 32},
}
TILE = {2: (256, 256), 3: (32, 128, 128)}  # px


@dataclass(frozen=True)
class RcanSettings(RestoreSettings):
    preset: str = preset_setting(*NETWORKS)
    groups: int | None = setting(
        None, min=1, max=50, level="advanced", help="Residual groups; empty: as the preset has."
    )
    blocks: int | None = setting(
        None,
        min=1,
        max=50,
        level="advanced",
        help="Attention blocks a group; empty: as the preset has.",
    )


@final
class Rcan(KerasMethod):
    """RCAN: restoring by residual channel attention."""

    Settings, Target = RcanSettings, RestoredTarget
    needs, normalization = ("clean",), normalize.SET_RANGE

    def loss(self) -> Callable:
        return keras.losses.mean_absolute_error

    def build(self) -> keras.Model:
        plan, channels = dict(NETWORKS[self.settings.preset]), self.domain.channels
        for name in ("groups", "blocks"):
            if getattr(self.settings, name) is not None:
                plan[name] = getattr(self.settings, name)
        return nets.rcan(self.domain.ndim, channels=channels, outputs=channels, **plan)

    def inference(self) -> Inference:
        tiles = FixedTile(Tiled(self.field), TILE[self.domain.ndim])
        return TestTimeAugmentation(tiles, self.settings.tta)
