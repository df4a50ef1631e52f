"""Caicedo's ensemble: several U-Nets of three classes, averaged, and a map of where they disagree.

After the winners of the 2018 Data Science Bowl (Caicedo et al. 2019,
doi:10.1038/s41592-019-0612-7), who averaged 32 U-Nets; each class map is that of Caicedo et al.
2019, doi:10.1002/cyto.a.23863. Members have different first weights and, but in the preset `paper`,
different networks: some work at full resolution, some at half of it and see farther. The published
encoders were large and had learned from photographs; here members begin at random, and `paper` is
the three-level network of the second reference in each. All learn from the same patches, so
that the ensemble costs its members' time. With `--raw`, the last map is the standard deviation
between members.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import final

import keras

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods.border_settings import BorderSettings
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import preset_setting
from nbtools.targets.border import CLASSES
from nbtools.targets.disagreement import EnsembleTarget

HALF = {"stem": (1, 2, 2), "skip_mode": "add"}  # works at half the resolution in the plane
MEMBERS = {
    "tiny": ({"filters": (4, 8)}, {"filters": (4, 8), "convs": 1}),
    "small": ({"filters": (16, 32, 64)}, {"filters": (24, 48, 96, 128), **HALF}),
    "paper": ({"filters": (64, 128, 256, 512)},),
}
VOLUME = (
    {"filters": (16, 32, 64), "decoder_convs": 1, **HALF},
    {"filters": (24, 48, 96), "convs": 1, **HALF},
)


@dataclass(frozen=True)
class CaicedoSettings(BorderSettings):
    preset: str = preset_setting(
        *MEMBERS, help="Size of each network: small for two cores, paper as published."
    )
    members: int = setting(
        4, min=2, max=32, help="Networks that are averaged; each costs its time."
    )


@final
class Caicedo(KerasMethod):
    """An ensemble of U-Nets: background, inside, border, and where the members disagree."""

    Settings, Target = CaicedoSettings, EnsembleTarget

    def loss(self) -> Callable:
        return losses.weighted_cross_entropy

    def build(self) -> keras.Model:
        plans = MEMBERS[self.settings.preset]
        if self.domain.ndim == 3 and self.settings.preset == "small":
            plans = VOLUME
        each = islice(cycle(plans), self.settings.members)
        networks = {
            f"member{i}": nets.unet_for(self.domain, outputs=CLASSES, **plan)
            for i, plan in enumerate(each)
        }
        return nets.side_by_side(networks)
