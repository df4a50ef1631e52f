"""Instance normalisation."""

from __future__ import annotations

import keras
from keras import layers, ops

Tensor = keras.KerasTensor


@keras.saving.register_keras_serializable("nbtools")
class InstanceNorm(layers.Layer):
    """Normalise each channel of each image: γ (x - mean) / √(variance + ε) + β.

    As `GroupNormalization` with one group per channel, and faster on CPUs.

    Parameters
    ----------
    epsilon : ε, against division by zero.

    References
    ----------
    Ulyanov et al. 2016, arXiv:1607.08022.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, shape: tuple) -> None:
        """Make a gain and an offset for each channel."""
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(shape[-1],), initializer="zeros", name="beta")

    def call(self, x: Tensor) -> Tensor:
        """Normalise each channel of each image, (B, *space, C), then apply gain and offset."""
        mean, variance = ops.moments(x, axes=tuple(range(1, len(x.shape) - 1)), keepdims=True)
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        return x * scale + (self.beta - mean * scale)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
