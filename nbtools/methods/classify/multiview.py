"""Volumes seen from three sides: projections through one shared 2D network.

Maximum and mean along each axis give three pictures of a nucleus; one small ResNet looks at each,
and what it finds in them is averaged (late fusion, as of Su et al. 2015, arXiv:1505.00880, of views
of 3D shapes). It has fewer weights than a network of volumes, and no way to see what lies behind
something bright.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import keras

from nbtools import nets
from nbtools.methods.class_network import ClassNetwork, ClassNetworkSettings
from nbtools.methods.settings import preset_setting

NETWORKS = {
    "tiny": {"filters": (8, 16), "blocks": 1},
    "small": {"filters": (12, 24, 48), "blocks": 1},
    "large": {"filters": (32, 64, 128, 256), "blocks": 2},
}


@dataclass(frozen=True)
class MultiviewSettings(ClassNetworkSettings):
    preset: str = preset_setting(
        *NETWORKS, help="Size of the network: small for two cores, large for a graphics card."
    )


@final
class Multiview(ClassNetwork):
    """Three projections through one network."""

    Settings = MultiviewSettings

    def build(self) -> keras.Model:
        plan = NETWORKS[self.settings.preset] | self.network_plan
        spacing = self.domain.spacing if self.domain.ndim == 3 else None
        return nets.three_views(spacing=spacing, **plan)
