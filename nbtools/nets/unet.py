"""One builder for every U-Net-like network, in 2D and 3D.

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


# for two cores: about a third of the time of the default in volumes
LIGHT_VOLUME = {
    "filters": (32, 64, 128),
    "stem": (1, 2, 2),
    "skip_mode": "add",
    "decoder_convs": 1,
}


@dataclass(frozen=True)
class UNetConfig:
    """What can vary in a U-Net.

    Parameters
    ----------
    filters : channels of each level, finest first; one pooling between neighbouring levels.
    strides : pooling factor between levels, an integer or one per spatial axis (anisotropic
        volumes pool z later); None means 2 everywhere.
    stem : stride of a first convolution, so that the network works at lower resolution; the output
        is brought back by a learned upsampling. In volumes the pixels of a block become channels
        instead (`SpaceToDepth`), which takes a fraction of the time.
    stem_kernel : kernel size of that convolution along its strided axes.
    kernel : kernel size of the convolutions.
    kernels : kernel size of each level, an integer or one per spatial axis; None: `kernel`.
    convs : convolutions per level.
    norm : "batch", "instance" or "none".
    activation : a Keras activation, or "leaky" for a leaky ReLU with slope 0.01.
    pool : "max", "blur" (anti-aliased max), "stride" (an additional strided convolution) or "first"
        (the first convolution of a level is strided).
    upsampling : "nearest" or "transpose" (a transposed convolution).
    skip_mode : skip connections are joined by "concat" or "add".
    topmost_skip : False leaves out the skip connection of the finest level, as in N2V2
        (Höck et al. 2022, arXiv:2211.08512).
    residual : add the input to the output.
    double_before_pooling : as in the 3D U-Net, a level doubles its channels before the pooling, and
        up-convolutions keep theirs.
    decoder_convs : convolutions per level of the decoder; None: `convs`.
    narrow_before_upsampling : as in CSBDeep's U-Net, the last convolution before an upsampling
        already has the channels of the finer level.
    bias : convolutions before a normalisation have a bias, too.
    deep_supervision : number of further outputs, of the next coarser levels, upsampled and
        concatenated after the channels of the finest.
    """

    filters: tuple[int, ...] = (32, 64, 128)
    strides: tuple | None = None
    stem: int | tuple[int, ...] = 1
    stem_kernel: int = 5
    kernel: int = 3
    kernels: tuple | None = None
    convs: int = 2
    norm: str = "batch"
    activation: str = "relu"
    pool: str = "max"
    upsampling: str = "nearest"
    skip_mode: str = "concat"
    topmost_skip: bool = True
    residual: bool = False
    double_before_pooling: bool = False
    decoder_convs: int | None = None
    narrow_before_upsampling: bool = False
    bias: bool = False
    deep_supervision: int = 0


def unet(ndim: int, *, channels: int = 1, outputs: int = 1, **config) -> keras.Model:
    """Build a U-Net for images of any size that its strides divide.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes.
    channels, outputs : channels of the input and of the linear output.
    config : fields of `UNetConfig`.

    Returns
    -------
    keras.Model : (B, *space, channels) float32 → (B, *space, outputs) float32, without final
        activation; with deep supervision (1 + deep_supervision) · outputs channels, the first of
        which are made by the layer "head".

    Raises
    ------
    UserError : another number of axes.

    Examples
    --------
    >>> unet(2, filters=(8, 16), outputs=3).output_shape
    (None, None, None, 3)

    References
    ----------
    Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28; in 3D Çiçek et al. 2016,
    doi:10.1007/978-3-319-46723-8_49.
    """
    parts = _Builder(ndim, UNetConfig(**config))
    image = image_input(ndim, channels)
    features = parts.decode(*parts.encode(parts.stem(image)))
    return keras.Model(image, parts.head(features, image, outputs=outputs), name="unet")


def image_input(ndim: int, channels: int) -> Tensor:
    """Make the input (B, *space, channels) of a network.

    Parameters
    ----------
    ndim : number of spatial axes, 2 or 3.
    channels : of the images.

    Raises
    ------
    UserError : another number of spatial axes than 2 or 3.
    """
    if ndim not in (2, 3):
        raise UserError(
            "A network has 2 or 3 spatial axes.", ndim, "Use images with axes YX or ZYX."
        )
    return keras.Input((None,) * ndim + (channels,), name="image")


def level_strides(ndim: int, config: UNetConfig) -> list[tuple[int, ...]]:
    """Pooling factors between levels, one tuple per pooling.

    Parameters
    ----------
    ndim : number of spatial axes.
    config : with the strides, 2 along every axis by default.
    """
    strides = config.strides or (2,) * (len(config.filters) - 1)
    return [(s,) * ndim if isinstance(s, int) else tuple(s) for s in strides]


def plan_pooling(
    ndim: int, spacing: tuple[float, ...] | None, *, count: int, stem: tuple[int, ...] = (1, 1, 1)
) -> tuple:
    """Choose the pooling factors between levels from the pixel size.

    An axis is pooled only while its pixels are less than twice as large as the finest, so that
    features become isotropic before z is pooled.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes; in 2D every pooling is 2.
    spacing : pixel size along Z, Y, X; None: isotropic.
    count : number of poolings.
    stem : stride along Z, Y, X of what comes before the first level.

    Examples
    --------
    >>> plan_pooling(3, (2.0, 1.0, 1.0), count=2)
    ((1, 2, 2), (2, 2, 2))

    References
    ----------
    Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (supplementary note on network topology).
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
    outputs : channels of the output.
    plan : fields of `UNetConfig`; of a stem, the stride along Z, Y and X.
    """
    stem, levels = plan.get("stem", (1, 1, 1)), len(plan["filters"])
    strides = plan_pooling(domain.ndim, domain.spacing, count=levels - 1, stem=stem)
    if "stem" in plan:
        plan["stem"] = stem[-domain.ndim :]
    about = {"channels": domain.channels, "outputs": outputs, "strides": strides}
    return unet(domain.ndim, **about, **plan)


class _Builder:
    """Stem, encoder, decoder and head. Layer names stay: saved networks know them."""

    def __init__(self, ndim: int, config: UNetConfig):
        self.ndim, self.config = ndim, config
        self.strides = level_strides(ndim, config)
        stem = (config.stem,) * ndim if isinstance(config.stem, int) else config.stem
        self.stem_stride = tuple(stem)

    def layer(self, kind: str):
        return getattr(layers, f"{kind}{self.ndim}D")

    def stem(self, x: Tensor) -> Tensor:
        if max(self.stem_stride) == 1:
            return x
        if self.ndim == 3:
            return self.conv(
                SpaceToDepth(self.stem_stride, name="fold")(x), self.config.filters[0], name="stem"
            )
        kernel = tuple(self.config.stem_kernel if s > 1 else 3 for s in self.stem_stride)
        return self.conv(
            x, self.config.filters[0], name="stem", kernel=kernel, strides=self.stem_stride
        )

    def encode(self, x: Tensor) -> tuple:
        skips = []
        for level, width in enumerate(self.config.filters):
            strides = self.strides[level - 1] if level else 1
            if level and self.config.pool != "first":
                x, strides = self.shrink(x, strides, width=width, level=level), 1
            filters = self.filters_at(level)
            x = self.convs(x, filters, level=level, name=f"enc{level}", strides=strides)
            skips.append(x)
        return x, skips[:-1]

    def decode(self, x: Tensor, skips: list) -> list[Tensor]:
        """Features of each level of the decoder, finest first."""
        found = []
        for level in reversed(range(len(skips))):
            width = self.config.filters[level]
            x = self.enlarge(x, self.strides[level], width=width, name=f"up{level}")
            if level or self.config.topmost_skip:
                x = self.merge(x, skips[level], level=level)
            filters = [width] * (self.config.decoder_convs or self.config.convs)
            if self.config.narrow_before_upsampling:
                filters[-1] = self.config.filters[max(0, level - 1)]
            x = self.convs(x, filters, level=level, name=f"dec{level}")
            found.insert(0, x)
        return found or [x]

    def head(self, features: list[Tensor], image: Tensor, *, outputs: int) -> Tensor:
        heads = [self.finest_head(features[0], outputs)]
        for level in range(1, min(len(features), 1 + self.config.deep_supervision)):
            heads.append(self.deep_head(features[level], level, outputs=outputs))
        x = layers.Concatenate(name="answers")(heads) if len(heads) > 1 else heads[0]
        return layers.Add(name="residual")([x, image]) if self.config.residual else x

    def finest_head(self, x: Tensor, outputs: int) -> Tensor:
        """Linear output at full resolution: behind a stem, brought back to it."""
        if max(self.stem_stride) == 1:
            return self.layer("Conv")(outputs, 1, name="head")(x)
        mix = self.layer("Conv")(
            self.config.filters[0], 1, activation=self.config.activation, name="head_mix"
        )
        if self.ndim == 3:
            return depth_to_space_head(mix(x), outputs, factors=self.stem_stride)
        return self.layer_transpose(outputs, self.stem_stride, name="head")(mix(x))

    def deep_head(self, x: Tensor, level: int, *, outputs: int) -> Tensor:
        """Output of a coarser level, each pixel repeated.

        Compared with the truth at full resolution, its best value is the mean truth of its block.
        """
        x = self.layer("Conv")(outputs, 1, name=f"deep{level}")(x)
        size = np.prod([self.stem_stride, *self.strides[:level]], axis=0)
        return self.layer("UpSampling")(tuple(map(int, size)), name=f"deep{level}_up")(x)

    def filters_at(self, level: int) -> list[int]:
        """Channels of each convolution of a level of the encoder."""
        width = self.config.filters[level]
        filters = [width] * self.config.convs
        if self.config.double_before_pooling:
            filters[0] = width // 2
        if self.config.narrow_before_upsampling and level == len(self.config.filters) - 1:
            filters[-1] = self.config.filters[level - 1]
        return filters

    def convs(
        self, x: Tensor, filters: list[int], *, level: int, name: str, strides: object = 1
    ) -> Tensor:
        kernel = self.kernel_at(level)
        for i, width in enumerate(filters):
            x = self.conv(x, width, name=f"{name}_{i}", kernel=kernel, strides=1 if i else strides)
        return x

    def kernel_at(self, level: int) -> object:
        return self.config.kernels[level] if self.config.kernels else self.config.kernel

    def conv(
        self, x: Tensor, width: int, *, name: str, kernel: object = None, strides: object = 1
    ) -> Tensor:
        kernel = kernel or self.config.kernel
        bias = self.config.bias or self.config.norm == "none"
        about = {"strides": strides, "padding": "same", "use_bias": bias, "name": name}
        x = self.layer("Conv")(width, kernel, **about)(x)
        if self.config.norm == "batch":
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
        if self.config.norm == "instance":
            x = InstanceNorm(name=f"{name}_in")(x)
        if self.config.activation == "leaky":
            return layers.LeakyReLU(negative_slope=0.01, name=f"{name}_act")(x)
        return layers.Activation(self.config.activation, name=f"{name}_act")(x)

    def shrink(self, x: Tensor, strides: tuple[int, ...], *, width: int, level: int) -> Tensor:
        name = f"down{level}"
        if self.config.pool == "stride":
            return self.conv(x, width, name=name, kernel=self.kernel_at(level), strides=strides)
        if self.config.pool == "blur":
            return self.blur_pool(x, strides, name=name)
        return self.layer("MaxPooling")(strides, name=name)(x)

    def blur_pool(self, x: Tensor, strides: tuple[int, ...], *, name: str) -> Tensor:
        """Maximum over neighbours, then a fixed binomial blur with stride, against aliasing.

        Zhang 2019, arXiv:1904.11486.
        """
        x = self.layer("MaxPooling")(strides, strides=1, padding="same", name=f"{name}_max")(x)
        return _Blur(self.ndim, strides, name=name)(x)

    def enlarge(self, x: Tensor, strides: tuple[int, ...], *, width: int, name: str) -> Tensor:
        if self.config.upsampling == "transpose":
            width = x.shape[-1] if self.config.double_before_pooling else width
            return self.layer_transpose(width, strides, name=name)(x)
        if self.config.skip_mode == "add" and x.shape[-1] != width:
            # 1 x 1 before the upsampling: a fourth of the pixels, an eighth in volumes
            x = self.layer("Conv")(width, 1, name=f"{name}_mix")(x)
        return self.layer("UpSampling")(strides, name=name)(x)

    def layer_transpose(self, width: int, strides: tuple[int, ...], *, name: str) -> keras.Layer:
        return getattr(layers, f"Conv{self.ndim}DTranspose")(
            width, strides, strides=strides, name=name
        )

    def merge(self, x: Tensor, skip: Tensor, *, level: int) -> Tensor:
        kind = layers.Add if self.config.skip_mode == "add" else layers.Concatenate
        return kind(name=f"merge{level}")([x, skip])


@keras.saving.register_keras_serializable("nbtools")
class _Blur(layers.Layer):
    """Fixed (1, 2, 1) / 4 blur per channel along each pooled axis, then every stride-th pixel."""

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
        """(stride, reach in its own input) per axis, for the tile plan."""
        strides = np.array(self.strides)
        return strides, np.where(strides > 1, strides, 0)

    def get_config(self):
        return {**super().get_config(), "ndim": self.ndim, "strides": self.strides}


def _blur_axis(x: Tensor, axis: int, *, stride: int) -> Tensor:
    """Blur and subsample one axis; the border is mirrored, or repeated where it is one pixel."""
    ops, ndim = keras.ops, len(x.shape)
    pad = [(1, 1) if a == axis else (0, 0) for a in range(ndim)]
    x = ops.pad(x, pad, mode="reflect" if x.shape[axis] is None or x.shape[axis] > 1 else "edge")

    def take(*bounds: int | None) -> Tensor:
        return x[tuple(slice(*bounds) if a == axis else slice(None) for a in range(ndim))]

    x = (take(0, -2) + 2.0 * take(1, -1) + take(2, None)) / 4.0
    return take(None, None, stride)
