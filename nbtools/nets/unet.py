"""One U-Net builder for every U-Net-like network of the course, in 2D and 3D.

Ronneberger, Fischer & Brox 2015, doi:10.1007/978-3-319-24574-4_28; in 3D Çiçek et al. 2016,
doi:10.1007/978-3-319-46723-8_49.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers

from nbtools.errors import UserError
from nbtools.nets.norm import InstanceNorm
from nbtools.nets.space_to_depth import SpaceToDepth, depth_to_space_head

if TYPE_CHECKING:
    from nbtools.methods.domain import Domain

Tensor = keras.KerasTensor


LIGHT_VOLUME = {
    "widths": (32, 64, 128),
    "stem": (1, 2, 2),
    "merge": "add",
    "up_convs": 1,
}  # for two cores, about a third of the time


@dataclass(frozen=True)
class UNetPlan:
    """What can vary in a U-Net; one word a decision.

    widths : channels of each level, finest first; one pooling between neighbours.
    strides : pooling factor a level, an integer or one a spatial axis (anisotropic volumes pool z
        later); None means 2 everywhere.
    stem : stride of a first convolution that works at lower resolution; the output is brought back
        by a learned upsampling. In volumes so many pixels become channels instead, which takes a
        fraction of the time.
    kernel : of the convolutions.
    kernels : another one a level, an integer or one a spatial axis, where levels differ.
    norm : "batch", "instance" or "none".
    activation : a Keras activation, or "leaky" with a slope of 0.01.
    pool : "max", "blur" (anti-aliased max), "stride" (a strided convolution more) or "first" (a
        level's first convolution is strided).
    up : "nearest" or "transpose".             merge : "concat" or "add".
    top_skip : False leaves out the finest skip (N2V2).   residual : add the input to the output.
    grow_first : as in the 3D U-Net, widths double before the pooling, and up-convolutions keep
        their channels.
    taper : as in CSBDeep's U-Net, the last convolution before an upsampling already has the width
        of the finer level.
    bias : convolutions before a normalisation have a bias too.
    deep : deep supervision: so many further answers, of the next coarser levels, enlarged and put
        behind the finest one's channels.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    strides: tuple | None = None
    stem: int | tuple[int, ...] = 1
    stem_kernel: int = 5
    kernel: int = 3
    kernels: tuple | None = None
    convs: int = 2
    norm: str = "batch"
    activation: str = "relu"
    pool: str = "max"
    up: str = "nearest"
    merge: str = "concat"
    top_skip: bool = True
    residual: bool = False
    grow_first: bool = False
    up_convs: int | None = None
    taper: bool = False
    bias: bool = False
    deep: int = 0


def unet(ndim: int, *, channels: int = 1, outputs: int = 1, **plan) -> keras.Model:
    """A U-Net of any spatial size that its strides divide.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes.
    channels, outputs : channels of the input and of the linear output.
    plan : fields of `UNetPlan`.

    Returns
    -------
    keras.Model : (B, *space, channels) float32 → (B, *space, outputs) float32, without final
        activation; with deep supervision
    (1 + deep) · outputs channels, of which the layer "head" makes the first.

    Examples
    --------
    >>> unet(2, widths=(8, 16), outputs=3).output_shape
    (None, None, None, 3)
    """
    if ndim not in (2, 3):
        raise UserError(
            "A network has 2 or 3 spatial axes.", ndim, "Use images with axes YX or ZYX."
        )
    parts = _Parts(ndim, UNetPlan(**plan))
    image = keras.Input((None,) * ndim + (channels,), name="image")
    features = parts.decode(*parts.encode(parts.stem(image)))
    return keras.Model(image, parts.head(features, image, outputs=outputs), name="unet")


def level_strides(ndim: int, plan: UNetPlan) -> list[tuple[int, ...]]:
    """Pooling factors between levels, one tuple a pooling."""
    strides = plan.strides or (2,) * (len(plan.widths) - 1)
    return [(s,) * ndim if isinstance(s, int) else tuple(s) for s in strides]


def plan_pooling(
    ndim: int, spacing: tuple[float, ...] | None, *, count: int, stem: tuple[int, ...] = (1, 1, 1)
) -> tuple:
    """Pooling factors a level: an axis is pooled only while its pixels are not much larger than the
    finest (as nnU-Net plans).

    count : poolings.   stem : stride of what comes before the first level, along Z, Y, X.

    Examples
    --------
    >>> plan_pooling(3, (2.0, 1.0, 1.0), count=2)
    ((1, 2, 2), (2, 2, 2))
    """
    if ndim == 2:
        return (2,) * count
    size, strides = np.array(spacing or (1.0,) * 3) * stem, []
    for _ in range(count):
        stride = tuple(2 if s < 2 * size.min() * 0.99 else 1 for s in size)
        strides.append(stride)
        size = size * stride
    return tuple(strides)


def unet_for(domain: Domain, *, outputs: int, **plan) -> keras.Model:
    """A U-Net for the images of a domain: with their channels, pooled as their pixel size asks.

    Parameters
    ----------
    domain : what a method is made for, with `ndim`, `channels` and `spacing`.
    plan : fields of `UNetPlan`; of a stem, the stride along Z, Y and X.
    """
    stem, levels = plan.get("stem", (1, 1, 1)), len(plan["widths"])
    strides = plan_pooling(domain.ndim, domain.spacing, count=levels - 1, stem=stem)
    if "stem" in plan:
        plan["stem"] = stem[-domain.ndim :]
    about = {"channels": domain.channels, "outputs": outputs, "strides": strides}
    return unet(domain.ndim, **about, **plan)


class _Parts:
    """The named pieces of one U-Net: stem, encoder, decoder, head."""

    def __init__(self, ndim: int, plan: UNetPlan):
        self.ndim, self.plan = ndim, plan
        self.strides = level_strides(ndim, plan)
        self.stem_stride = (plan.stem,) * ndim if isinstance(plan.stem, int) else tuple(plan.stem)

    def layer(self, kind: str):
        return getattr(layers, f"{kind}{self.ndim}D")

    def stem(self, x: Tensor) -> Tensor:
        if max(self.stem_stride) == 1:
            return x
        if self.ndim == 3:
            return self.conv(
                SpaceToDepth(self.stem_stride, name="fold")(x), self.plan.widths[0], name="stem"
            )
        kernel = tuple(self.plan.stem_kernel if s > 1 else 3 for s in self.stem_stride)
        return self.conv(
            x, self.plan.widths[0], name="stem", kernel=kernel, strides=self.stem_stride
        )

    def encode(self, x: Tensor) -> tuple:
        skips = []
        for level, width in enumerate(self.plan.widths):
            strides = self.strides[level - 1] if level else 1
            if level and self.plan.pool != "first":
                x, strides = self.shrink(x, strides, width=width, level=level), 1
            x = self.convs(
                x, self.widths_at(level), level=level, name=f"enc{level}", strides=strides
            )
            skips.append(x)
        return x, skips[:-1]

    def decode(self, x: Tensor, skips: list) -> list[Tensor]:
        """What each level has to say, finest first."""
        said = []
        for level in reversed(range(len(skips))):
            width = self.plan.widths[level]
            x = self.enlarge(x, self.strides[level], width=width, name=f"up{level}")
            if level or self.plan.top_skip:
                x = self.merge(x, skips[level], level=level)
            last = self.plan.widths[max(0, level - 1)] if self.plan.taper else width
            x = self.convs(
                x,
                [width] * ((self.plan.up_convs or self.plan.convs) - 1) + [last],
                level=level,
                name=f"dec{level}",
            )
            said.insert(0, x)
        return said or [x]

    def head(self, features: list[Tensor], image: Tensor, *, outputs: int) -> Tensor:
        x = features[0]
        if max(self.stem_stride) > 1:
            up = self.layer("Conv")(
                self.plan.widths[0], 1, activation=self.plan.activation, name="head_mix"
            )(x)
            if self.ndim == 3:
                x = depth_to_space_head(up, outputs, factors=self.stem_stride)
            else:
                x = self.layer_transpose(outputs, self.stem_stride, name="head")(up)
        else:
            x = self.layer("Conv")(outputs, 1, name="head")(x)
        answers = [
            x,
            *(
                self.deep_head(f, level, outputs=outputs)
                for level, f in enumerate(features[: 1 + self.plan.deep])
                if level
            ),
        ]
        x = layers.Concatenate(name="answers")(answers) if len(answers) > 1 else x
        return layers.Add(name="residual")([x, image]) if self.plan.residual else x

    def deep_head(self, x: Tensor, level: int, *, outputs: int) -> Tensor:
        """The answer of a coarser level, each pixel repeated: compared with the full truth it is
        asked for the share of each class.
        """
        x = self.layer("Conv")(outputs, 1, name=f"deep{level}")(x)
        size = np.prod([self.stem_stride, *self.strides[:level]], axis=0)
        return self.layer("UpSampling")(tuple(map(int, size)), name=f"deep{level}_up")(x)

    def widths_at(self, level: int) -> list[int]:
        width = self.plan.widths[level]
        first = width // 2 if self.plan.grow_first else width
        widths = [first] + [width] * (self.plan.convs - 1)
        deepest = level == len(self.plan.widths) - 1
        return (
            [*widths[:-1], self.plan.widths[level - 1]] if self.plan.taper and deepest else widths
        )

    def convs(
        self, x: Tensor, widths: list[int], *, level: int, name: str, strides: object = 1
    ) -> Tensor:
        for i, width in enumerate(widths):
            x = self.conv(
                x,
                width,
                name=f"{name}_{i}",
                kernel=self.kernel_at(level),
                strides=1 if i else strides,
            )
        return x

    def kernel_at(self, level: int) -> object:
        return self.plan.kernels[level] if self.plan.kernels else self.plan.kernel

    def conv(
        self, x: Tensor, width: int, *, name: str, kernel: object = None, strides: object = 1
    ) -> Tensor:
        bias = self.plan.bias or self.plan.norm == "none"
        x = self.layer("Conv")(
            width,
            kernel or self.plan.kernel,
            strides=strides,
            padding="same",
            use_bias=bias,
            name=name,
        )(x)
        if self.plan.norm == "batch":
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
        if self.plan.norm == "instance":
            x = InstanceNorm(name=f"{name}_in")(x)
        if self.plan.activation == "leaky":
            return layers.LeakyReLU(negative_slope=0.01, name=f"{name}_act")(x)
        return layers.Activation(self.plan.activation, name=f"{name}_act")(x)

    def shrink(self, x: Tensor, strides: tuple[int, ...], *, width: int, level: int) -> Tensor:
        name = f"down{level}"
        if self.plan.pool == "stride":
            return self.conv(x, width, name=name, kernel=self.kernel_at(level), strides=strides)
        if self.plan.pool == "blur":
            return self.blur_pool(x, strides, name=name)
        return self.layer("MaxPooling")(strides, name=name)(x)

    def blur_pool(self, x: Tensor, strides: tuple[int, ...], *, name: str) -> Tensor:
        """Max over neighbours, then a fixed binomial blur while striding: no aliasing (Zhang 2019,
        arXiv:1904.11486).
        """
        x = self.layer("MaxPooling")(strides, strides=1, padding="same", name=f"{name}_max")(x)
        return _Blur(self.ndim, strides, name=name)(x)

    def enlarge(self, x: Tensor, strides: tuple[int, ...], *, width: int, name: str) -> Tensor:
        if self.plan.up == "transpose":
            return self.layer_transpose(
                x.shape[-1] if self.plan.grow_first else width, strides, name=name
            )(x)
        if self.plan.merge == "add" and x.shape[-1] != width:
            x = self.layer("Conv")(width, 1, name=f"{name}_mix")(
                x
            )  # cheaper before the pixels multiply
        return self.layer("UpSampling")(strides, name=name)(x)

    def layer_transpose(self, width: int, strides: tuple[int, ...], *, name: str) -> keras.Layer:
        return getattr(layers, f"Conv{self.ndim}DTranspose")(
            width, strides, strides=strides, name=name
        )

    def merge(self, x: Tensor, skip: Tensor, *, level: int) -> Tensor:
        kind = layers.Add if self.plan.merge == "add" else layers.Concatenate
        return kind(name=f"merge{level}")([x, skip])


@keras.saving.register_keras_serializable("nbtools")
class _Blur(layers.Layer):
    """Fixed (1, 2, 1) blur, applied per channel along each pooled axis, then every `strides`-th
    pixel.
    """

    def __init__(self, ndim: int, strides: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.ndim, self.strides = ndim, tuple(strides)

    def call(self, x: Tensor) -> Tensor:
        for axis, stride in enumerate(self.strides, start=1):
            if stride > 1:
                x = _blur_axis(x, axis, stride=stride)
        return x

    def compute_output_shape(self, shape: tuple) -> tuple:
        space = [
            None if s is None else -(-s // stride)
            for s, stride in zip(shape[1:-1], self.strides, strict=True)
        ]
        return (shape[0], *space, shape[-1])

    def receptive(self) -> tuple[np.ndarray, np.ndarray]:
        """(stride, reach in its own input) an axis, for the tile plan."""
        strides = np.array(self.strides)
        return strides, np.where(strides > 1, strides, 0)

    def get_config(self):
        return {**super().get_config(), "ndim": self.ndim, "strides": self.strides}


def _blur_axis(x: Tensor, axis: int, *, stride: int) -> Tensor:
    ops = keras.ops
    pad = [(1, 1) if a == axis else (0, 0) for a in range(len(x.shape))]
    x = ops.pad(x, pad, mode="reflect" if x.shape[axis] is None or x.shape[axis] > 1 else "edge")

    def take(start: int, stop: int | None):
        return x[
            tuple(slice(start, stop) if a == axis else slice(None) for a in range(len(x.shape)))
        ]

    blurred = (take(0, -2) + 2.0 * take(1, -1) + take(2, None)) / 4.0
    return blurred[
        tuple(slice(None, None, stride) if a == axis else slice(None) for a in range(len(x.shape)))
    ]
