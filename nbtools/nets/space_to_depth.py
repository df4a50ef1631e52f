"""SpaceToDepth and DepthToSpace: neighbouring pixels become channels, and channels pixels again;
resolution
changes hands without a strided convolution.

In volumes TensorFlow's gradient of a strided convolution takes many times as long on processors as
that of a plain one.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

Tensor = keras.KerasTensor


class _Rearranged(layers.Layer):
    """What both share.  factors : pixels that become one, a spatial axis."""

    def __init__(self, factors: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.factors = tuple(factors)

    def get_config(self):
        return {**super().get_config(), "factors": self.factors}


@keras.saving.register_keras_serializable("nbtools")
class SpaceToDepth(_Rearranged):
    """(B, *space, C) → (B, *space / factors, C · product of the factors); sizes must be multiples
    of the factors.
    """

    def call(self, x: Tensor) -> Tensor:
        size, channels = ops.shape(x), x.shape[-1]
        split, blocks, inside = [size[0]], [0], []
        for n, factor in zip(size[1:-1], self.factors, strict=True):
            blocks.append(len(split))
            split.append(n // factor)
            if factor > 1:
                inside.append(len(split))
                split.append(factor)
        x = ops.transpose(ops.reshape(x, (*split, channels)), (*blocks, *inside, len(split)))
        space = [n // factor for n, factor in zip(size[1:-1], self.factors, strict=True)]
        return ops.reshape(x, (size[0], *space, channels * int(np.prod(self.factors))))

    def compute_output_shape(self, shape: tuple) -> tuple:
        space = [
            None if n is None else n // f for n, f in zip(shape[1:-1], self.factors, strict=True)
        ]
        return (shape[0], *space, shape[-1] * int(np.prod(self.factors)))

    def receptive(self) -> tuple[np.ndarray, np.ndarray]:
        """(stride, reach in its own input) an axis, for the tile plan."""
        return np.array(self.factors), np.array(self.factors) - 1


@keras.saving.register_keras_serializable("nbtools")
class DepthToSpace(_Rearranged):
    """(B, *space, C) → (B, *space · factors, C / product of the factors): what `SpaceToDepth` did,
    undone.
    """

    def call(self, x: Tensor) -> Tensor:
        size, channels = ops.shape(x), x.shape[-1] // int(np.prod(self.factors))
        split = [f for f in self.factors if f > 1]
        first, order = len(self.factors) + 1, [0]
        for axis, factor in enumerate(self.factors, start=1):
            order.append(axis)
            if factor > 1:
                order.append(first)
                first += 1
        x = ops.transpose(ops.reshape(x, (*size[:-1], *split, channels)), (*order, first))
        space = [n * factor for n, factor in zip(size[1:-1], self.factors, strict=True)]
        return ops.reshape(x, (size[0], *space, channels))

    def compute_output_shape(self, shape: tuple) -> tuple:
        space = [
            None if n is None else n * f for n, f in zip(shape[1:-1], self.factors, strict=True)
        ]
        return (shape[0], *space, shape[-1] // int(np.prod(self.factors)))

    def receptive(self) -> tuple[np.ndarray, np.ndarray]:
        """(stride, reach in its own input) an axis, for the tile plan."""
        factors = np.array(self.factors, float)
        return 1 / factors, 1 - 1 / factors


def depth_to_space_head(x: Tensor, outputs: int, *, factors: tuple[int, ...]) -> Tensor:
    """The end of a network that began with `SpaceToDepth` in a volume: each voxel says what those
    that were
    folded into it are.
    """
    return DepthToSpace(factors, name="unfold")(
        layers.Conv3D(outputs * int(np.prod(factors)), 1, name="head")(x)
    )
