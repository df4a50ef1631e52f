"""YOLO: each cell of a grid tells how sure it is of a box, and where its edges are.

After Redmon et al. 2016, doi:10.1109/CVPR.2016.91: one look at the image, no anchors, no second
stage, and a score that is to be the IoU of the box. As in later versions there are two grids, here
of 4 and 8 pixels, since nuclei are small, and edges are learned by their GIoU. The network is our
own: residual stages and a pyramid of features; the preset `paper` has the stages of Darknet-53
(Redmon & Farhadi 2018, arXiv:1804.02767). Nothing is taken from the packages of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras
import numpy as np
from keras import layers

from nbtools import losses
from nbtools.methods.box_network import PRIOR, BoxNetwork, BoxSettings
from nbtools.methods.settings import preset_setting
from nbtools.nets import PyramidConfig
from nbtools.targets.boxes import CellTarget

NETWORKS = {
    "tiny": PyramidConfig((8, 12, 24, 32), (0, 0, 1, 1), features=16),
    "small": PyramidConfig((16, 32, 64, 96, 128), (0, 1, 1, 1, 1), features=48),
    "paper": PyramidConfig(
        (64, 128, 256, 512, 1024), (1, 2, 8, 8, 4), kind="darknet", stem=32, features=256
    ),
}
CONVS = 2  # of the head


@dataclass(frozen=True)
class YoloSettings(BoxSettings):
    preset: str = preset_setting(*NETWORKS)


@final
class Yolo(BoxNetwork):
    """YOLO: boxes from the cells in their middle."""

    Settings, Target = YoloSettings, CellTarget
    networks, levels = NETWORKS, (1, 2)

    def loss_of(self) -> Callable:
        """Loss of each grid."""
        return losses.cell_boxes(self.domain.ndim, classes=len(self.domain.classes))

    def build(self) -> keras.Model:
        image, features = self.features()
        ndim, kinds = self.domain.ndim, len(self.domain.classes)
        # at the start a box is 4 cells wide, and no cell is sure of one
        bias = np.r_[PRIOR, np.full(2 * ndim, np.log(2.0)), np.zeros(kinds)]
        head = self.tower("head", convs=CONVS, outputs=len(bias), bias=bias)
        found = {name: layers.Identity(name=name)(head(x)) for name, x in features.items()}
        return keras.Model(image, found, name="yolo")
