"""NucleiDetection: a small disc at each centre, from blocks of VGG16.

Valkonen et al. 2020, doi:10.1109/JBHI.2020.3039414. The preset `paper` has the published network;
`small` is narrower, and normalises batches in place of leaving out channels. The few pixels of the
discs weigh more in the loss, so that minutes of training suffice; rare_weight=1 is the published
cross-entropy. The domain adaptation of the paper works for every method: `nbtools adapt`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import keras

from nbtools import losses, nets
from nbtools.config import setting, vary
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.targets import discs
from nbtools.targets.discs import DiscTarget

FILTERS = {"tiny": (8, 8, 16), "small": (12, 24, 64), "paper": (64, 128, 512)}


@dataclass(frozen=True)
class NucleiDetectionSettings(NetworkSettings, parameters=DiscTarget.parameters):
    # many small steps learn sooner than few large ones
    defaults_by_ndim: ClassVar = {"patch_size": {2: 96, 3: 48}, "batch_size": {2: 4, 3: 2}}

    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side of a training patch in the plane; empty: 96, in volumes 48.",
    )
    preset: str = preset_setting(*FILTERS)
    disc: float | None = setting(
        None,
        unit="px",
        min=0.5,
        max=50.0,
        help=(
            f"Radius of the disc at each centre; empty: {discs.RADIUS:g} as published, and "
            f"{discs.SHARE:g} of the diameter of large nuclei, where labels tell it."
        ),
    )
    rare_weight: float = setting(
        10.0,
        min=1.0,
        max=1000.0,
        level="advanced",
        help="How much more a pixel of a disc counts in the loss; 1 as published.",
    )


@final
class NucleiDetection(KerasMethod):
    """NucleiDetection: small discs at the centres of nuclei."""

    Settings, Target, needs = NucleiDetectionSettings, DiscTarget, ("points",)

    def loss(self) -> Callable:
        return losses.rare_cross_entropy(self.settings.rare_weight)

    def build(self) -> keras.Model:
        ndim, preset = self.domain.ndim, self.settings.preset
        strides = nets.plan_pooling(ndim, self.domain.spacing, count=2)
        about = {"channels": self.domain.channels, "outputs": 1, "strides": strides}
        return nets.vgg(ndim, filters=FILTERS[preset], norm=preset != "paper", **about)
