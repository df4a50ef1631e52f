"""Border U-Net: background, inside and border as three classes; the border parts nuclei that touch,
and is given back to them.

Caicedo et al. 2019, doi:10.1002/cyto.a.23863; several networks from different seeds, averaged, as
the winners of the 2018 Data Science Bowl did with larger ones (Caicedo et al. 2019,
doi:10.1038/s41592-019-0612-7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods._keras import KerasMethod
from nbtools.methods._segment import SMALLEST, SegmentSettings, softmax
from nbtools.targets import border

FILTERS = {"tiny": (8, 16), "small": (16, 32, 64, 128), "paper": (64, 128, 256, 512)}
CLASSES = 3


@dataclass(frozen=True)
class BorderUNetSettings(SegmentSettings):
    preset: str = setting(
        "small",
        choices=tuple(FILTERS),
        help="Size of the network: small for two cores, paper as published.",
    )
    ensemble: int = setting(
        1,
        min=1,
        max=32,
        help=(
            "Networks with different first weights, trained together and averaged; each costs "
            "its time."
        ),
    )
    border: str = setting(
        "outer",
        choices=("outer", "inner"),
        help="Whether a border is drawn outside the nuclei, or takes their rim.",
    )
    border_weight: float = setting(
        10.0, min=1.0, max=100.0, level="advanced", help="How much more a pixel of a border counts."
    )
    threshold: float | None = setting(
        None,
        min=0.01,
        max=0.99,
        help=(
            "Share of inside against border that makes a core; chosen on validation images if "
            "empty."
        ),
    )
    grow: int | None = setting(
        None,
        unit="px",
        min=0,
        max=20,
        help="Steps by which cores take back their border; chosen on validation images if empty.",
    )


@final
class BorderUNet(KerasMethod):
    Settings = BorderUNetSettings
    loss = staticmethod(losses.weighted_cross_entropy)

    def build(self) -> keras.Model:
        domain, preset = self.domain, self.settings.preset
        plan = (
            nets.LIGHT_VOLUME
            if domain.ndim == 3 and preset == "small"
            else {"filters": FILTERS[preset]}
        )
        strides = nets.plan_pooling(
            domain.ndim, domain.spacing, count=len(plan["filters"]) - 1, stem=plan.get("stem", (1,))
        )

        def build_one() -> keras.Model:
            return nets.unet(
                domain.ndim, channels=domain.channels, outputs=CLASSES, strides=strides, **plan
            )

        return nets.ensemble(build_one, self.settings.ensemble)

    def targets(
        self, rng: np.random.Generator, image: np.ndarray, label: np.ndarray, maps: None
    ) -> tuple:
        """Borders are drawn on the patch as cut, so that they are one pixel wide however it was
        scaled and turned.
        """
        classes = border.encode(label, where=self.settings.border)
        share = (classes == np.arange(CLASSES)).astype(np.float32)
        weight = np.where(classes == border.BORDER, self.settings.border_weight, 1.0)
        return image, np.concatenate([share, weight], axis=-1)

    def activate(self, raw: np.ndarray) -> np.ndarray:
        """Logits of all members → the mean of their probabilities."""
        logits = raw.reshape(*raw.shape[:-1], -1, CLASSES)
        return softmax(logits).mean(axis=-2)

    def decode(self, maps: np.ndarray, *, threshold: float, grow: int, min_size: int) -> np.ndarray:
        return border.decode(
            maps, where=self.settings.border, threshold=threshold, grow=grow, min_size=min_size
        )

    def tunable(self) -> dict:
        return {"threshold": 0.5, "grow": 2, "min_size": 10}

    def candidates(self) -> dict:
        return {
            "threshold": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
            "grow": (0, 1, 2, 3),
            "min_size": SMALLEST[self.domain.ndim],
        }
