"""UNETR: a transformer on patches as the encoder, and a decoder that leads back to the pixels.

Hatamizadeh et al. 2022, doi:10.1109/WACV51458.2022.00181.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from nbtools.nets.attention import PlaceTable, transformer_block
from nbtools.nets.norm import InstanceNorm
from nbtools.nets.pyramid import Strides
from nbtools.nets.unet import image_input

Tensor = keras.KerasTensor


@dataclass(frozen=True)
class UNETRConfig:
    """What can vary in a UNETR.

    Parameters
    ----------
    width : channels of the transformer.
    depth : its blocks.
    heads, hidden : of each block, see `transformer_block`.
    features : channels of the decoder at full resolution; twice as many at each coarser one.
    norm : "instance", as published, or "batch", which makes tiles more alike.
    """

    width: int = 96
    depth: int = 4
    heads: int = 4
    hidden: int = 192
    features: int = 16
    norm: str = "batch"


def unetr(
    ndim: int,
    *,
    channels: int = 1,
    outputs: int = 1,
    strides: Strides,
    tile: Sequence[int],
    config: UNETRConfig,
) -> keras.Model:
    """Build a UNETR.

    Parameters
    ----------
    ndim : 2 or 3.
    channels, outputs : of the input, and of the linear output.
    strides : of each level of the decoder on the next finer one, finest first; their product is
        the patch that the transformer takes as one.
    tile : pixels along each axis that places are learned for.
    config : of the network.

    Returns
    -------
    keras.Model : (B, *space, channels) → (B, *space, outputs), for sizes that are multiples
        of the patch.

    Examples
    --------
    >>> about = {"strides": ((2, 2), (2, 2)), "tile": (32, 32), "config": UNETRConfig()}
    >>> unetr(2, **about).output_shape
    (None, None, None, 1)
    """
    parts = _Parts(ndim, config, strides)
    image = image_input(ndim, channels)
    seen = parts.look(image, tile)
    last = len(strides)
    x = seen[last]
    for level in reversed(range(last)):
        width = config.features * 2**level
        skip = parts.block(image, width, name="enc0") if level == 0 else None
        skip = parts.raise_from(seen[level], level) if skip is None else skip
        x = parts.enlarge(x, width, level=level, name=f"up{level}")
        x = layers.Concatenate(name=f"merge{level}")([x, skip])
        x = parts.block(x, width, name=f"dec{level}")
    head = parts.layer("Conv")(outputs, 1, name="head")
    return keras.Model(image, head(x), name="unetr")


@dataclass
class _Parts:
    """Layers of a UNETR. Their names stay: saved networks know them."""

    ndim: int
    config: UNETRConfig
    strides: Strides

    def layer(self, kind: str) -> type:
        return getattr(layers, f"{kind}{self.ndim}D")

    def look(self, image: Tensor, tile: Sequence[int]) -> list[Tensor]:
        """What the transformer knows at even distances of its depth; the last is its output."""
        patch = tuple(int(n) for n in np.prod(self.strides, axis=0))
        config, count = self.config, len(self.strides)
        x = self.layer("Conv")(config.width, patch, strides=patch, name="enc_patches")(image)
        grid = [max(1, n // p) for n, p in zip(tile, patch, strict=True)]
        x = PlaceTable(grid, name="enc_places")(x)
        found = [x]
        for i in range(config.depth):
            about = {"heads": config.heads, "hidden": config.hidden}
            x = transformer_block(x, name=f"enc_block{i}", **about)
            found.append(x)
        found[-1] = layers.LayerNormalization(epsilon=1e-5, name="enc_norm")(x)
        return [found[round(i * config.depth / count)] for i in range(count + 1)]

    def raise_from(self, x: Tensor, level: int) -> Tensor:
        """What the transformer knows, at the resolution of a level of the decoder."""
        width, name = self.config.features * 2**level, f"raise{level}"
        first = len(self.strides) - 1
        x = self.enlarge(x, width, level=first, name=f"{name}_up{first}")
        for finer in reversed(range(level, first)):
            x = self.enlarge(x, width, level=finer, name=f"{name}_up{finer}")
            x = self.block(x, width, name=f"{name}_{finer}")
        return x

    def enlarge(self, x: Tensor, width: int, *, level: int, name: str) -> Tensor:
        stride = self.strides[level]
        about = {"strides": stride, "use_bias": False, "name": name}
        kind = getattr(layers, f"Conv{self.ndim}DTranspose")
        return kind(width, stride, **about)(x)

    def block(self, x: Tensor, width: int, *, name: str) -> Tensor:
        """A residual block of two convolutions."""
        y = self.conv(x, width, name=f"{name}_conv0")
        y = layers.LeakyReLU(negative_slope=0.01, name=f"{name}_act0")(y)
        y = self.conv(y, width, name=f"{name}_conv1")
        if x.shape[-1] != width:
            x = self.conv(x, width, name=f"{name}_past", kernel=1)
        x = layers.Add(name=f"{name}_add")([x, y])
        return layers.LeakyReLU(negative_slope=0.01, name=f"{name}_act1")(x)

    def conv(self, x: Tensor, width: int, *, name: str, kernel: int = 3) -> Tensor:
        about = {"padding": "same", "use_bias": False, "name": name}
        x = self.layer("Conv")(width, kernel, **about)(x)
        if self.config.norm == "instance":
            return InstanceNorm(name=f"{name}_norm")(x)
        return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
