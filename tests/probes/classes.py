"""Image → class: one number per class for the image as a whole."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np

from nbtools.inference import Activated, WholeImage
from nbtools.methods.keras_method import KerasMethod
from nbtools.results import Classes
from nbtools.targets.base import Target, softmax


@dataclass(frozen=True)
class ClassTarget(Target):
    """1 for the class of the image, 0 for the others."""

    per_patch: ClassVar = True

    @property
    def outputs(self):
        return {"classes": len(self.classes)}

    def encode(self, example):
        return np.eye(len(self.classes), dtype=np.float32)[example.class_index]

    def activate(self, raw):
        return softmax(raw)

    def decode(self, maps):
        return Classes(self.classes, maps[None])


class ClassesProbe(KerasMethod):
    Target, needs, learns_classes = ClassTarget, ("classes",), True

    def loss(self):
        return keras.losses.CategoricalCrossentropy(from_logits=True)

    def inference(self):
        return Activated(WholeImage(self.field), self.target().activate)

    def build(self):
        nd, image = f"{self.domain.ndim}D", keras.Input((None,) * self.domain.ndim + (1,))
        x = getattr(keras.layers, f"Conv{nd}")(8, 5, activation="relu", padding="same")(image)
        x = getattr(keras.layers, f"GlobalAveragePooling{nd}")()(x)
        return keras.Model(image, keras.layers.Dense(len(self.domain.classes))(x))
