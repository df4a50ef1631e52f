"""Segmentation that learns from a point per nucleus: cells, clusters, and centres as markers.

After Qu et al. 2020, doi:10.48550/arXiv.2007.05448. What is surely nucleus and surely background
follows from the points and the grey values (`targets.point_masks`); the network also learns how
near the next point is, and its maxima become the markers of a watershed. Every nucleus of a
training image needs its point; labels serve, too, by their centres alone. The grey values must
tell nuclei from background: where a threshold fails in every part of an image, so do the clusters.
Differences from the paper: no first stage that finds the points nobody set, no dense conditional
random field in the loss, and markers in place of cells alone to part nuclei that touch. No
threshold of the foreground can be chosen by points: it stays at 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.points import measure_radius
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.targets.point_masks import PointMaskTarget

FILTERS = {"tiny": (8, 16), "small": (16, 32, 64, 128)}


@dataclass(frozen=True)
class PointSupervisedSettings(NetworkSettings, parameters=PointMaskTarget.parameters):
    preset: str = preset_setting(*FILTERS, help="Size of the network: small for two cores.")
    radius: float | None = setting(
        None,
        unit="px",
        min=1.0,
        max=200.0,
        help="Distance from a point at which proximity ends; empty: from the points.",
    )


@final
class PointSupervised(KerasMethod):
    """Segmentation from points alone."""

    Settings, Target, needs = PointSupervisedSettings, PointMaskTarget, ("points",)

    def prepare(self, train: DataSet) -> None:
        """Settle the radius of the proximity, by the distances between points."""
        super().prepare(train)
        if self.settings.radius is None:
            radius = measure_radius(train, by_labels=False)
            self.settings = self.settings.replace(radius=radius)

    def loss(self) -> Callable:
        return losses.points_alone

    def build(self) -> keras.Model:
        plan = {"filters": FILTERS[self.settings.preset]}
        if self.domain.ndim == 3 and self.settings.preset == "small":
            plan = dict(nets.LIGHT_VOLUME)
        return nets.unet_for(self.domain, outputs=2, **plan)
