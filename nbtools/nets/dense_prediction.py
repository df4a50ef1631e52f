"""Ways from the levels of an encoder to one output per pixel: feature pyramid, or U-Net decoder.

Lin et al. 2017, doi:10.1109/CVPR.2017.106, and for pixels Kirillov et al. 2019, arXiv:1901.02446:
a pyramid adds levels of one width and predicts from all of them. Ronneberger et al. 2015,
doi:10.1007/978-3-319-24574-4_28: a U-Net concatenates them and predicts from the finest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from nbtools.nets.pyramid import Strides, top_down
from nbtools.nets.space_to_depth import depth_to_space_head

Tensor = keras.KerasTensor


@dataclass(frozen=True)
class DecoderConfig:
    """What can vary in a decoder.

    Parameters
    ----------
    features : channels of the pyramid.
    head : channels of each level of the pyramid before they are summed.
    finest : channels of the finest level of a U-Net decoder; coarser ones have twice as many each.
    """

    features: int = 32
    head: int = 16
    finest: int = 16


def decode_pyramid(stages: Sequence[Tensor], steps: Strides, *, config: DecoderConfig) -> Tensor:
    """Features of the finest level: a pyramid, whose levels are upsampled step by step and summed.

    Parameters
    ----------
    stages : features of an encoder, finest first.
    steps : stride of each stage on the one before; that of the first is not used.
    config : of the decoder.
    """
    levels = top_down(len(steps[0]), stages, steps=steps, features=config.features)
    return sum_levels(levels, steps, width=config.head)


def sum_levels(levels: Sequence[Tensor], steps: Strides, *, width: int, prefix: str = "") -> Tensor:
    """Levels of a pyramid, each brought to the finest step by step, and summed.

    Parameters
    ----------
    levels : of a pyramid, finest first.
    steps : as for `decode_pyramid`.
    width : channels of the sum.
    prefix : of the names of the layers.
    """
    parts, raised = _Decoder(len(steps[0])), []
    for level, x in enumerate(levels):
        name = f"{prefix}raise{level}"
        for finer in reversed(range(level)):
            x = parts.conv(x, width, name=f"{name}_{finer}")
            x = parts.enlarge(x, steps[finer + 1], name=f"{name}_{finer}_up")
        raised.append(x if level else parts.conv(x, width, name=name))
    return layers.Add(name=f"{prefix}sum")(raised)


def decode_unet(stages: Sequence[Tensor], steps: Strides, *, config: DecoderConfig) -> Tensor:
    """Features of the finest level: upsampled, concatenated and convolved level by level.

    Parameters
    ----------
    stages, steps, config : as for `decode_pyramid`.
    """
    parts, x = _Decoder(len(steps[0])), stages[-1]
    for level in reversed(range(len(stages) - 1)):
        x = parts.enlarge(x, steps[level + 1], name=f"up{level}")
        x = layers.Concatenate(name=f"merge{level}")([x, stages[level]])
        for i in range(2):
            x = parts.conv(x, config.finest * 2**level, name=f"dec{level}_{i}")
    return x


DECODERS = {"fpn": decode_pyramid, "unet": decode_unet}


def finish(x: Tensor, outputs: int, *, stride: Sequence[int], prefix: str = "") -> Tensor:
    """Linear output at the resolution of the image.

    Parameters
    ----------
    x : (B, *space / stride, C).
    outputs : channels.
    stride : pixels of the image per pixel of `x`, along each axis.
    prefix : of the names of the layers.
    """
    if max(stride) == 1:
        return getattr(layers, f"Conv{len(stride)}D")(outputs, 1, name=f"{prefix}head")(x)
    return depth_to_space_head(x, outputs, factors=tuple(map(int, stride)), prefix=prefix)


def dense_prediction(
    image: Tensor,
    stages: Sequence[Tensor],
    *,
    steps: Strides,
    decoder: str,
    outputs: int,
    config: DecoderConfig,
) -> keras.Model:
    """A network that predicts each pixel from the levels of an encoder.

    Parameters
    ----------
    image, stages : input of the encoder, and its features, finest first.
    steps : stride of the first stage on the image, and of each on the one before.
    decoder : "fpn" or "unet".
    outputs : channels.
    config : of the decoder.

    Examples
    --------
    >>> from nbtools.nets.pooled import encoder
    >>> image, stages = encoder(2, filters=(8, 16), blocks=1)
    >>> about = {"steps": ((1, 1), (2, 2)), "decoder": "fpn", "config": DecoderConfig()}
    >>> dense_prediction(image, stages, outputs=3, **about).output_shape
    (None, None, None, 3)
    """
    x = DECODERS[decoder](stages, steps, config=config)
    return keras.Model(image, finish(x, outputs, stride=np.array(steps[0])), name=decoder)


def panoptic(
    image: Tensor,
    stages: Sequence[Tensor],
    *,
    steps: Strides,
    heads: Mapping[str, int],
    config: DecoderConfig,
) -> keras.Model:
    """A network of several heads on one pyramid, concatenated: a PanopticNet.

    Parameters
    ----------
    image, stages, steps, config : as for `dense_prediction`.
    heads : name → channels, in their order.

    Examples
    --------
    >>> from nbtools.nets.pooled import encoder
    >>> image, stages = encoder(2, filters=(8, 16), blocks=1)
    >>> about = {"steps": ((1, 1), (2, 2)), "config": DecoderConfig()}
    >>> panoptic(image, stages, heads={"distance": 1, "classes": 3}, **about).output_shape
    (None, None, None, 4)
    """
    levels, found = top_down(len(steps[0]), stages, steps=steps, features=config.features), []
    for name, outputs in heads.items():
        x = sum_levels(levels, steps, width=config.head, prefix=f"{name}_")
        found.append(finish(x, outputs, stride=steps[0], prefix=f"{name}_"))
    return keras.Model(image, layers.Concatenate(name="heads")(found), name="panoptic")


@dataclass
class _Decoder:
    """Layers of a decoder. Their names stay: saved networks know them."""

    ndim: int

    def layer(self, kind: str) -> type:
        return getattr(layers, f"{kind}{self.ndim}D")

    def conv(self, x: Tensor, width: int, *, name: str) -> Tensor:
        about = {"padding": "same", "use_bias": False, "name": name}
        x = self.layer("Conv")(width, 3, **about)(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_act")(x)

    def enlarge(self, x: Tensor, step: Sequence[int], *, name: str) -> Tensor:
        return self.layer("UpSampling")(tuple(map(int, step)), name=name)(x)
