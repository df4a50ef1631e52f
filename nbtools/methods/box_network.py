"""BoxNetwork: what all detectors of boxes share: a pyramid of features, grids, scoring of boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
from keras import layers

from nbtools import nets
from nbtools.config import setting, vary
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings
from nbtools.nets.pyramid import PyramidConfig, Strides
from nbtools.targets.boxes import OVERLAP, SUPPRESSION, THRESHOLD, name_level

Tensor = keras.KerasTensor
PRIOR = -4.6  # logit of a score at the start, 0.01: nearly all cells have no box


@dataclass(frozen=True)
class BoxSettings(NetworkSettings, parameters=(THRESHOLD, OVERLAP)):
    """Settings of every detector of boxes."""

    suppression: str = setting(
        "hard",
        choices=SUPPRESSION,
        help=(
            "Of boxes that overlap, the weaker is dropped (hard), or its score is lowered (soft), "
            "which spares touching nuclei."
        ),
    )
    augmentation: str = vary(
        NetworkSettings,
        "augmentation",
        default="flips",
        help=(
            "How strongly training patches are varied; a box that is turned by other angles than "
            "quarters becomes too large."
        ),
    )
    learning_rate: float = vary(NetworkSettings, "learning_rate", default=2e-3)


class BoxNetwork(KerasMethod):
    """A method that finds boxes on grids of cells.

    A subclass gives `Target`, `networks`, `levels`, `head` and `loss_of`.
    """

    Settings = BoxSettings
    needs, learns_classes = ("boxes",), True
    networks: ClassVar[dict[str, PyramidConfig]]  # by preset
    levels: ClassVar[tuple[int, ...]]  # stages of the pyramid that have a grid, from 0

    @property
    def config(self) -> PyramidConfig:
        """The network of the preset."""
        return self.networks[self.settings.preset]

    def plan(self) -> tuple[Strides, Strides]:
        """Strides of the stages on each other, and those of the grids on the image."""
        stages = len(self.config.widths)
        about = (self.domain.ndim, self.domain.spacing)
        steps, strides = nets.plan_strides(*about, stages=stages)
        return steps, tuple(strides[level] for level in self.levels)

    def target_fields(self) -> dict:
        return super().target_fields() | {"strides": self.plan()[1]}

    def features(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Input of the network, and features by the name of their grid."""
        steps, strides = self.plan()
        about = {"channels": self.domain.channels, "levels": self.levels, "config": self.config}
        image, found = nets.pyramid(self.domain.ndim, steps=steps, **about)
        return image, dict(zip(map(name_level, strides), found, strict=True))

    def layer(self, kind: str) -> type:
        """A layer of Keras for the number of spatial axes."""
        return getattr(layers, f"{kind}{self.domain.ndim}D")

    def tower(self, name: str, *, convs: int, outputs: int, bias: np.ndarray) -> Callable:
        """Convolutions that are shared by all grids, with a linear output.

        Parameters
        ----------
        name : of the layers.
        convs : number of convolutions before the output.
        outputs : channels.
        bias : (outputs,) of the output at the start.
        """
        conv, width = self.layer("Conv"), self.config.features
        shared = [
            conv(width, 3, padding="same", activation="relu", name=f"{name}{i}")
            for i in range(convs)
        ]
        start = keras.initializers.RandomNormal(stddev=0.01)
        last = conv(outputs, 1, name=name, kernel_initializer=start, bias_initializer=first(bias))

        def run(x: Tensor) -> Tensor:
            for layer in (*shared, last):
                x = layer(x)
            return x

        return run

    def loss(self) -> dict[str, Callable]:
        return dict.fromkeys(self.target().names, self.loss_of())


def first(values: np.ndarray) -> keras.initializers.Initializer:
    """An initializer with these values, which a file of the network can name."""
    return keras.initializers.Constant(np.asarray(values).tolist())
