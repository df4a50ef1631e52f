"""Image → points: a heatmap with a bump at each centre."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from skimage.feature import peak_local_max

from nbtools import nets
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.results import Grid, Points
from nbtools.targets.base import Target, threshold_parameter


@dataclass(frozen=True)
class HeatmapTarget(Target):
    """A Gaussian bump of 2 px at each centre."""

    per_patch: ClassVar = True
    parameters: ClassVar = (threshold_parameter(0.2, 0.4, 0.6, default=0.4),)

    @property
    def outputs(self):
        return {"heatmap": 1}

    def encode(self, example):
        places = np.moveaxis(np.indices(example.image.shape[:-1]), 0, -1)
        heat = np.zeros(example.image.shape[:-1])
        for point in example.points:
            heat = np.maximum(heat, np.exp(-((places - point) ** 2).sum(axis=-1) / 8))
        return heat[..., None].astype(np.float32)

    def decode(self, maps, *, threshold):
        places = peak_local_max(maps[..., 0], min_distance=2, threshold_abs=threshold)
        score = np.clip(maps[..., 0][tuple(places.T)], 0, 1)
        return Points(places.astype(float), Grid(self.axes, maps.shape[:-1]), score)


@dataclass(frozen=True)
class PointsSettings(NetworkSettings, parameters=HeatmapTarget.parameters):
    preset: str = preset_setting("tiny", "small", default="tiny")


class PointsProbe(KerasMethod):
    Settings, Target, needs = PointsSettings, HeatmapTarget, ("points",)

    def loss(self):
        return keras.losses.mean_squared_error

    def build(self):
        return nets.unet_for(self.domain, outputs=1, filters=(8, 16))
