"""A known blur as the last layer of a network: it has nothing to learn."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

Tensor = keras.KerasTensor


@keras.saving.register_keras_serializable("nbtools")
class Psf(layers.Layer):
    """Convolution with fixed kernels, one after the other; beyond the border the image is mirrored
    (d c b a | a b c d).

    kernels : arrays (*space) of odd sizes; a Gaussian is cheapest as one kernel an axis, of shape
        (n, 1), (1, n).
    The input has one channel.
    """

    def __init__(self, kernels: list, **kwargs):
        super().__init__(**kwargs)
        self.kernels = [np.asarray(k, np.float32) for k in kernels]

    def call(self, x: Tensor) -> Tensor:
        for kernel in self.kernels:
            for axis, size in enumerate(kernel.shape, start=1):
                x = _mirror(x, axis, reach=size // 2)
            turned = np.flip(kernel)[
                ..., None, None
            ]  # layers correlate, and a blur is a convolution
            x = ops.conv(
                x,
                ops.convert_to_tensor(np.ascontiguousarray(turned)),
                padding="valid",
                data_format="channels_last",
            )
        return x

    def compute_output_shape(self, shape: tuple) -> tuple:
        return shape

    def receptive(self) -> tuple[np.ndarray, np.ndarray]:
        """(stride, reach in its own input) an axis, for the tile plan."""
        reach = np.sum([np.array(k.shape) // 2 for k in self.kernels], axis=0)
        return np.ones_like(reach), reach

    def get_config(self):
        return {**super().get_config(), "kernels": [k.tolist() for k in self.kernels]}


def _mirror(x: Tensor, axis: int, *, reach: int) -> Tensor:
    """The tensor continued by `reach` on either side of an axis, also where it is shorter than
    that.
    """
    if not reach:
        return x
    size = ops.shape(x)[axis]
    place = ops.mod(ops.arange(-reach, size + reach, dtype="int32"), 2 * size)
    return ops.take(x, ops.minimum(place, 2 * size - 1 - place), axis=axis)
