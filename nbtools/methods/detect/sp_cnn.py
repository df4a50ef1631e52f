"""SP-CNN: proximity from a few convolutions, and outlines of nuclei that the edges should fit.

Tofighi et al. 2018, arXiv:1807.03135, and 2019, doi:10.1109/TMI.2019.2895318. In training, the loss
is lower where the edges of the image around what was found fit the outlines of a library; in
prediction the outlines play no part. Published is a library that an expert drew; here it is cut
from the labels of the training images, or is a disc where these have points alone. The preset
`paper` has the published network, whose field of 15 px is narrower than most nuclei; `small` sees
further by a stride and by dilated convolutions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting, vary
from nbtools.data import DataSet
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.points import RadiusSettings, describe_radius, settle_radius
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.targets.outlines import OutlinedTarget, collect_outlines

NETWORKS = {
    "tiny": {"convs": ((8, 5, 1), (8, 3, 1))},
    "small": {
        "convs": ((32, 5, 1), *((32, 3, rate) for rate in (1, 2, 4, 8, 4, 1))),
        "stem": (1, 2, 2),
    },
    "paper": {"convs": ((64, 5, 1), *((64, 3, 1),) * 4)},
}
LOOKED_AT = 16  # training images that outlines are cut from
WIDEST = 4.0  # side of the window of an outline, over the radius of proximity


@dataclass(frozen=True)
class SpCnnSettings(RadiusSettings, parameters=OutlinedTarget.parameters):
    # many small steps learn sooner than few large ones
    defaults_by_ndim: ClassVar = {"patch_size": {2: 96, 3: 48}, "batch_size": {2: 4, 3: 2}}

    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side of a training patch in the plane; empty: 96, in volumes 48.",
    )
    preset: str = preset_setting(*NETWORKS)
    shape_weight: float = setting(
        0.05, min=0.0, max=1.0, help="Weight of the outlines in the loss; 0: no shape prior."
    )
    shapes: int = setting(
        12, min=1, max=64, level="advanced", help="Number of outlines that edges are compared with."
    )


@final
class SpCnn(KerasMethod):
    """SP-CNN: proximity, with a shape prior."""

    Settings, Target, needs = SpCnnSettings, OutlinedTarget, ("points",)
    outlines: np.ndarray | None = None  # of nuclei, for the loss; (N, *side)

    def prepare(self, train: DataSet) -> None:
        """Take the radius and the library of outlines from the training images.

        Parameters
        ----------
        train : training images.
        """
        super().prepare(train)
        self.settings = settle_radius(self.settings, train)
        self.outlines = self._collect(train)

    def _collect(self, train: DataSet) -> np.ndarray:
        """Outlines from labels; a disc or ball of the radius where no nucleus fits the window."""
        relative = np.array(self.target().relative_spacing or (1.0,) * self.domain.ndim)
        side = 2 * np.ceil(WIDEST / 2 * self.settings.radius / relative).astype(int) + 1
        about = {"count": self.settings.shapes, "side": tuple(side.tolist()), "seed": 0}
        chosen = np.unique(np.linspace(0, len(train) - 1, LOOKED_AT).round().astype(int))
        samples = [train[int(i)] for i in chosen]
        labels = [s.label.to(self.domain.axes).pixels for s in samples if s.label]
        found = collect_outlines(labels, **about)
        if len(found):
            return found
        places = np.moveaxis(np.indices(side), 0, -1) - side // 2
        ball = np.linalg.norm(places * relative, axis=-1) <= self.settings.radius
        return collect_outlines([ball.astype(int)], **about)

    def notes(self) -> tuple[str, ...]:
        prior = f"{len(self.outlines)} outlines are the shape prior."
        return describe_radius(self.settings), prior

    def loss(self) -> Callable:
        reach = 2 * int(np.ceil(self.settings.radius)) + 1
        weight = self.settings.shape_weight
        return losses.shape_prior_error(self.outlines, weight=weight, reach=reach)

    def build(self) -> keras.Model:
        plan = dict(NETWORKS[self.settings.preset])
        if "stem" in plan:
            plan["stem"] = plan["stem"][-self.domain.ndim :]
        return nets.plain(self.domain.ndim, channels=self.domain.channels, outputs=1, **plan)
