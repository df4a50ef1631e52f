"""Two networks on unpaired images: a translator, and a judge of what looks real."""

from dataclasses import dataclass, replace
from typing import ClassVar

import keras

from nbtools import nets, normalize
from nbtools.inference import Tiled
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.methods.keras_method import KerasMethod
from nbtools.targets.restored import RestoredTarget
from nbtools.training import Adversarial


@dataclass(frozen=True)
class TranslatedTarget(RestoredTarget):
    """The image itself, to stay near it, and an unpaired image, to look like."""

    named: tuple = ("generated",)
    per_patch: ClassVar = True

    def encode(self, example):
        return {"near": example.image, "real": example.unpaired}

    def decode(self, maps):
        return super().decode(maps["generated"])


class UnpairedProbe(KerasMethod):
    Target, needs = TranslatedTarget, ("unpaired",)
    normalization = normalize.SET_MOMENTS

    def loss(self):
        return {"near": keras.losses.mean_absolute_error}

    def build(self):
        net = nets.unet_for(self.domain, outputs=1, filters=(4, 8), norm="none")
        near = keras.layers.Identity(name="near")(net.output)
        return keras.Model(net.input, {"generated": net.output, "near": near})

    def step(self, settings):
        nd, image = f"{self.domain.ndim}D", keras.Input((None,) * self.domain.ndim + (1,))
        x = getattr(keras.layers, f"Conv{nd}")(4, 3, strides=2, activation="relu")(image)
        judge = keras.Model(image, getattr(keras.layers, f"Conv{nd}")(1, 1)(x))
        return Adversarial(self.model, judge, losses=self.loss(), settings=settings)

    def inference(self):
        return Tiled(replace(measure_receptive_field(self.model), outputs=2.0))
