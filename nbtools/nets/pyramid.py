"""Features of an image at several resolutions, for detectors: residual stages, and the way back up.

He et al. 2016, doi:10.1109/CVPR.2016.90 (residual networks); Lin et al. 2017,
doi:10.1109/CVPR.2017.106 (feature pyramids); Redmon & Farhadi 2018, arXiv:1804.02767 (Darknet-53).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers

from nbtools.nets.unet import image_input, plan_pooling

Tensor = keras.KerasTensor
Strides = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class PyramidConfig:
    """What can vary in a pyramid.

    Parameters
    ----------
    widths : channels of the stages, finest first; each halves the resolution.
    blocks : residual blocks of each stage.
    kind : of the blocks: "basic" (3, 3), "bottleneck" (1, 3, 1, the last four times as wide) or
        "darknet" (1, half as wide, and 3).
    stem : channels of a first convolution at full resolution; 0: none. -1: as in ResNet-50, the
        first stage is a strided convolution of 7 pixels and the second a maximum.
    features : channels of the pyramid.
    """

    widths: tuple[int, ...] = (16, 32, 64, 96)
    blocks: tuple[int, ...] = (0, 1, 1, 1)
    kind: str = "basic"
    stem: int = 0
    features: int = 48


def plan_strides(
    ndim: int, spacing: tuple[float, ...] | None, *, stages: int
) -> tuple[Strides, Strides]:
    """Strides of each stage on the one before, and on the image, from the pixel size.

    Parameters
    ----------
    ndim, spacing : as for `plan_pooling`.
    stages : their number.

    Examples
    --------
    >>> plan_strides(3, (2.0, 1.0, 1.0), stages=2)[1]
    ((1, 2, 2), (2, 4, 4))
    """
    single = plan_pooling(ndim, spacing, count=stages)
    steps = tuple((s,) * ndim if isinstance(s, int) else tuple(s) for s in single)
    return steps, tuple(tuple(map(int, row)) for row in np.cumprod(steps, axis=0))


def pyramid(
    ndim: int, *, channels: int, steps: Strides, levels: Sequence[int], config: PyramidConfig
) -> tuple[Tensor, list[Tensor]]:
    """The input of a network, and features of some of its stages, with what coarser ones know.

    Parameters
    ----------
    ndim : 2 or 3.
    channels : of the images.
    steps : stride of each stage on the one before, see `plan_strides`.
    levels : number of the stages wanted, from 0, finest first.
    config : of the network.

    Returns
    -------
    Input (B, *space, channels), and for each level (B, *space / stride, config.features).

    Examples
    --------
    >>> steps, _ = plan_strides(2, None, stages=4)
    >>> image, found = pyramid(2, channels=1, steps=steps, levels=(1,), config=PyramidConfig())
    >>> found[0].shape
    (None, None, None, 48)
    """
    parts = _Parts(ndim, config)
    image = image_input(ndim, channels)
    return image, parts.top_down(parts.stages(image, steps), steps, levels=levels)


def top_down(ndim: int, stages: Sequence[Tensor], *, steps: Strides, features: int) -> list[Tensor]:
    """Levels of one width: each stage of an encoder, with what the coarser ones know.

    Parameters
    ----------
    ndim : 2 or 3.
    stages : features of an encoder, finest first.
    steps : stride of each stage on the one before; that of the first is not used.
    features : channels of each level.
    """
    parts = _Parts(ndim, PyramidConfig(features=features))
    return parts.top_down(list(stages), steps, levels=range(len(stages)))


@dataclass
class _Parts:
    """Stages and pyramid. Layer names stay: saved networks know them."""

    ndim: int
    config: PyramidConfig
    count: dict = field(default_factory=dict)

    def layer(self, kind: str) -> type:
        return getattr(layers, f"{kind}{self.ndim}D")

    def conv(self, x: Tensor, width: int, size: int = 3, *, name: str, **about: object) -> Tensor:
        """Convolution and batch normalisation."""
        about |= {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
        x = self.layer("Conv")(width, size, name=name, **about)(x)
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)

    def active(self, x: Tensor, name: str) -> Tensor:
        return layers.ReLU(name=f"{name}_active")(x)

    def stages(self, x: Tensor, steps: Strides) -> list[Tensor]:
        found, config = [], self.config
        if config.stem > 0:
            x = self.active(self.conv(x, config.stem, name="stem"), "stem")
        for i, (width, blocks, step) in enumerate(
            zip(config.widths, config.blocks, steps, strict=True)
        ):
            name = f"stage{i}"
            x = self.shrink(x, step, stage=i)
            first = config.kind == "bottleneck" and i > 1
            for b in range(blocks):
                strides = step if first and b == 0 else 1
                x = self.block(x, width, strides=strides, name=f"{name}_block{b}")
            found.append(x)
        return found

    def shrink(self, x: Tensor, step: tuple[int, ...], *, stage: int) -> Tensor:
        """To the next resolution, except where the first block of the stage does it."""
        if self.config.kind == "bottleneck" and stage > 1:
            return x
        if self.config.kind == "bottleneck" and stage == 1:
            return self.layer("MaxPooling")(step, name="stage1_shrink")(x)
        size = 7 if self.config.stem < 0 else 3
        name = f"stage{stage}_shrink"
        x = self.conv(x, self.config.widths[stage], size, name=name, strides=step)
        return self.active(x, name)

    def block(self, x: Tensor, width: int, *, strides: object, name: str) -> Tensor:
        """One residual block."""
        plans = {
            "basic": ((width, 3), (width, 3)),
            "bottleneck": ((width, 1), (width, 3), (4 * width, 1)),
            "darknet": ((width // 2, 1), (width, 3)),
        }
        plan, y = plans[self.config.kind], x
        for i, (filters, size) in enumerate(plan):
            # the strided one is that of 3 pixels
            step = strides if size == 3 and self.config.kind == "bottleneck" else 1
            y = self.conv(y, filters, size, name=f"{name}_conv{i}", strides=step)
            if i < len(plan) - 1 or self.config.kind == "darknet":
                y = self.active(y, f"{name}_{i}")
        if x.shape[-1] != y.shape[-1] or strides != 1:
            x = self.conv(x, y.shape[-1], 1, name=f"{name}_past", strides=strides)
        x = layers.Add(name=f"{name}_add")([x, y])
        return x if self.config.kind == "darknet" else self.active(x, f"{name}_sum")

    def top_down(
        self, stages: list[Tensor], steps: Strides, *, levels: Sequence[int]
    ) -> list[Tensor]:
        found, x = {}, None
        for i in reversed(range(min(levels), len(stages))):
            side = self.layer("Conv")(self.config.features, 1, name=f"side{i}")(stages[i])
            if x is None:
                x = side
            else:
                up = self.layer("UpSampling")(steps[i + 1], name=f"up{i}")(x)
                x = layers.Add(name=f"merge{i}")([side, up])
            if i in levels:
                y = self.conv(x, self.config.features, name=f"level{i}")
                found[i] = self.active(y, f"level{i}")
        return [found[i] for i in levels]
