"""A known point spread function (PSF) as the last layer of a network, without weights."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

Tensor = keras.KerasTensor


@keras.saving.register_keras_serializable("nbtools")
class Psf(layers.Layer):
    """Convolve with fixed kernels, one after the other: (B, *space, 1) → (B, *space, 1).

    Beyond the border the image is mirrored: d c b a | a b c d.

    Parameters
    ----------
    kernels : arrays (*space) of odd sizes; a Gaussian is cheapest as one kernel per axis, of shape
        (n, 1), (1, n).
    """

    def __init__(self, kernels: list, **kwargs):
        super().__init__(**kwargs)
        self.kernels = [np.asarray(k, np.float32) for k in kernels]

    def call(self, x: Tensor) -> Tensor:
        """Convolve (B, *space, 1) with one kernel after the other; the border is mirrored."""
        for kernel in self.kernels:
            for axis, size in enumerate(kernel.shape, start=1):
                x = _mirror(x, axis, reach=size // 2)
            # ops.conv correlates; a blur is a convolution, with the kernel flipped
            flipped = np.ascontiguousarray(np.flip(kernel)[..., None, None])
            weights = ops.convert_to_tensor(flipped)
            x = ops.conv(x, weights, padding="valid", data_format="channels_last")
        return x

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Shape of the output: that of the input."""
        return shape

    def receptive(self) -> tuple[np.ndarray, np.ndarray]:
        """(stride, reach in its own input) per axis, for the tile plan."""
        reach = np.sum([np.array(k.shape) // 2 for k in self.kernels], axis=0)
        return np.ones_like(reach), reach

    def get_config(self):
        return {**super().get_config(), "kernels": [k.tolist() for k in self.kernels]}


def _mirror(x: Tensor, axis: int, *, reach: int) -> Tensor:
    """Pad an axis by `reach` on both sides with its mirror image, also where it is shorter."""
    if not reach:
        return x
    size = ops.shape(x)[axis]
    # counted from a multiple of the period: programs differ in the remainder of negative numbers
    place = ops.arange(-reach, size + reach, dtype="int32") + 2 * size * reach
    place = ops.mod(place, 2 * size)
    return ops.take(x, ops.minimum(place, 2 * size - 1 - place), axis=axis)
