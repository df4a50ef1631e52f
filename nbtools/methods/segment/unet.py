"""U-Net: foreground or background at every pixel; nuclei are the connected regions, so that
touching ones stay one unless a gap is learned.

Ronneberger, Fischer & Brox 2015, doi:10.1007/978-3-319-24574-4_28; in 3D Çiçek et al. 2016,
doi:10.1007/978-3-319-46723-8_49. The preset `paper` is their architecture with padded convolutions,
so that the output is as large as the image; `small` has the same shape, in volumes at half the
resolution in the plane inside the network. Where the training images say which class a nucleus is
of, foreground is one output a class, and a nucleus has the class of most of its pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods._keras import KerasMethod
from nbtools.methods._segment import SMALLEST, SegmentSettings, softmax
from nbtools.targets import border, semantic
from nbtools.targets import classes as class_targets

FILTERS = {"tiny": (8, 16), "small": (16, 32, 64, 128)}
PAPER = {
    2: {"filters": (64, 128, 256, 512, 1024), "norm": "none", "upsampling": "transpose"},
    3: {"filters": (64, 128, 256, 512), "double_before_pooling": True, "upsampling": "transpose"},
}


@dataclass(frozen=True)
class UNetSettings(SegmentSettings):
    preset: str = setting(
        "small",
        choices=(*FILTERS, "paper"),
        help="Size of the network: small for two cores, paper as published.",
    )
    gap_weight: float = setting(
        10.0,
        min=0.0,
        max=100.0,
        level="advanced",
        help="How much more a pixel counts in a narrow gap between nuclei; 0: no weight map.",
    )


@final
class UNet(KerasMethod):
    Settings = UNetSettings
    learns_classes = True

    @property
    def loss(self) -> Callable:
        return losses.partial_label_ce_dice if self.domain.classes else losses.weighted_bce_dice

    def build(self) -> keras.Model:
        domain, preset = self.domain, self.settings.preset
        light = (
            nets.LIGHT_VOLUME
            if domain.ndim == 3 and preset == "small"
            else {"filters": FILTERS.get(preset)}
        )
        plan = PAPER[domain.ndim] if preset == "paper" else light
        strides = nets.plan_pooling(
            domain.ndim, domain.spacing, count=len(plan["filters"]) - 1, stem=plan.get("stem", (1,))
        )
        outputs = 1 + len(domain.classes)
        return nets.unet(
            domain.ndim, channels=domain.channels, outputs=outputs, strides=strides, **plan
        )

    def encode(self, label: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        weight = border.unet_weight_map(label, weight=self.settings.gap_weight, spacing=spacing)
        return np.concatenate([semantic.encode(label), weight[..., None]], axis=-1)

    def encode_classes(
        self, label: np.ndarray, spacing: tuple[float, ...], *, classes: dict[int, int]
    ) -> np.ndarray:
        weight = border.unet_weight_map(label, weight=self.settings.gap_weight, spacing=spacing)
        choice = class_targets.encode(label, classes, count=len(self.domain.classes))
        return np.concatenate([choice, weight[..., None]], axis=-1)

    def activate(self, raw: np.ndarray) -> np.ndarray:
        """Logits → probability of foreground, and of each class where there are some."""
        if not self.domain.classes:
            return 1 / (1 + np.exp(-raw))
        share = softmax(raw)
        return np.concatenate([1 - share[..., :1], share[..., 1:]], axis=-1)

    def decode(self, maps: np.ndarray, *, threshold: float, min_size: int) -> np.ndarray:
        return semantic.decode(maps, threshold=threshold, min_size=min_size)

    def class_channels(self) -> tuple[int, int] | None:
        return (1, 1 + len(self.domain.classes)) if self.domain.classes else None

    def tunable(self) -> dict:
        return {"threshold": 0.5, "min_size": 10}

    def candidates(self) -> dict:
        return {
            "threshold": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
            "min_size": SMALLEST[self.domain.ndim],
        }
