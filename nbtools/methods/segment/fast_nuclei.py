"""Fast nuclei: foreground and normalised distance on a compact network, parted by a watershed; minutes on two cores.

The network works at half the resolution of the image in the plane (a strided stem, a learned upsampling at the end), so that each step
costs a quarter. Distance target as in Naylor et al. 2019, doi:10.1109/TMI.2018.2865709, normalised nucleus by nucleus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods._keras import KerasMethod
from nbtools.methods._segment import SMALLEST, SegmentSettings
from nbtools.targets import distance

WIDTHS = {"tiny": (8, 16, 32), "small": (32, 64, 128, 192), "paper": (32, 64, 128, 256)}
STEM = (1, 2, 2)


@dataclass(frozen=True)
class FastNucleiSettings(SegmentSettings):
    preset: str = setting("small", choices=tuple(WIDTHS), help="Size of the network: small for two cores.")
    seed: float | None = setting(
        None, min=0.05, max=0.95, help="Distance above which a nucleus has its core; chosen on validation images if empty."
    )


@final
class FastNuclei(KerasMethod):
    Settings = FastNucleiSettings
    loss = staticmethod(losses.foreground_distance)

    def build(self) -> keras.Model:
        domain, widths = self.domain, WIDTHS[self.settings.preset]
        plan = {"widths": widths, "stem": STEM[-domain.ndim :], "merge": "add", "up_convs": 1}
        strides = nets.plan_pooling(domain.ndim, domain.spacing, count=len(widths) - 1, stem=STEM)
        return nets.unet(domain.ndim, channels=domain.channels, outputs=2, strides=strides, **plan)

    def encode(self, label: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        return distance.encode(label, spacing=spacing)

    def activate(self, raw: np.ndarray) -> np.ndarray:
        return np.stack([1 / (1 + np.exp(-raw[..., 0])), np.clip(raw[..., 1], 0, 1)], axis=-1)

    def decode(self, maps: np.ndarray, *, threshold: float, seed: float, min_size: int) -> np.ndarray:
        return distance.decode(maps, threshold=threshold, seed=seed, min_size=min_size)

    def tunable(self) -> dict:
        return {"threshold": 0.5, "seed": 0.5, "min_size": 10}

    def candidates(self) -> dict:
        return {"seed": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8), "threshold": (0.3, 0.4, 0.5, 0.6, 0.7), "min_size": SMALLEST[self.domain.ndim]}
