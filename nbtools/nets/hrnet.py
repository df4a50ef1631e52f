"""HRNet: branches of several resolutions side by side, which exchange what they know.

Wang et al. 2020, doi:10.1109/TPAMI.2020.2983686 (HRNetV2). In 2D and 3D: the strides between
branches follow the pixel size, so that planes that lie apart are not halved too soon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from nbtools.nets.dense_prediction import finish
from nbtools.nets.pyramid import Strides
from nbtools.nets.space_to_depth import SpaceToDepth
from nbtools.nets.unet import image_input

Tensor = keras.KerasTensor


@dataclass(frozen=True)
class HRNetConfig:
    """What can vary in an HRNet.

    Parameters
    ----------
    widths : channels of the branches, finest first.
    units : exchanges in each stage; the first of these stages has two branches, each further one a
        branch more.
    blocks : residual blocks per branch before an exchange.
    first : channels of the first convolutions.
    bottlenecks : blocks (1, 3, 1, the last four times as wide) before the branches part.
    halvings : strided convolutions at the beginning.
    stem : block of pixels along each axis that become channels before these; () for none.
    """

    widths: tuple[int, ...] = (24, 48, 96)
    units: tuple[int, ...] = (1, 1)
    blocks: int = 1
    first: int = 24
    bottlenecks: int = 0
    halvings: int = 0
    stem: tuple[int, ...] = ()


def hrnet(
    ndim: int, *, channels: int = 1, outputs: int = 1, strides: Strides, config: HRNetConfig
) -> keras.Model:
    """Build an HRNet for images of any size that its strides divide.

    Parameters
    ----------
    ndim : 2 or 3.
    channels, outputs : of the input, and of the linear output.
    strides : of each branch but the first on the one before.
    config : of the network.

    Returns
    -------
    keras.Model : (B, *space, channels) → (B, *space, outputs).

    Examples
    --------
    >>> hrnet(2, outputs=3, strides=((2, 2), (2, 2)), config=HRNetConfig()).output_shape
    (None, None, None, 3)
    """
    parts = _Parts(ndim, config, strides)
    image = x = image_input(ndim, channels)
    if max(config.stem, default=1) > 1:
        x = SpaceToDepth(config.stem, name="fold")(x)
    x = parts.begin(x)
    branches = [x]
    for stage, units in enumerate(config.units, start=1):
        branches = parts.part(branches, stage=stage)
        for unit in range(units):
            branches = parts.exchange(branches, name=f"enc{stage}_unit{unit}")
    x = parts.join(branches)
    stem = np.array(config.stem or (1,) * ndim) * 2**config.halvings
    return keras.Model(image, finish(x, outputs, stride=stem), name="hrnet")


@dataclass
class _Parts:
    """Layers of an HRNet. Their names stay: saved networks know them."""

    ndim: int
    config: HRNetConfig
    strides: Strides

    def layer(self, kind: str) -> type:
        return getattr(layers, f"{kind}{self.ndim}D")

    def conv(
        self,
        x: Tensor,
        width: int,
        size: int = 3,
        *,
        name: str,
        stride: Sequence[int] | int = 1,
        active: bool = True,
    ) -> Tensor:
        """Convolution, batch normalisation and, unless told otherwise, ReLU."""
        about = {"strides": stride, "padding": "same", "use_bias": False, "name": name}
        x = self.layer("Conv")(width, size, **about)(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_act")(x) if active else x

    def begin(self, x: Tensor) -> Tensor:
        """First convolutions, and the blocks before the branches part."""
        width = self.config.first
        for i in range(max(1, self.config.halvings)):
            stride = 2 if self.config.halvings else 1
            x = self.conv(x, width, name=f"stem{i}" if i else "stem", stride=stride)
        for i in range(self.config.bottlenecks):
            x = self.block(x, ((width, 1), (width, 3), (4 * width, 1)), name=f"enc0_block{i}")
        return x

    def block(self, x: Tensor, plan: Sequence[tuple[int, int]], *, name: str) -> Tensor:
        """A residual block of convolutions of (width, size)."""
        y = x
        for i, (width, size) in enumerate(plan):
            y = self.conv(y, width, size, name=f"{name}_conv{i}", active=i < len(plan) - 1)
        if x.shape[-1] != y.shape[-1]:
            x = self.conv(x, y.shape[-1], 1, name=f"{name}_past", active=False)
        return layers.ReLU(name=f"{name}_act")(layers.Add(name=f"{name}_add")([x, y]))

    def part(self, branches: list[Tensor], *, stage: int) -> list[Tensor]:
        """A branch more, of half the resolution of the coarsest."""
        widths, found = self.config.widths, []
        for i, x in enumerate(branches):
            same = x.shape[-1] == widths[i]
            found.append(x if same else self.conv(x, widths[i], name=f"enc{stage}_from{i}"))
        about = {"name": f"enc{stage}_new", "stride": self.strides[stage - 1]}
        return [*found, self.conv(branches[-1], widths[stage], **about)]

    def exchange(self, branches: list[Tensor], *, name: str) -> list[Tensor]:
        """Blocks in each branch; then each becomes the sum of all, at its own resolution."""
        deep = []
        for i, x in enumerate(branches):
            for b in range(self.config.blocks):
                plan = ((x.shape[-1], 3),) * 2
                x = self.block(x, plan, name=f"{name}_branch{i}_block{b}")
            deep.append(x)
        found = []
        for i in range(len(deep)):
            parts = [self.bring(x, j, i, name=f"{name}_{j}to{i}") for j, x in enumerate(deep)]
            x = layers.Add(name=f"{name}_sum{i}")(parts)
            found.append(layers.ReLU(name=f"{name}_act{i}")(x))
        return found

    def bring(self, x: Tensor, start: int, end: int, *, name: str) -> Tensor:
        """The features of one branch at the resolution, and with the width, of another."""
        widths = self.config.widths
        if start > end:
            x = self.conv(x, widths[end], 1, name=name, active=False)
            return self.enlarge(x, start, end, name=f"{name}_up")
        for k in range(start, end):
            last = k == end - 1
            width = widths[end] if last else widths[start]
            about = {"stride": self.strides[k], "active": not last}
            x = self.conv(x, width, name=f"{name}_{k}", **about)
        return x

    def enlarge(self, x: Tensor, start: int, end: int, *, name: str) -> Tensor:
        size = np.prod(self.strides[end:start], axis=0)
        return self.layer("UpSampling")(tuple(map(int, size)), name=name)(x)

    def join(self, branches: list[Tensor]) -> Tensor:
        """All branches at the finest resolution, concatenated and mixed."""
        raised = [branches[0]]
        for i, x in enumerate(branches[1:], start=1):
            raised.append(self.enlarge(x, i, 0, name=f"join{i}_up"))
        x = layers.Concatenate(name="join")(raised)
        return self.conv(x, x.shape[-1], 1, name="mix")
