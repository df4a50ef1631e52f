"""Flows: every pixel of a nucleus is told the way to its inside, and the pixels that meet are one
nucleus; 2D, 3D, and 2.5D.

Stringer et al. 2021, doi:10.1038/s41592-020-01018-x (Cellpose); written from the description. The
preset `paper` is their network; `small` works at half the resolution in the plane, with half the
convolutions and without the style of the whole image, so that tiles equal the image in one piece.
Volumes are seen whole by a network of three dimensions, or, with views=planes and as in the paper,
by a flat network in planes across each axis, at a pixel size that is the same along all three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.methods import _looks, _planes, _resample
from nbtools.methods._examples import Example
from nbtools.methods._segment import SegmentSettings
from nbtools.targets import flows
from nbtools.training import History, TrainingPlan

NETWORKS = {
    "tiny": {"filters": (8, 16), "pairs": 1, "style": False},
    "small": {"filters": (32, 64, 128), "pairs": 1, "style": False, "stem": (1, 2, 2)},
    "paper": {"filters": (32, 64, 128, 256), "pairs": 2, "style": True},
}
LIGHT_3D = (
    16,
    32,
    64,
)  # filters of `small` for a network of three dimensions, whose steps cost so much more
TILE = {2: (256, 256), 3: (32, 128, 128)}  # px, where the style depends on what a tile shows


@dataclass(frozen=True)
class FlowsSettings(SegmentSettings):
    preset: str = setting(
        "small",
        choices=tuple(NETWORKS),
        help="Size of the network: small for two cores, paper as published.",
    )
    views: str = setting(
        "native",
        choices=("native", "planes"),
        help="Volumes: seen whole, or in planes across each axis by a flat network (2.5D).",
    )
    flow_threshold: float | None = setting(
        None,
        min=0.0,
        max=flows.ALL,
        help="2D: nuclei whose flows contradict their shape more than that are dropped, 4 keeps "
        "all; "
        "chosen on validation images if empty.",
    )
    closer: bool = _looks.CLOSER


@final
class Flows(_looks.LookingMethod):
    Settings = FlowsSettings
    loss = staticmethod(losses.foreground_flows)
    contradict = staticmethod(flows.self_consistency_error)

    @property
    def in_planes(self) -> bool:
        return self.domain.ndim == 3 and self.settings.views == "planes"

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        """As every method's; planes across all axes are alike only where voxels are cubes, so for
        2.5D the volumes are brought to that.
        """
        if self.settings.views == "planes" and len(train) and len(train.image(0).spatial) == 3:
            finest = {"like": train, "finest": True}
            train, val = (
                _resample.even_out(train, **finest),
                val and _resample.even_out(val, **finest),
            )
        return super().fit(train, val, plan=plan)

    def build(self) -> keras.Model:
        ndim, network = (
            2 if self.in_planes else self.domain.ndim,
            dict(NETWORKS[self.settings.preset]),
        )
        if ndim == 3 and self.settings.preset == "small":
            network["filters"] = LIGHT_3D
        if "stem" in network:
            network["stem"] = network["stem"][-ndim:]
        strides = nets.plan_pooling(
            ndim,
            self.domain.spacing,
            count=len(network["filters"]) - 1,
            stem=network.get("stem", (1,)),
        )
        return nets.cpnet(
            ndim, channels=self.domain.channels, outputs=1 + ndim, strides=strides, **network
        )

    def patch_shape(self) -> tuple[int, ...]:
        return super().patch_shape()[-2:] if self.in_planes else super().patch_shape()

    def choose_view(self, rng: np.random.Generator, example: Example) -> Example:
        return _planes.choose_plane(rng, example) if self.in_planes else example

    def targets(
        self, rng: np.random.Generator, image: np.ndarray, label: np.ndarray, maps: None
    ) -> tuple:
        """Flows are found in the patch as cut: so they turn, stretch and mirror with it, and those
        of half a nucleus meet in that half.
        """
        return image, flows.encode(label, spacing=None if self.in_planes else self.domain.spacing)

    def activate(self, raw: np.ndarray) -> np.ndarray:
        """Logit and lengthened flows → probability of foreground, and flows."""
        return np.concatenate(
            [1 / (1 + np.exp(-raw[..., :1])), raw[..., 1:] / losses.FLOW_SCALE], axis=-1
        )

    def decode(
        self, maps: np.ndarray, *, threshold: float, flow_threshold: float, min_size: int
    ) -> np.ndarray:
        values = {"threshold": threshold, "flow_threshold": flow_threshold, "min_size": min_size}
        return flows.decode(maps, spacing=self.domain.spacing, **values)

    def tunable(self) -> dict:
        return {"threshold": 0.5, "flow_threshold": flows.ALL, "min_size": 15}

    def candidates(self) -> dict:
        flat = {"flow_threshold": (0.4, 0.6, 0.8, 1.2, flows.ALL)} if self.domain.ndim == 2 else {}
        sizes = (
            (0, 15, 30, 45) if self.domain.ndim == 2 else (0, 45, 90, 180, 360)
        )  # of volumes in planes, in pixels of the finest spacing
        return {"threshold": (0.3, 0.4, 0.5, 0.6, 0.7), "min_size": sizes} | flat

    def fixed_tile(self) -> tuple[int, ...] | None:
        return TILE[self.domain.ndim] if self.field.radius is None else None

    # --- inside

    def _use(self, model: keras.Model) -> None:
        super()._use(model)
        if self.in_planes:
            self.field = _planes.describe_stack(self.field)

    def _run(
        self, pixels: np.ndarray, prepare: Callable, tile: tuple[int, ...] | None
    ) -> np.ndarray:
        if not self.in_planes:
            return super()._run(pixels, prepare, tile)

        def see(stack: np.ndarray) -> np.ndarray:
            return np.asarray(self.model.predict_on_batch(prepare(stack)))

        return _planes.look(see, pixels, field=self.field, tile=self.fixed_tile() or tile)
