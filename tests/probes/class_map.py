"""Image → class map: inside, rim and background of nuclei, a class per pixel."""

from dataclasses import dataclass

import keras
import numpy as np
from skimage.segmentation import find_boundaries

from nbtools import nets
from nbtools.image import Image
from nbtools.methods.keras_method import KerasMethod
from nbtools.results import ClassMap
from nbtools.targets.base import Target, softmax

NAMES = ("background", "inside", "rim")


@dataclass(frozen=True)
class ClassMapTarget(Target):
    """0, 1 or 2 for each pixel, as one output per class."""

    @property
    def outputs(self):
        return {"classes": len(NAMES)}

    def encode(self, example):
        rim = find_boundaries(example.label, mode="inner")
        return np.eye(len(NAMES), dtype=np.float32)[np.where(rim, 2, example.label > 0)]

    def activate(self, raw, ops=np):
        return softmax(raw, ops)

    def decode(self, maps):
        return ClassMap(Image(maps.argmax(axis=-1).astype(np.uint8), self.axes), NAMES)


class ClassMapProbe(KerasMethod):
    Target, needs = ClassMapTarget, ("labels",)

    def loss(self):
        return keras.losses.CategoricalCrossentropy(from_logits=True)

    def build(self):
        return nets.unet_for(self.domain, outputs=len(NAMES), filters=(8, 16))
