"""SpaceToDepth and DepthToSpace: blocks of pixels become channels, and channels pixels again.

They change the resolution without a strided convolution, whose gradient in volumes takes TensorFlow
many times as long on CPUs as that of a plain one. Shi et al. 2016, arXiv:1609.05158.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

Tensor = keras.KerasTensor


class _Rearranged(layers.Layer):
    """What both layers share; `factors` are block sizes per spatial axis."""

    def __init__(self, factors: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.factors = tuple(factors)

    def get_config(self):
        return {**super().get_config(), "factors": self.factors}


@keras.saving.register_keras_serializable("nbtools")
class SpaceToDepth(_Rearranged):
    """(B, *space, C) → (B, *space / factors, C · product of the factors).

    Parameters
    ----------
    factors : block size per spatial axis; sizes of the image must be multiples of it.
    """

    def call(self, x: Tensor) -> Tensor:
        """(B, *space, C) → (B, *space / factors, C · pixels of a block)."""
        size, channels = ops.shape(x), x.shape[-1]
        # split each axis in (blocks, pixels of a block), then move the latter to the channels
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
        """Shape of the output for a shape of the input."""
        space = [
            None if n is None else n // f for n, f in zip(shape[1:-1], self.factors, strict=True)
        ]
        return (shape[0], *space, shape[-1] * int(np.prod(self.factors)))

    def receptive(self) -> tuple[np.ndarray, np.ndarray]:
        """(stride, reach in its own input) per axis, for the tile plan."""
        return np.array(self.factors), np.array(self.factors) - 1


@keras.saving.register_keras_serializable("nbtools")
class DepthToSpace(_Rearranged):
    """(B, *space, C) → (B, *space · factors, C / product of the factors), undoes `SpaceToDepth`.

    Parameters
    ----------
    factors : block size per spatial axis.
    """

    def call(self, x: Tensor) -> Tensor:
        """(B, *space, C) → (B, *space · factors, C / pixels of a block)."""
        size, channels = ops.shape(x), x.shape[-1] // int(np.prod(self.factors))
        # split the channels in one axis per factor, then move each behind its spatial axis
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
        """Shape of the output for a shape of the input."""
        space = [
            None if n is None else n * f for n, f in zip(shape[1:-1], self.factors, strict=True)
        ]
        return (shape[0], *space, shape[-1] // int(np.prod(self.factors)))

    def receptive(self) -> tuple[np.ndarray, np.ndarray]:
        """(stride, reach in its own input) per axis, for the tile plan."""
        factors = np.array(self.factors, float)
        return 1 / factors, 1 - 1 / factors


def depth_to_space_head(
    x: Tensor, outputs: int, *, factors: tuple[int, ...], prefix: str = ""
) -> Tensor:
    """Linear output at full resolution of a network that works at a lower one.

    Parameters
    ----------
    x : (B, *space / factors, C) features.
    outputs : channels of the output.
    factors : block size per spatial axis.
    prefix : of the names of the layers.

    Returns
    -------
    (B, *space, outputs).
    """
    conv = getattr(layers, f"Conv{len(factors)}D")
    head = conv(outputs * int(np.prod(factors)), 1, name=f"{prefix}head")
    return DepthToSpace(factors, name=f"{prefix}unfold")(head(x))
