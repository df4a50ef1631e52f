"""Fast nuclei: foreground and normalised distance on a compact network, parted where the distance
has valleys; minutes on two cores.

The network works at half the resolution of the image in the plane (a strided stem, a learned
upsampling at the end), so that each step costs a quarter. Images whose nuclei are small or large
for it are looked at again, magnified or reduced. Distance target as in Naylor et al. 2019,
doi:10.1109/TMI.2018.2865709, normalised nucleus by nucleus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods import _looks
from nbtools.methods._segment import SMALLEST, SegmentSettings
from nbtools.targets import distance

FILTERS = {"tiny": (8, 16, 32), "small": (24, 48, 96, 192), "paper": (32, 64, 128, 256)}
STEM = (1, 2, 2)


@dataclass(frozen=True)
class FastNucleiSettings(SegmentSettings):
    patch_size: int | None = setting(
        None,
        unit="px",
        min=16,
        max=4096,
        step=16,
        help="Side of a training patch in the plane; empty: 96, in volumes 64.",
    )
    preset: str = setting(
        "small", choices=tuple(FILTERS), help="Size of the network: small for two cores."
    )
    split: float | None = setting(
        None,
        min=0.01,
        max=0.9,
        help=(
            "Depth of the valley of distance that parts two nuclei; chosen on validation images "
            "if empty."
        ),
    )
    closer: bool = _looks.CLOSER


@final
class FastNuclei(_looks.LookingMethod):
    Settings = FastNucleiSettings
    loss = staticmethod(losses.foreground_distance)
    contradict = staticmethod(distance.self_consistency_error)
    usual: ClassVar[dict] = {
        "patch_size": {2: 96, 3: 64},
        "batch_size": {2: 4, 3: 2},
    }  # many small steps learn sooner than few large ones

    def build(self) -> keras.Model:
        domain, filters = self.domain, FILTERS[self.settings.preset]
        plan = {
            "filters": filters,
            "stem": STEM[-domain.ndim :],
            "skip_mode": "add",
            "decoder_convs": 1,
        }
        strides = nets.plan_pooling(domain.ndim, domain.spacing, count=len(filters) - 1, stem=STEM)
        return nets.unet(domain.ndim, channels=domain.channels, outputs=2, strides=strides, **plan)

    def encode(self, label: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        return distance.encode(label, spacing=spacing)

    def activate(self, raw: np.ndarray) -> np.ndarray:
        return np.stack([1 / (1 + np.exp(-raw[..., 0])), np.clip(raw[..., 1], 0, 1)], axis=-1)

    def decode(
        self, maps: np.ndarray, *, threshold: float, split: float, min_size: int
    ) -> np.ndarray:
        return distance.decode(maps, threshold=threshold, split=split, min_size=min_size)

    def tunable(self) -> dict:
        return {"threshold": 0.5, "split": 0.15, "min_size": 10}

    def candidates(self) -> dict:
        splits = (0.05, 0.08, 0.11, 0.15, 0.2, 0.25, 0.3)
        return {
            "split": splits,
            "threshold": (0.3, 0.4, 0.5, 0.6, 0.7),
            "min_size": SMALLEST[self.domain.ndim],
        }
