"""Faster R-CNN: regions that may hold a nucleus, and a second look at each.

After Ren et al. 2015, doi:10.1109/TPAMI.2016.2577031. The first stage (region proposal network)
says by anchors where anything is; the features inside each region are brought to 7 x 7 (RoI align,
He et al. 2017, doi:10.1109/ICCV.2017.322), from which the second stage tells class and box. Both
learn together, the second from what the first proposes in the same step. In place of drawing as
many anchors with as without a nucleus, both kinds count as much in the loss; regions to learn from
are spread evenly over their ranks. Anchors have the sizes of the training boxes, and lie on grids
of 4, 8 and 16 pixels; the second stage reads the finest. The preset `paper` has the stages of
ResNet-50 with a pyramid of features (Lin et al. 2017, doi:10.1109/CVPR.2017.106).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nbtools.methods.anchor_sizes import AnchorSettings
from nbtools.methods.settings import preset_setting
from nbtools.methods.two_stage_network import NETWORKS, TwoStageNetwork
from nbtools.targets.regions import RegionTarget


@dataclass(frozen=True)
class FasterRCNNSettings(AnchorSettings):
    preset: str = preset_setting(*NETWORKS)


@final
class FasterRCNN(TwoStageNetwork):
    """Faster R-CNN: regions, and a second look at each."""

    Settings, Target = FasterRCNNSettings, RegionTarget
