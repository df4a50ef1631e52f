"""CARE: restoration by a U-Net trained on pairs of a noisy and a clean image.

An adapter to its authors' package, csbdeep (TensorFlow).

An adapter to its authors' package, csbdeep (TensorFlow).

Weigert et al. 2018, doi:10.1038/s41592-018-0216-7. Network and loss are the package's, whose own
model is `.inner`. Patches, schedule, budget, tiles and files are ours, and so is the training loop:
the package's own learns from arrays cut beforehand, and could neither end with a budget of minutes
within an epoch nor resume exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras
import numpy as np

from nbtools import normalize
from nbtools.config import setting
from nbtools.image import Image
from nbtools.methods import restoration
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.method import Prediction
from nbtools.methods.package_adapter import import_part, silently
from nbtools.methods.settings import RestoreSettings, preset_setting
from nbtools.targets.restored import RestoredTarget

NETWORKS = {
    "tiny": {"unet_n_first": 4, "unet_n_depth": 1, "unet_kern_size": 3},
    "small": {"unet_n_first": 32, "unet_kern_size": 3},
    "paper": {},  # the package's defaults
}
LIGHT_3D = {"unet_n_first": 16}  # for the small network of volumes
NO_FILES = {"train_tensorboard": False, "train_reduce_lr": None}


@dataclass(frozen=True)
class CareSettings(RestoreSettings):
    preset: str = preset_setting(*NETWORKS)
    probabilistic: bool = setting(
        False,
        help=(
            "Also learn how uncertain each pixel is: the width of a Laplace distribution around "
            "the restored value."
        ),
    )


@final
class Care(KerasMethod):
    """CARE: restoring from noisy and clean pairs."""

    Settings, Target = CareSettings, RestoredTarget
    needs, normalization = ("clean",), normalize.SET_MOMENTS
    inner = None  # the package's CARE

    def loss(self) -> Callable:
        """The package's: absolute error, or the negative logarithm of the Laplace likelihood."""
        return self.inner.keras_model.loss

    def build(self) -> keras.Model:
        models = import_part("csbdeep", "models", title="CARE")
        about = restoration.plan_network(self, NETWORKS, light=LIGHT_3D) | NO_FILES
        channels = self.domain.channels
        config = models.Config(
            self.domain.axes,
            channels,
            channels,
            probabilistic=self.settings.probabilistic,
            **about,
        )
        with silently():
            self.inner = models.CARE(config, basedir=None)
            self.inner.prepare_for_training()
        return _adopt(self.inner.keras_model)

    def predict(self, image: Image, **options) -> Prediction:
        """Restore an image; a probabilistic model also predicts its uncertainty.

        With `raw=True`, raw["scale"] of a probabilistic model holds the scale of a Laplace
        distribution per pixel, (*space, C) in grey values. According to the model, the clean value
        lies within 0.69 scales of the restored one with probability one half; the standard
        deviation is 1.41 scales. `image.replace(pixels=result.raw["scale"][..., 0])` is a map of
        it.

        Parameters
        ----------
        image : noisy, with the axes and channels of the training images.
        options : of `Method.predict`.
        """
        result = super().predict(image, **options)
        if self.settings.probabilistic and "maps" in result.raw:
            scale = result.raw["maps"][..., self.domain.channels :]
            result.raw["scale"] = scale * np.float32(self.scale.factor)
        return result


def _adopt(network: keras.Model) -> keras.Model:
    """Rebuild the package's network on the same weights, to train and store it by our code.

    A probabilistic one has a function for a layer, which adds the least scale to the softplus of a
    convolution; here a plain layer does.
    """
    image, maps = network.inputs[0], network.outputs[0]
    if functions := [layer for layer in network.layers if isinstance(layer, keras.layers.Lambda)]:
        least = float(functions[0].function(np.float32(0)))
        scale = keras.layers.Rescaling(1.0, offset=least, name="scale")(functions[0].input)
        maps = keras.layers.Concatenate(name="maps")([network.layers[-1].input[0], scale])
    return keras.Model(image, maps, name="care")
