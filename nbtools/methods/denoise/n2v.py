"""Noise2Void: denoise from noisy images alone, by predicting hidden pixels.

Krull, Buchholz & Jug 2019, doi:10.1109/CVPR.2019.00223. The variant n2v2 (Höck et al. 2022,
arXiv:2211.08512) pools without aliasing, leaves out the finest skip and hides pixels behind the
median of their surroundings, against the checkerboard that n2v can leave; struct (Broaddus et al.
2020, doi:10.1109/ISBI45749.2020.9098336) hides a line of pixels, for noise that is correlated along
one axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import keras

from nbtools import losses, nets, normalize
from nbtools.config import setting, vary
from nbtools.data import DataSet
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.restoration import BLIND_SPOTS, plan_blind_spots, without_swaps
from nbtools.methods.settings import BlindSpotSettings
from nbtools.targets.blindspot import BlindSpotMask, BlindSpotTarget

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
    variants: ClassVar = {"variant": {2: "n2v2", 3: "n2v"}}
    defaults_by_ndim: ClassVar = BlindSpotSettings.defaults_by_ndim | variants

    preset: str = setting(
        "small",
        choices=tuple(BLIND_SPOTS),
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
    masked: float = vary(
        BlindSpotSettings,
        "masked",
        default=4.0,
        help="Share of the pixels of a patch that are hidden; with more, each step teaches more.",
    )
    radius: int | None = vary(
        BlindSpotSettings,
        "radius",
        default=None,
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
class N2V(KerasMethod):
    """Noise2Void: denoising from noisy images alone."""

    Settings, Target = N2VSettings, BlindSpotTarget
    needs, normalization = (), normalize.SET_MOMENTS

    def prepare(self, train: DataSet) -> None:
        """Settle preset, variant and augmentation before training.

        The preset "bsd68" fills the settings that are at their default. The variant "struct"
        neither swaps axes in augmentation nor turns views in prediction, since its noise has a
        direction.

        Parameters
        ----------
        train : noisy images.
        """
        if self.settings.preset == "bsd68":
            usual = N2VSettings()
            open_settings = {k for k in BSD68 if getattr(self.settings, k) == getattr(usual, k)}
            self.settings = self.settings.replace(**{k: BSD68[k] for k in open_settings})
        super().prepare(train)
        changes = {"variant": self.resolve("variant")}
        if changes["variant"] == "struct":
            changes["augmentation"] = without_swaps(self.settings.augmentation)
            if self.settings.tta == "flips_and_rot90":
                changes["tta"] = "flips"
        self.settings = self.settings.replace(**changes)

    def target_fields(self) -> dict:
        """The values of hidden pixels; hidden as the variant asks."""
        settings, variant, line = self.settings, self.resolve("variant"), None
        fill, usual = ("median", 2) if variant == "n2v2" else ("neighbour", 5)
        if variant == "struct":
            line = (self.domain.axes.index(settings.line_axis), settings.line_reach)
        radius = settings.radius or usual
        mask = BlindSpotMask(settings.masked, radius, fill, line=line, centre=settings.centre)
        return super().target_fields() | {"mask": mask}

    def loss(self) -> Callable:
        return losses.masked_mse

    def build(self) -> keras.Model:
        plan = plan_blind_spots(self, smooth=self.resolve("variant") == "n2v2")
        return nets.unet_for(self.domain, outputs=self.domain.channels, **plan)
