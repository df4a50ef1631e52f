"""KiNet: a residual U-Net whose coarse scales reach the output on their own way, too.

Xing et al. 2019, doi:10.1109/TBME.2019.2900378.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from nbtools.nets.space_to_depth import SpaceToDepth, depth_to_space_head
from nbtools.nets.unet import image_input

Tensor = keras.KerasTensor


@dataclass(frozen=True)
class KiNetConfig:
    """What can vary in a KiNet.

    Parameters
    ----------
    filters : channels of each level, finest first.
    convs : further convolutions of each level below the finest; a residual block has one more.
    side : channels of each of the three maps that are joined before the head.
    head : channels of the convolution that joins them; kernel : its size.
    dropout : share of channels left out of the skip connections in training.
    stem : stride along each axis of a first convolution, so that the network works at lower
        resolution.
    """

    filters: tuple[int, ...] = (32, 64, 128, 256, 256)
    convs: tuple[int, ...] = (1, 2, 2, 2)
    side: int = 64
    head: int = 32
    kernel: int = 5
    dropout: float = 0.2
    stem: tuple[int, ...] | None = None


def kinet(
    ndim: int, *, channels: int, outputs: int, strides: Sequence[tuple[int, ...]], **config
) -> keras.Model:
    """Build a KiNet for images of any size that its strides divide.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes.
    channels, outputs : channels of the input and of the linear output.
    strides : pooling factor between levels along each axis, see `plan_pooling`.
    config : fields of `KiNetConfig`.

    Returns
    -------
    keras.Model : (B, *space, channels) float32 → (B, *space, outputs) float32.

    Examples
    --------
    >>> about = {"filters": (4, 8, 8), "convs": (1, 1), "side": 4, "head": 4}
    >>> kinet(2, channels=1, outputs=3, strides=((2, 2), (2, 2)), **about).output_shape
    (None, None, None, 3)
    """
    strides = [tuple(np.broadcast_to(s, ndim).tolist()) for s in strides]
    parts = _Builder(ndim, KiNetConfig(**config), strides)
    image = image_input(ndim, channels)
    joined = parts.join_scales(parts.decode(parts.encode(parts.begin(image))))
    return keras.Model(image, parts.finish(joined, outputs), name="kinet")


class _Builder:
    """The parts of a KiNet. Layer names stay: saved networks know them."""

    def __init__(self, ndim: int, config: KiNetConfig, strides: list[tuple[int, ...]]):
        self.ndim, self.config, self.strides = ndim, config, strides
        self.stem = config.stem or (1,) * ndim

    def layer(self, kind: str) -> type[layers.Layer]:
        return getattr(layers, kind.replace("ND", f"{self.ndim}D"))

    def conv(
        self, x: Tensor, width: int, *, name: str, kernel: int = 3, stride: object = 1
    ) -> Tensor:
        about = {"strides": stride, "padding": "same", "use_bias": False, "name": name}
        x = self.layer("ConvND")(width, kernel, **about)(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
        return layers.Activation("elu", name=f"{name}_act")(x)

    def residual(self, x: Tensor, width: int, *, count: int, name: str) -> Tensor:
        start = x
        for i in range(count):
            x = self.conv(x, width, name=f"{name}_{i}")
        return layers.Add(name=f"{name}_add")([start, x])

    def begin(self, image: Tensor) -> Tensor:
        width = self.config.filters[0]
        if max(self.stem) == 1:
            return self.conv(image, width, name="enc0")
        if self.ndim == 3:
            return self.conv(SpaceToDepth(self.stem, name="fold")(image), width, name="enc0")
        return self.conv(image, width, name="enc0", kernel=5, stride=self.stem)

    def encode(self, x: Tensor) -> list[Tensor]:
        found = [self.residual(x, self.config.filters[0], count=1, name="enc0_res")]
        levels = zip(self.config.filters[1:], self.config.convs, self.strides, strict=True)
        for level, (width, count, stride) in enumerate(levels, 1):
            x = self.conv(found[-1], width, name=f"enc{level}", stride=stride)
            found.append(self.residual(x, width, count=count, name=f"enc{level}_res"))
        return found

    def decode(self, found: list[Tensor]) -> list[Tensor]:
        """Features of each level of the decoder, finest first."""
        x, decoded = found[-1], [found[-1]]
        for level in reversed(range(len(found) - 1)):
            width, stride = self.config.filters[level], self.strides[level]
            name = f"up{level}"
            x = self.layer("ConvNDTranspose")(width, stride, strides=stride, name=name)(x)
            skip = found[level]
            if self.config.dropout:
                about = {"name": f"drop{level}"}
                skip = self.layer("SpatialDropoutND")(self.config.dropout, **about)(skip)
            x = layers.Concatenate(name=f"merge{level}")([x, skip])
            x = self.conv(x, width, name=f"dec{level}")
            decoded.insert(0, x)
        return decoded

    def join_scales(self, decoded: list[Tensor]) -> Tensor:
        """The finest level beside a fourth and an eighth of it, or what is nearest to these."""
        last = len(decoded) - 1
        joined = []
        for i, level in enumerate((0, min(2, last), min(3, last))):
            x = self.layer("ConvND")(self.config.side, 1, name=f"side{i}")(decoded[level])
            size = np.prod([(1,) * self.ndim, *self.strides[:level]], axis=0)
            if level:
                size = tuple(int(n) for n in size)
                x = self.enlarge(x, size, name=f"side{i}")
            joined.append(x)
        return layers.Concatenate(name="scales")(joined)

    def enlarge(self, x: Tensor, size: tuple[int, ...], *, name: str) -> Tensor:
        """Coarse features at the finest level, without the edges of their pixels.

        Those edges would become maxima of their own. A mean over as many pixels as each was
        enlarged to is a linear interpolation; over one more it stays in place.
        """
        x = self.layer("UpSamplingND")(size, name=f"{name}_up")(x)
        about = {"strides": 1, "padding": "same", "name": f"{name}_smooth"}
        odd = tuple(n + 1 - n % 2 for n in size)
        return self.layer("AveragePoolingND")(odd, **about)(x)

    def finish(self, x: Tensor, outputs: int) -> Tensor:
        x = self.conv(x, self.config.head, name="join", kernel=self.config.kernel)
        if max(self.stem) == 1:
            return self.layer("ConvND")(outputs, 1, name="head")(x)
        if self.ndim == 3:
            return depth_to_space_head(x, outputs, factors=self.stem)
        about = {"strides": self.stem, "name": "head"}
        return self.layer("ConvNDTranspose")(outputs, self.stem, **about)(x)
