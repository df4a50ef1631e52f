"""RetinaNet: anchors on a pyramid of features, and a loss that looks away from what is easy.

After Lin et al. 2017, doi:10.1109/ICCV.2017.324: two towers of convolutions, shared by all grids,
score and correct the anchors of every cell; the focal loss keeps the many easy cells of the
background from drowning the few nuclei. Nuclei are small: the grids are of 4, 8 and 16 pixels where
the published ones begin at 8, and the sizes of the anchors are clusters of those of the training
boxes, three per cell in place of nine. The preset `paper` has the stages of ResNet-50 and towers of
4 convolutions of 256 channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras
import numpy as np
from keras import layers

from nbtools import losses
from nbtools.data import DataSet
from nbtools.methods.anchor_sizes import AnchorSettings, settle_anchors
from nbtools.methods.box_network import PRIOR, BoxNetwork
from nbtools.methods.settings import preset_setting
from nbtools.nets import PyramidConfig
from nbtools.targets.anchors import AnchorTarget

NETWORKS = {
    "tiny": PyramidConfig((8, 12, 24, 32), (0, 0, 1, 1), features=16),
    "small": PyramidConfig((16, 32, 64, 96, 128), (0, 1, 1, 1, 1), features=48),
    "paper": PyramidConfig(
        (64, 64, 128, 256, 512), (0, 3, 4, 6, 3), kind="bottleneck", stem=-1, features=256
    ),
}
CONVS = {"tiny": 1, "small": 2, "paper": 4}  # of each tower


@dataclass(frozen=True)
class RetinaNetSettings(AnchorSettings):
    preset: str = preset_setting(*NETWORKS)


@final
class RetinaNet(BoxNetwork):
    """RetinaNet: anchors of the sizes of the nuclei, and the focal loss."""

    Settings, Target = RetinaNetSettings, AnchorTarget
    networks, levels = NETWORKS, (1, 2, 3)

    def prepare(self, train: DataSet) -> None:
        """Also settle the sizes of the anchors, by the boxes of the training images."""
        super().prepare(train)
        self.settings = settle_anchors(self.settings, train, strides=self.plan()[1])

    def loss_of(self) -> Callable:
        """Loss of each grid."""
        return losses.anchor_boxes(
            self.domain.ndim, anchors=len(self.target().sizes), kinds=self.target().kinds
        )

    def build(self) -> keras.Model:
        image, features = self.features()
        target, ndim = self.target(), self.domain.ndim
        count, convs = len(target.sizes), CONVS[self.settings.preset]
        kinds, sides = count * target.kinds, count * 2 * ndim
        score = self.tower("score", convs=convs, outputs=kinds, bias=np.full(kinds, PRIOR))
        move = self.tower("move", convs=convs, outputs=sides, bias=np.zeros(sides))
        join = layers.Concatenate
        found = {name: join(name=name)([score(x), move(x)]) for name, x in features.items()}
        return keras.Model(image, found, name="retinanet")
