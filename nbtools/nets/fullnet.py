"""FullNet: dense blocks of dilated convolutions that keep the full resolution.

Qu et al. 2019, doi:10.1007/978-3-030-32239-7_42.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from nbtools.nets.dense_prediction import finish
from nbtools.nets.space_to_depth import SpaceToDepth
from nbtools.nets.unet import image_input

Tensor = keras.KerasTensor


@dataclass(frozen=True)
class FullNetConfig:
    """What can vary in a FullNet.

    Parameters
    ----------
    dilations : of the layers of each block, in pixels.
    growth : channels of each layer.
    first : channels of the first convolution.
    dropout : share of the features of each layer that are dropped in training.
    stem : block of pixels along each axis that become channels first; () for none.
    """

    dilations: tuple[tuple[int, ...], ...] = ((1, 1, 1), (1, 2, 3), (3, 4, 5), (1, 1, 1))
    growth: int = 8
    first: int = 16
    dropout: float = 0.0
    stem: tuple[int, ...] = ()


def fullnet(
    ndim: int,
    *,
    channels: int = 1,
    outputs: int = 3,
    spacing: Sequence[float] | None = None,
    config: FullNetConfig,
) -> keras.Model:
    """Build a FullNet: no pooling; each layer of a block is given all that the block has made.

    Convolution, leaky ReLU and batch normalisation come in this order, as published. After each
    block, a convolution of one pixel halves the channels.

    Parameters
    ----------
    ndim : 2 or 3.
    channels, outputs : of the input, and of the linear output.
    spacing : pixel size along each axis; dilations are as long in space along all of them.
    config : of the network.

    Returns
    -------
    keras.Model : (B, *space, channels) → (B, *space, outputs).

    Examples
    --------
    >>> fullnet(2, config=FullNetConfig()).output_shape
    (None, None, None, 3)
    """
    conv = getattr(layers, f"Conv{ndim}D")
    stem = config.stem or (1,) * ndim
    size = np.array(spacing or (1.0,) * ndim) * stem
    image = x = image_input(ndim, channels)
    if max(stem) > 1:
        x = SpaceToDepth(stem, name="fold")(x)

    def layer(x: Tensor, width: int, name: str, *, kernel: int = 3, dilation: int = 1) -> Tensor:
        rate = tuple(int(max(1, r)) for r in np.rint(dilation * size.min() / size))
        x = conv(width, kernel, padding="same", dilation_rate=rate, name=name)(x)
        x = layers.LeakyReLU(negative_slope=0.01, name=f"{name}_act")(x)
        return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)

    x = layer(x, config.first, "stem")
    for b, dilations in enumerate(config.dilations):
        for i, dilation in enumerate(dilations):
            y = layer(x, config.growth, f"enc{b}_{i}", dilation=dilation)
            if config.dropout:
                y = layers.Dropout(config.dropout, name=f"enc{b}_{i}_drop")(y)
            x = layers.Concatenate(name=f"enc{b}_{i}_join")([x, y])
        x = layer(x, x.shape[-1] // 2, f"enc{b}_narrow", kernel=1)
    return keras.Model(image, finish(x, outputs, stride=stem), name="fullnet")
