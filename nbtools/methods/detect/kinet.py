"""KiNet: proximity maps, one per class, from a residual U-Net that also looks at coarse scales.

Xing et al. 2019, doi:10.1109/TBME.2019.2900378. The preset `paper` has the published widths,
kernels and auxiliary scales; `small` has the same parts, works at half the resolution in the plane,
and learns in minutes. Published are plain gradient descent for 100,000 steps, a radius of 15 px and
batch statistics in prediction, too; here the optimiser is that of all methods, each nucleus whose
size is known has a radius of its own, coarse scales are enlarged smoothly, and prediction uses the
statistics of training, so that a tile has the same result alone and among others. The further
branch for regions of tumour is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import keras

from nbtools import losses, nets
from nbtools.config import setting, vary
from nbtools.data import DataSet
from nbtools.inference import Inference
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.points import RadiusSettings, describe_radius, settle_radius
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.targets.proximity import ProximityTarget

STEM = (1, 2, 2)
NETWORKS = {
    "tiny": {
        "filters": (8, 16, 16),
        "convs": (1, 1),
        "side": 8,
        "head": 8,
        "kernel": 3,
        "dropout": 0.0,
    },
    "small": {
        "filters": (16, 32, 64, 64),
        "convs": (1, 1, 1),
        "side": 16,
        "head": 16,
        "kernel": 3,
        "dropout": 0.0,
        "stem": STEM,
    },
    "paper": {},
}
LEVELS = {"tiny": 3, "small": 4, "paper": 5}
PATCHES = {"patch_size": {2: 96, 3: 64}, "batch_size": {2: 4, 3: 2}}


@dataclass(frozen=True)
class KiNetSettings(RadiusSettings, parameters=ProximityTarget.parameters):
    # many small steps learn sooner than few large ones
    defaults_by_ndim: ClassVar = PATCHES

    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side of a training patch in the plane; empty: 96, in volumes 64.",
    )
    preset: str = preset_setting(*NETWORKS)
    auto_scale: bool = setting(
        False,
        level="advanced",
        help=(
            "Predict again, enlarged or reduced, where peaks in a plane tell nuclei of another "
            "size than those of the training; look at what it finds."
        ),
    )


@final
class KiNet(KerasMethod):
    """KiNet: proximity of the next centre, a map per class."""

    Settings, Target, needs = KiNetSettings, ProximityTarget, ("points",)
    learns_classes = True

    def prepare(self, train: DataSet) -> None:
        """Take the radius from the nuclei, where the settings leave it open.

        Parameters
        ----------
        train : training images.
        """
        super().prepare(train)
        self.settings = settle_radius(self.settings, train)

    def notes(self) -> tuple[str, ...]:
        return (describe_radius(self.settings),)

    def loss(self) -> Callable:
        return losses.proximity_error

    def search_scale(self, inner: Inference) -> Inference:
        """Search where the width of a peak tells the size of its nucleus.

        Values that were chosen on validation images tell peaks of nuclei from others; with those
        by default the search is led astray.

        Parameters
        ----------
        inner : how the network runs at one magnification.
        """
        tells = self.settings.radius_of == "each" and bool(self.tuned)
        return super().search_scale(inner) if tells else inner

    def build(self) -> keras.Model:
        ndim, preset = self.domain.ndim, self.settings.preset
        plan = dict(NETWORKS[preset])
        stem = plan.get("stem", (1, 1, 1))
        if "stem" in plan:
            plan["stem"] = stem[-ndim:]
        count = LEVELS[preset] - 1
        strides = nets.plan_pooling(ndim, self.domain.spacing, count=count, stem=stem)
        outputs = sum(self.target().outputs.values())
        about = {"channels": self.domain.channels, "outputs": outputs, "strides": strides}
        return nets.kinet(ndim, **about, **plan)
