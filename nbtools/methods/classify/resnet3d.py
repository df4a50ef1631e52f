"""ResNet in 3D: volumes of single nuclei, as they are.

He et al. 2016, arXiv:1512.03385, with 3D convolutions. Where planes are coarse, the first halvings
leave them alone, until a voxel is as wide as it is deep. Channels may be grey values and the
outline of the nucleus (`nbtools crop --mask channel`). In 2022 the review found nothing published
on classes of nuclei in 3D; since then there is CellCycleNet (Li et al. 2025,
doi:10.26508/lsa.202403067), on G1 against S and G2 from DAPI, with its code and data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import keras

from nbtools.methods.class_network import ClassNetwork, ClassNetworkSettings
from nbtools.methods.settings import preset_setting

NETWORKS = {
    "tiny": {"filters": (4, 8), "blocks": 1},
    "small": {"filters": (8, 16, 32), "blocks": 1},
    "large": {"filters": (16, 32, 64, 128), "blocks": 2},
}


@dataclass(frozen=True)
class ResNet3DSettings(ClassNetworkSettings):
    preset: str = preset_setting(
        *NETWORKS, help="Size of the network: small for two cores, large for a graphics card."
    )


@final
class ResNet3D(ClassNetwork):
    """ResNet for volumes of single nuclei."""

    Settings = ResNet3DSettings

    def build(self) -> keras.Model:
        return self.build_pooled("residual", NETWORKS, ndim=3)
