"""Residual channel attention at full resolution, in 2D and 3D.

Written from the descriptions: Zhang et al. 2018, doi:10.1007/978-3-030-01234-2_18, without its
upsampling, with the sizes of the 3D-RCAN of Chen et al. 2021, doi:10.1038/s41592-021-01155-x.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from nbtools.nets.unet import image_input

Tensor = keras.KerasTensor


@dataclass(frozen=True)
class RCANConfig:
    """What can vary in a residual channel attention network.

    Parameters
    ----------
    groups : residual groups, one after the other.
    blocks : attention blocks per group.
    width : channels of every convolution.
    reduction : factor by which the attention reduces its channels.
    """

    groups: int = 5
    blocks: int = 3
    width: int = 32
    reduction: int = 8


def rcan(ndim: int, *, channels: int = 1, outputs: int = 1, **config) -> keras.Model:
    """Build a residual channel attention network for images of any size.

    The attention weights each channel by means over the whole image, so every output pixel depends
    on all of them.

    Parameters
    ----------
    ndim : 2 or 3 spatial axes.
    channels, outputs : channels of the input and of the linear output.
    config : fields of `RCANConfig`.

    Returns
    -------
    keras.Model : (B, *space, channels) float32, about -1 to 1 → (B, *space, outputs) float32.

    Raises
    ------
    UserError : another number of axes.

    Examples
    --------
    >>> rcan(3, groups=5, blocks=3).count_params()
    1002621

    References
    ----------
    Zhang et al. 2018, doi:10.1007/978-3-030-01234-2_18; in 3D Chen et al. 2021,
    doi:10.1038/s41592-021-01155-x.
    """
    parts = _Builder(ndim, RCANConfig(**config))
    image = image_input(ndim, channels)
    first = parts.conv(image, parts.config.width, name="first")
    x = first
    for i in range(parts.config.groups):
        x = parts.group(x, name=f"group{i}")
    x = layers.Add(name="long_skip")([first, parts.conv(x, parts.config.width, name="last")])
    return keras.Model(image, parts.conv(x, outputs, name="head"), name="rcan")


class _Builder:
    """Group, block and attention. Layer names stay: saved networks know them."""

    def __init__(self, ndim: int, config: RCANConfig):
        self.ndim, self.config = ndim, config

    def conv(
        self, x: Tensor, width: int, *, name: str, kernel: int = 3, activation: str | None = None
    ) -> Tensor:
        layer = getattr(layers, f"Conv{self.ndim}D")
        return layer(width, kernel, padding="same", activation=activation, name=name)(x)

    def group(self, x: Tensor, *, name: str) -> Tensor:
        y = x
        for i in range(self.config.blocks):
            y = self.block(y, name=f"{name}_block{i}")
        return layers.Add(name=f"{name}_skip")(
            [x, self.conv(y, self.config.width, name=f"{name}_conv")]
        )

    def block(self, x: Tensor, *, name: str) -> Tensor:
        y = self.conv(x, self.config.width, name=f"{name}_conv0", activation="relu")
        y = self.conv(y, self.config.width, name=f"{name}_conv1")
        return layers.Add(name=f"{name}_skip")([x, self.attend(y, name=name)])

    def attend(self, x: Tensor, *, name: str) -> Tensor:
        """Each channel times a weight 0 … 1, computed from the means of all channels."""
        pool = getattr(layers, f"GlobalAveragePooling{self.ndim}D")
        share = pool(keepdims=True, name=f"{name}_mean")(x)
        width, few = self.config.width, max(1, self.config.width // self.config.reduction)
        share = self.conv(share, few, name=f"{name}_squeeze", kernel=1, activation="relu")
        share = self.conv(share, width, name=f"{name}_share", kernel=1, activation="sigmoid")
        return layers.Multiply(name=f"{name}_weigh")([x, share])
