"""Image → boxes: a heatmap and a size, two outputs with a loss each, at half the resolution."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from keras.losses import mean_absolute_error, mean_squared_error
from skimage.feature import peak_local_max

from nbtools import augment, nets
from nbtools.methods.keras_method import KerasMethod
from nbtools.results import Boxes, Grid
from nbtools.targets.base import Target


@dataclass(frozen=True)
class BoxTarget(Target):
    """At the middle of each box a bump, and the sides of the box in pixels."""

    stride: ClassVar = 2
    per_patch: ClassVar = True

    @property
    def outputs(self):
        return {"heatmap": 1, "size": self.ndim}

    def encode(self, example):
        shape = tuple(-(-n // 2) for n in example.image.shape[:-1])
        places = 2 * np.moveaxis(np.indices(shape), 0, -1) + 0.5
        maps = {k: np.zeros((*shape, n), np.float32) for k, n in self.outputs.items()}
        for low, high in zip(*augment.box_corners(example.boxes), strict=True):
            near = np.exp(-((places - (low + high - 1) / 2) ** 2).sum(axis=-1) / 8)[..., None]
            maps["size"] = np.where(near > maps["heatmap"], high - low, maps["size"])
            maps["heatmap"] = np.maximum(maps["heatmap"], near)
        return maps

    def decode(self, maps):
        heat = maps["heatmap"][..., 0]
        places = peak_local_max(heat, min_distance=1, threshold_abs=0.4)
        middle, half = 2 * places + 1.0, maps["size"][tuple(places.T)] / 2
        edges = augment.join_corners(middle - half, middle + half)
        grid = Grid(self.axes, tuple(2 * n for n in heat.shape))
        return Boxes(edges, grid, np.clip(heat[tuple(places.T)], 0, 1))


class BoxesProbe(KerasMethod):
    Target, needs = BoxTarget, ("boxes",)

    def loss(self):
        return {"heatmap": mean_squared_error, "size": mean_absolute_error}

    def build(self):
        sizes = self.target().outputs
        net, nd = nets.unet_for(self.domain, outputs=8, filters=(8, 16)), f"{self.domain.ndim}D"
        x = getattr(keras.layers, f"AveragePooling{nd}")(2)(net.output)
        head = getattr(keras.layers, f"Conv{nd}")
        return keras.Model(net.input, {k: head(n, 1, name=k)(x) for k, n in sizes.items()})
