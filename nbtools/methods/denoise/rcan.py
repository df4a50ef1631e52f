"""RCAN: restore with residual channel attention, at full resolution, from pairs of a noisy and a
clean image; 2D and 3D.

Zhang et al. 2018, doi:10.1007/978-3-030-01234-2_18; for volumes from microscopes Chen et al. 2021,
doi:10.1038/s41592-021-01155-x. Written from the descriptions. The attention looks at the mean of a
whole tile, so that tiles cannot equal the image in one piece: tiles have a fixed size, whatever
memory there is, overlap by a quarter and are blended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import keras
import numpy as np

from nbtools import nets, normalize
from nbtools.config import setting
from nbtools.methods._restore import RestoreMethod, RestoreSettings

NETWORKS = {
    "tiny": {"groups": 1, "blocks": 1, "width": 8},
    "small": {"groups": 2, "blocks": 2, "width": 24},
    "paper": {"groups": 5, "blocks": 3, "width": 32},
}
LOW, HIGH = 2.0, 99.9  # percentiles of the training images that become -1 and 1
TILE = {2: (256, 256), 3: (32, 128, 128)}  # px


@dataclass(frozen=True)
class RcanSettings(RestoreSettings):
    preset: str = setting(
        "small",
        choices=tuple(NETWORKS),
        help="Size of the network: small for two cores, paper as published.",
    )
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
class Rcan(RestoreMethod):
    Settings = RcanSettings
    needs = "clean"
    loss = staticmethod(keras.losses.mean_absolute_error)

    def build(self) -> keras.Model:
        settings, domain = self.settings, self.domain
        chosen = {
            k: v
            for k, v in (("groups", settings.groups), ("blocks", settings.blocks))
            if v is not None
        }
        return nets.rcan(
            domain.ndim,
            channels=domain.channels,
            outputs=domain.channels,
            **NETWORKS[settings.preset] | chosen,
        )

    def measure_scale(self, images: list[np.ndarray]) -> normalize.Scale:
        """Most grey values of the training set to -1 … 1.  images : (*space, C) each."""
        found = normalize.by_percentiles(
            np.concatenate([i.reshape(-1, 1, i.shape[-1]) for i in images]), low=LOW, high=HIGH
        )
        half = tuple(f / 2 for f in found.factor)
        return normalize.Scale(tuple(o + h for o, h in zip(found.offset, half, strict=True)), half)

    def fixed_tile(self) -> tuple[int, ...]:
        return TILE[self.domain.ndim]
