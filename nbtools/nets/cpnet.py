"""The residual network of Cellpose, in 2D and 3D.

A U-Net of pre-activated residual blocks, with added skips and a style vector of the whole image.
Written from the description in Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from nbtools.nets.space_to_depth import SpaceToDepth, depth_to_space_head
from nbtools.nets.unet import image_input, level_strides

Tensor = keras.KerasTensor


@dataclass(frozen=True)
class CPNetConfig:
    """What can vary in the network.

    Parameters
    ----------
    filters : channels of each level, finest first.
    strides : pooling factors between levels, see `UNetConfig`; None means 2 everywhere.
    pairs : residual pairs of convolutions per level, in the encoder and in the decoder.
    style : the mean of the coarsest features, scaled to length 1, is added before the convolutions
        of the decoder; every output then depends on the whole image.
    stem : stride of a first convolution per axis; the output is brought back by a learned
        upsampling. None: no stem.
    """

    filters: tuple[int, ...] = (32, 64, 128, 256)
    strides: tuple | None = None
    pairs: int = 2
    style: bool = True
    stem: tuple[int, ...] | None = None


def cpnet(ndim: int, *, channels: int = 1, outputs: int = 3, **config) -> keras.Model:
    """Build a residual network with style, for images of any size that its strides divide.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes.
    channels, outputs : channels of the input and of the linear output.
    config : fields of `CPNetConfig`; by default those of the paper.

    Returns
    -------
    keras.Model : (B, *space, channels) float32 → (B, *space, outputs) float32, without final
        activation.

    Raises
    ------
    UserError : another number of axes.

    Examples
    --------
    >>> round(cpnet(2, channels=2, outputs=3).count_params() / 1e6, 2)
    6.61

    References
    ----------
    Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
    """
    parts = _Builder(ndim, CPNetConfig(**config))
    image = image_input(ndim, channels)
    features = parts.decode(*parts.encode(parts.stem(image)))
    return keras.Model(image, parts.head(features, outputs), name="cpnet")


class _Builder:
    """Stem, encoder, decoder and head. Layer names stay: saved networks know them."""

    def __init__(self, ndim: int, config: CPNetConfig):
        self.ndim, self.config = ndim, config
        self.strides = level_strides(ndim, config)

    def layer(self, kind: str):
        return getattr(layers, kind.format(f"{self.ndim}D"))

    def stem(self, x: Tensor) -> Tensor:
        if not self.config.stem:
            return x
        kernel, strides = tuple(5 if s > 1 else 3 for s in self.config.stem), self.config.stem
        if self.ndim == 3:
            x, kernel, strides = SpaceToDepth(strides, name="fold")(x), 3, 1
        about = {"strides": strides, "padding": "same", "name": "stem"}
        return self.layer("Conv{}")(self.config.filters[0], kernel, **about)(x)

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features of each level, finest first."""
        found = []
        for level, width in enumerate(self.config.filters):
            if level:
                x = self.layer("MaxPooling{}")(self.strides[level - 1], name=f"down{level}")(x)
            x = self.residual(x, width, name=f"enc{level}")
            found.append(x)
        return found

    def decode(self, *found: Tensor) -> Tensor:
        style = self.find_style(found[-1]) if self.config.style else None
        x = found[-1]
        for level in reversed(range(len(found))):
            if level < len(found) - 1:
                x = self.layer("UpSampling{}")(self.strides[level], name=f"up{level}")(x)
            width = self.config.filters[level]
            x = self.residual(x, width, name=f"dec{level}", skip=found[level], style=style)
        return x

    def find_style(self, x: Tensor) -> Tensor:
        """(B, *1, C) mean feature of the image, scaled to length 1."""
        mean = self.layer("GlobalAveragePooling{}")(keepdims=True, name="style_mean")(x)
        return layers.UnitNormalization(name="style")(mean)

    def head(self, x: Tensor, outputs: int) -> Tensor:
        if not self.config.stem:
            return self.conv(x, outputs, name="head", kernel=1)
        x = self.conv(x, self.config.filters[0], name="head_mix", kernel=1)
        x = layers.Activation("relu", name="head_act")(x)
        if self.ndim == 3:
            return depth_to_space_head(x, outputs, factors=self.config.stem)
        stem = self.config.stem
        return self.layer("Conv{}Transpose")(outputs, stem, strides=stem, name="head")(x)

    def residual(
        self,
        x: Tensor,
        width: int,
        *,
        name: str,
        skip: Tensor | None = None,
        style: Tensor | None = None,
    ) -> Tensor:
        """Pairs of convolutions, each added to its input; a skip is added after the first one."""
        y = self.conv(x, width, name=f"{name}_0")
        x = self.conv(x, width, name=f"{name}_short", kernel=1, activate=False)
        for pair in range(self.config.pairs):
            if pair:
                first = f"{name}_{2 * pair}"
                y = self.conv(self.add_style(x, style, name=first), width, name=first)
            elif skip is not None:
                y = layers.Add(name=f"{name}_merge")([y, skip])
            last = f"{name}_{2 * pair + 1}"
            y = self.conv(self.add_style(y, style, name=last), width, name=last)
            x = layers.Add(name=f"{name}_sum{pair}")([x, y])
        return x

    def add_style(self, x: Tensor, style: Tensor | None, *, name: str) -> Tensor:
        """Add a linear function of the style to every pixel."""
        if style is None:
            return x
        added = self.layer("Conv{}")(x.shape[-1], 1, name=f"{name}_style")(style)
        return layers.Add(name=f"{name}_tint")([x, added])

    def conv(
        self, x: Tensor, width: int, *, name: str, kernel: int = 3, activate: bool = True
    ) -> Tensor:
        """Normalise, activate, convolve: pre-activation (He et al. 2016, arXiv:1603.05027)."""
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
        if activate:
            x = layers.Activation("relu", name=f"{name}_act")(x)
        return self.layer("Conv{}")(width, kernel, padding="same", name=name)(x)
