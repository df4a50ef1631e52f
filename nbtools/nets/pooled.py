"""Networks that give one row of numbers per image: small ones of our own, and those of Keras.

Small crops need small networks: ours keep the resolution for longer, have few channels, and take
any number of channels and 2D or 3D. `paper_classifier` builds the published ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers

from nbtools.errors import UserError
from nbtools.nets.space_to_depth import SpaceToDepth
from nbtools.nets.unet import image_input

if TYPE_CHECKING:
    from nbtools.methods.domain import Domain

Tensor = keras.KerasTensor
PREFIX = "enc0_"  # of the layers of a published network, by which an encoder is found again
PUBLISHED = {
    "vgg16": "VGG16",
    "resnet50": "ResNet50",
    "densenet121": "DenseNet121",
    "efficientnetb0": "EfficientNetB0",
}
# layers of the published networks that hold the features of each resolution, from half of it
LEVELS = {
    "resnet50": (
        "conv1_relu",
        "conv2_block3_out",
        "conv3_block4_out",
        "conv4_block6_out",
        "conv5_block3_out",
    ),
    "densenet121": (
        "conv1_relu",
        "conv2_block6_concat",
        "conv3_block12_concat",
        "conv4_block24_concat",
        "relu",
    ),
    "efficientnetb0": (
        "block2a_expand_activation",
        "block3a_expand_activation",
        "block4a_expand_activation",
        "block6a_expand_activation",
        "top_activation",
    ),
}


@dataclass(frozen=True)
class PooledConfig:
    """What can vary in a small network that ends in one row of numbers.

    Parameters
    ----------
    kind : of its blocks: "plain" (VGG), "residual" (ResNet), "dense" (DenseNet) or "inverted"
        (EfficientNet).
    filters : channels of each level; each but the first begins with a halving of the resolution.
    blocks : per level.
    dropout : share of the last features that are dropped in training.
    strides : factors of each halving, along each spatial axis; () for 2 along all of them.
    stem : block of pixels along each axis that become channels before the first level; () for none.
    """

    kind: str = "residual"
    filters: tuple[int, ...] = (16, 32, 64)
    blocks: int = 2
    dropout: float = 0.2
    strides: tuple[tuple[int, ...], ...] = ()
    stem: tuple[int, ...] = ()


def pooled(ndim: int, *, channels: int = 1, outputs: int = 2, **config) -> keras.Model:
    """Build a small network for images of any size, with one row of outputs per image.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes.
    channels : of the input.
    outputs : channels of the linear output.
    config : fields of `PooledConfig`.

    Returns
    -------
    keras.Model : (B, *space, channels), mean 0 and standard deviation 1 → (B, outputs) logits.

    Examples
    --------
    >>> pooled(2, channels=3, outputs=4, filters=(8, 16), blocks=1).output.shape
    (None, 4)

    References
    ----------
    Simonyan and Zisserman 2015, arXiv:1409.1556 (VGG). He et al. 2016, arXiv:1512.03385 (ResNet).
    Huang et al. 2017, arXiv:1608.06993 (DenseNet). Tan and Le 2019, arXiv:1905.11946
    (EfficientNet).
    """
    parts = PooledConfig(**config)
    image, levels = encoder(ndim, channels=channels, **config)
    x = _Builder(ndim, parts).finish(levels[-1], outputs)
    return keras.Model(image, x, name=parts.kind)


def encoder(ndim: int, *, channels: int = 1, **config) -> tuple[Tensor, list[Tensor]]:
    """Build the levels of a small network, without what makes one row of numbers of them.

    Parameters
    ----------
    ndim, channels, config : as for `pooled`.

    Returns
    -------
    Input (B, *space, channels), and the features of each level, finest first.

    Examples
    --------
    >>> _, levels = encoder(2, filters=(8, 16), blocks=1)
    >>> [level.shape[-1] for level in levels]
    [8, 16]
    """
    parts = PooledConfig(**config)
    build = _Builder(ndim, parts)
    image = x = image_input(ndim, channels)
    if max(parts.stem, default=1) > 1:
        x = SpaceToDepth(parts.stem, name="fold")(x)
    x = build.conv(x, parts.filters[0], name="stem")
    levels = []
    for level, width in enumerate(parts.filters):
        if level:
            x = build.halve(x, width, level=level)
        for block in range(parts.blocks):
            x = build.block(x, width, name=f"enc{level}_block{block}")
        levels.append(x)
    return image, levels


def plan_halvings(
    levels: int, spacing: Sequence[float] | None, *, ndim: int
) -> tuple[tuple[int, ...], ...]:
    """Factors of each halving: an axis with larger pixels waits until the others are as coarse.

    Parameters
    ----------
    levels : number of levels; one halving fewer.
    spacing : pixel size along each axis; None for equal ones.
    ndim : number of axes.

    Examples
    --------
    >>> plan_halvings(4, (2.0, 0.5, 0.5), ndim=3)
    ((1, 2, 2), (1, 2, 2), (2, 2, 2))
    """
    now = list(spacing or (1.0,) * ndim)
    found = []
    for _ in range(levels - 1):
        finest = min(now)
        step = tuple(2 if size < 1.5 * finest else 1 for size in now)
        now = [size * factor for size, factor in zip(now, step, strict=True)]
        found.append(step)
    return tuple(found)


def plan_encoder(
    domain: Domain, *, levels: int, stem: tuple[int, ...] = (1, 1, 1)
) -> tuple[tuple[int, ...], ...]:
    """Strides of an encoder for the images of a domain.

    Parameters
    ----------
    domain : with `ndim` and `spacing`.
    levels : of the encoder.
    stem : of volumes; planes begin at full resolution.

    Returns
    -------
    Stride of the first level on the image, and of each on the one before.
    """
    first = np.array(stem if domain.ndim == 3 else (1,) * domain.ndim)
    spacing = tuple(np.array(domain.spacing or (1.0,) * domain.ndim) * first)
    return tuple(map(int, first)), *plan_halvings(levels, spacing, ndim=domain.ndim)


def encoder_for(
    domain: Domain, *, stem: tuple[int, ...] = (1, 1, 1), **plan
) -> tuple[Tensor, list[Tensor], tuple[tuple[int, ...], ...]]:
    """An encoder for the images of a domain, halved as their pixel size asks.

    Parameters
    ----------
    domain : with `ndim`, `channels` and `spacing`.
    stem : as for `plan_encoder`.
    plan : fields of `PooledConfig`.

    Returns
    -------
    Input, features of each level, and their strides, see `plan_encoder`.
    """
    steps = plan_encoder(domain, levels=len(plan["filters"]), stem=stem)
    about = {"channels": domain.channels, "stem": steps[0], "strides": steps[1:]}
    return *encoder(domain.ndim, **about, **plan), steps


class _Builder:
    """Blocks of the four kinds. Layer names stay: saved networks know them."""

    def __init__(self, ndim: int, config: PooledConfig):
        self.ndim, self.config = ndim, config
        kinds: dict[str, Callable] = {
            "plain": self._plain,
            "residual": self._residual,
            "dense": self._dense,
            "inverted": self._inverted,
        }
        self.block = kinds[config.kind]

    def layer(self, kind: str, *about: object, **named: object) -> layers.Layer:
        return getattr(layers, f"{kind}{self.ndim}D")(*about, **named)

    def conv(
        self,
        x: Tensor,
        width: int,
        *,
        name: str,
        kernel: int = 3,
        stride: int | tuple[int, ...] = 1,
        activation: str = "relu",
    ) -> Tensor:
        """Convolution, batch normalisation, activation."""
        about = {"strides": stride, "padding": "same", "use_bias": False, "name": name}
        x = self.layer("Conv", width, kernel, **about)(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        return layers.Activation(activation, name=f"{name}_act")(x) if activation else x

    def halve(self, x: Tensor, width: int, *, level: int) -> Tensor:
        """Half the resolution; what has no stride of its own is the maximum of each block."""
        step = self.config.strides[level - 1] if self.config.strides else (2,) * self.ndim
        if self.config.kind in ("residual", "inverted"):
            return self.conv(x, width, name=f"down{level}", stride=step)
        x = self.conv(x, width, name=f"down{level}", kernel=1)
        return self.layer("MaxPooling", step, padding="same", name=f"down{level}_pool")(x)

    def _plain(self, x: Tensor, width: int, *, name: str) -> Tensor:
        return self.conv(x, width, name=name)

    def _residual(self, x: Tensor, width: int, *, name: str) -> Tensor:
        y = self.conv(x, width, name=f"{name}_conv0")
        y = self.conv(y, width, name=f"{name}_conv1", activation="")
        if x.shape[-1] != width:
            x = self.conv(x, width, name=f"{name}_short", kernel=1, activation="")
        x = layers.Add(name=f"{name}_add")([x, y])
        return layers.Activation("relu", name=f"{name}_act")(x)

    def _dense(self, x: Tensor, width: int, *, name: str) -> Tensor:
        """A quarter of the width is made new, and stands beside what there was."""
        y = self.conv(x, width, name=f"{name}_conv0", kernel=1)
        y = self.conv(y, max(4, width // 4), name=f"{name}_conv1")
        return layers.Concatenate(name=f"{name}_join")([x, y])

    def _inverted(self, x: Tensor, width: int, *, name: str) -> Tensor:
        """Widen, look at each channel by itself, weigh channels, narrow.

        In 3D, where processors have no convolution of single channels, widening looks around as
        well (Tan and Le 2021, arXiv:2104.00298).
        """
        wide, volume = 3 * x.shape[-1], self.ndim == 3
        kernel = 3 if volume else 1
        y = self.conv(x, wide, name=f"{name}_widen", kernel=kernel, activation="silu")
        if not volume:
            about = {"padding": "same", "use_bias": False, "name": f"{name}_each"}
            y = layers.DepthwiseConv2D(3, **about)(y)
            y = layers.BatchNormalization(name=f"{name}_each_norm")(y)
            y = layers.Activation("silu", name=f"{name}_each_act")(y)
        share = self.layer("GlobalAveragePooling", keepdims=True, name=f"{name}_mean")(y)
        few = max(2, x.shape[-1] // 4)
        share = self.layer("Conv", few, 1, activation="silu", name=f"{name}_squeeze")(share)
        share = self.layer("Conv", wide, 1, activation="sigmoid", name=f"{name}_share")(share)
        y = layers.Multiply(name=f"{name}_weigh")([y, share])
        y = self.conv(y, width, name=f"{name}_narrow", kernel=1, activation="")
        return layers.Add(name=f"{name}_add")([x, y]) if x.shape[-1] == width else y

    def finish(self, x: Tensor, outputs: int) -> Tensor:
        """Means over the image, dropout, and one number per class."""
        x = self.layer("GlobalAveragePooling", name="mean")(x)
        x = layers.Dropout(self.config.dropout, name="drop")(x)
        return layers.Dense(outputs, name="head")(x)


def paper_classifier(
    name: str, *, channels: int = 3, outputs: int = 1000, dropout: float = 0.2
) -> keras.Model:
    """Build a published network from Keras, with means over the image in place of what follows.

    EfficientNet in Keras divides by 255 what it is given: that layer is told to leave grey values
    as they are, since ours have mean 0 and standard deviation 1. Layers get the names by which an
    encoder is found again.

    Parameters
    ----------
    name : "vgg16", "resnet50", "densenet121" or "efficientnetb0".
    channels, outputs : of the input and of the linear output.
    dropout : share of the last features that are dropped in training.

    Returns
    -------
    keras.Model : (B, Y, X, channels) → (B, outputs) logits.

    Examples
    --------
    >>> paper_classifier("resnet50").count_params()
    25636712
    """
    trunk = _published_trunk(name, channels)
    x = layers.GlobalAveragePooling2D(name="mean")(trunk.output)
    x = layers.Dropout(dropout, name="drop")(x)
    return keras.Model(trunk.input, layers.Dense(outputs, name="head")(x), name=name)


def paper_encoder(name: str, *, channels: int = 3) -> tuple[Tensor, list[Tensor]]:
    """Build the levels of a published network from Keras, see `paper_classifier`.

    Parameters
    ----------
    name : "resnet50", "densenet121" or "efficientnetb0".
    channels : of the input.

    Returns
    -------
    Input (B, Y, X, channels), and the features at strides 2, 4, 8, 16 and 32.
    """
    trunk = _published_trunk(name, channels)
    return trunk.input, [trunk.get_layer(f"enc0_{level}").output for level in LEVELS[name]]


def paper_encoder_for(
    domain: Domain, name: str, *, first: int = 0
) -> tuple[Tensor, list[Tensor], tuple[tuple[int, ...], ...]]:
    """A published encoder for the images of a domain.

    Parameters
    ----------
    domain : with `ndim` and `channels`.
    name : as for `paper_encoder`.
    first : finest level that is wanted; 0 has half the resolution.

    Returns
    -------
    Input, features of each level, and their strides, see `plan_encoder`.

    Raises
    ------
    UserError : for volumes there is none.
    """
    if domain.ndim == 3:
        raise UserError(
            "The published encoders are of planes.",
            f"preset paper ({PUBLISHED[name]}) for volumes",
            "Use preset small.",
        )
    image, stages = paper_encoder(name, channels=domain.channels)
    steps = ((2 ** (first + 1),) * 2, *((2, 2),) * (len(stages) - first - 1))
    return image, stages[first:], steps


def _published_trunk(name: str, channels: int) -> keras.Model:
    """A published network without its last layers, named as an encoder."""
    trunk = make_trunk(name, channels=channels)
    return keras.models.clone_model(trunk, clone_function=_take_over)


def make_trunk(name: str, *, channels: int) -> keras.Model:
    """The published network up to its last features, as Keras has it, of random weights.

    Parameters
    ----------
    name : as of `paper_classifier`.
    channels : of the input.
    """
    make = getattr(keras.applications, PUBLISHED[name])
    return make(include_top=False, weights=None, input_shape=(None, None, channels))


def _take_over(layer: layers.Layer) -> layers.Layer:
    """A layer of a published network, named as of an encoder; one that rescales no longer does."""
    about = layer.get_config()
    if not isinstance(layer, layers.InputLayer):
        about["name"] = f"{PREFIX}{about['name']}"
    if isinstance(layer, layers.Rescaling):
        about |= {"scale": 1.0, "offset": 0.0}
    return type(layer).from_config(about)
