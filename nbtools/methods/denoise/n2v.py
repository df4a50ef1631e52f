"""Noise2Void: denoise from the noisy images alone, by predicting pixels that the network cannot
see.

Krull, Buchholz & Jug 2019, doi:10.1109/CVPR.2019.00223. The variant n2v2 (Höck et al. 2022,
arXiv:2211.08512) pools without aliasing, leaves out the finest skip and hides pixels behind the
median of their surroundings, against the checkerboard that n2v can leave; struct (Broaddus et al.
2020, doi:10.1109/ISBI45749.2020.9098336) hides a line of pixels, for noise that is correlated along
one axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.methods._restore import BlindSpotSettings, RestoreMethod, without_swaps
from nbtools.targets import blindspot

# without batch normalisation grey values come out exacter, by decibels where there is much light,
# and steps take less time
NETWORKS = {
    "tiny": {"filters": (8, 16), "norm": "none"},
    "small": {"filters": (32, 64, 128), "norm": "none"},
    "paper": {"filters": (32, 64, 128), "kernel": 5},
    "bsd68": {"filters": (96, 192, 384)},
}
BSD68 = {
    "patch_size": 64,
    "batch_size": 128,
    "epochs": 200,
    "steps_per_epoch": 400,
    "learning_rate": 4e-4,
    "masked": 0.198,
}


@dataclass(frozen=True)
class N2VSettings(BlindSpotSettings):
    preset: str = setting(
        "small",
        choices=tuple(NETWORKS),
        help=(
            "Size of the network: small for two cores, paper as published, bsd68 with the "
            "training of the published comparison."
        ),
    )
    variant: str | None = setting(
        None,
        choices=("n2v", "n2v2", "struct"),
        help=(
            "n2v2 avoids the checkerboard of n2v; struct is for striped noise; empty: n2v2, in "
            "volumes n2v."
        ),
    )
    masked: float = setting(
        4.0,
        unit="%",
        min=0.05,
        max=10.0,
        level="advanced",
        help="Share of the pixels of a patch that are hidden; with more, each step teaches more.",
    )
    radius: int | None = setting(
        None,
        unit="px",
        min=1,
        max=20,
        level="advanced",
        help="How far a replacement may come from; empty: 5 for n2v and struct, 2 for n2v2.",
    )
    line_axis: str = setting(
        "X",
        choices=("Z", "Y", "X"),
        level="advanced",
        help="struct: the axis along which the noise is correlated.",
    )
    line_reach: int = setting(
        5,
        unit="px",
        min=1,
        max=50,
        level="advanced",
        help="struct: how far along it pixels are hidden on either side.",
    )
    centre: bool = setting(
        False,
        level="advanced",
        help=(
            "A hidden pixel may now and then keep its own value, as in the authors' package; "
            "ruins spiky noise."
        ),
    )


@final
class N2V(RestoreMethod):
    Settings = N2VSettings
    usual: ClassVar[dict] = {**RestoreMethod.usual, "variant": {2: "n2v2", 3: "n2v"}}
    loss = staticmethod(losses.masked_mse)

    def start_fit(self, train: DataSet, needs: str | None) -> None:
        if self.settings.preset == "bsd68":
            usual = N2VSettings()
            changes = {
                k: v for k, v in BSD68.items() if getattr(self.settings, k) == getattr(usual, k)
            }
            self.settings = self.settings.replace(**changes)
        super().start_fit(train, needs)
        changes = {"variant": self.chosen("variant")}
        if changes["variant"] == "struct":
            changes["augmentation"] = without_swaps(self.settings.augmentation)
            changes["turns"] = "mirrors" if self.settings.turns == "plane" else self.settings.turns
        self.settings = self.settings.replace(**changes)

    def build(self) -> keras.Model:
        domain = self.domain
        plan = self.plan_unet(NETWORKS)
        sharp = self.chosen("variant") != "n2v2"
        if domain.ndim == 3 or not sharp:  # as published for either
            plan.pop("kernel", None)
        about = {
            "channels": domain.channels,
            "outputs": domain.channels,
            "narrow_before_upsampling": True,
            "bias": True,
        }
        return nets.unet(
            domain.ndim, **about, topmost_skip=sharp, pool="max" if sharp else "blur", **plan
        )

    def targets(
        self, rng: np.random.Generator, image: np.ndarray, label: None, maps: None
    ) -> tuple:
        """The patch with hidden pixels, and (*space, C + 1): the values to find and where they
        count.
        """
        settings, variant = self.settings, self.chosen("variant")
        fill, usual = ("median", 2) if variant == "n2v2" else ("neighbour", 5)
        line = (
            ("ZYX"[-self.domain.ndim :].index(settings.line_axis), settings.line_reach)
            if variant == "struct"
            else None
        )
        spots = blindspot.BlindSpotMask(
            settings.masked, settings.radius or usual, fill, line=line, centre=settings.centre
        )
        hidden, mask = blindspot.mask_pixels(rng, image, spots=spots)
        return hidden, np.concatenate([image, mask[..., None]], axis=-1)
