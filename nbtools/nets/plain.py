"""Networks without skip connections: convolutions one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from nbtools.nets.space_to_depth import SpaceToDepth, depth_to_space_head
from nbtools.nets.unet import image_input

Tensor = keras.KerasTensor


def plain(
    ndim: int,
    *,
    channels: int,
    outputs: int,
    convs: Sequence[tuple[int, int, int]],
    head: int = 3,
    stem: tuple[int, ...] | None = None,
) -> keras.Model:
    """Build a network of convolutions with ReLU and no pooling, as SP-CNN is.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes.
    channels, outputs : channels of the input and of the linear output.
    convs : channels, size and dilation of each convolution but the last.
    head : size of the last convolution.
    stem : stride of the first convolution along each axis, undone by the last; None for none.

    Returns
    -------
    keras.Model : (B, *space, channels) float32 → (B, *space, outputs) float32.

    References
    ----------
    Tofighi et al. 2018, arXiv:1807.03135.

    Examples
    --------
    >>> published = ((64, 5, 1), *((64, 3, 1),) * 4)
    >>> plain(2, channels=1, outputs=1, convs=published).count_params()
    149953
    """
    conv, strided = getattr(layers, f"Conv{ndim}D"), stem is not None and max(stem) > 1
    image = x = image_input(ndim, channels)
    first = 1
    if strided and ndim == 3:
        x = SpaceToDepth(stem, name="fold")(x)
    elif strided:
        first = stem
    about = {"padding": "same", "activation": "relu"}
    for i, (width, kernel, rate) in enumerate(convs):
        extra = {"strides": first} if i == 0 else {"dilation_rate": rate}
        x = conv(width, kernel, name=f"conv{i}", **about, **extra)(x)
    if not strided:
        x = conv(outputs, head, padding="same", name="head")(x)
    elif ndim == 3:
        x = depth_to_space_head(x, outputs, factors=stem)
    else:
        x = layers.Conv2DTranspose(outputs, stem, strides=stem, name="head")(x)
    return keras.Model(image, x, name="plain")


def vgg(
    ndim: int,
    *,
    channels: int,
    outputs: int,
    filters: Sequence[int],
    strides: Sequence[tuple[int, ...]],
    norm: bool,
) -> keras.Model:
    """Build two blocks of VGG16, four wider convolutions, and two upsamplings.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes.
    channels, outputs : channels of the input and of the linear output.
    filters : channels of the first block, of the second, and of the convolutions behind them.
    strides : pooling factors behind the two blocks, see `plan_pooling`.
    norm : normalise batches behind each convolution, and leave out nothing; else half of the
        channels are left out twice in training, as published.

    Returns
    -------
    keras.Model : (B, *space, channels) float32 → (B, *space, outputs) float32.

    References
    ----------
    Valkonen et al. 2020, doi:10.1109/JBHI.2020.3039414; Simonyan & Zisserman 2015,
    arXiv:1409.1556.
    """
    conv, pool = getattr(layers, f"Conv{ndim}D"), getattr(layers, f"MaxPooling{ndim}D")
    enlarge, sizes = getattr(layers, f"UpSampling{ndim}D"), []
    image = x = image_input(ndim, channels)

    def block(x: Tensor, width: int, *, name: str) -> Tensor:
        about = {"padding": "same", "use_bias": not norm, "name": name}
        x = conv(width, 3, **about)(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x) if norm else x
        return layers.Activation("relu", name=f"{name}_act")(x)

    for level, (width, stride) in enumerate(zip(filters[:2], strides, strict=True), 1):
        for i in (1, 2):
            x = block(x, width, name=f"block{level}_{i}")
        size = tuple(np.broadcast_to(stride, ndim).tolist())
        x = pool(size, name=f"pool{level}")(x)
        sizes.append(size)
    for i in range(4):
        x = block(x, filters[2], name=f"wide{i}")
        if i in (1, 3) and not norm:
            x = layers.Dropout(0.5, name=f"drop{i}")(x)
    for i, size in enumerate(reversed(sizes)):
        x = enlarge(size, name=f"up{i}")(x)
    x = conv(outputs, 3, padding="same", name="head")(x)
    return keras.Model(image, x, name="vgg")
