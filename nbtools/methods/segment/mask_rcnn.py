"""Mask R-CNN: regions that may hold a nucleus, a second look at each, and a mask in each.

After He et al. 2017, doi:10.1109/ICCV.2017.322, on the stages of Faster R-CNN: a third one is given
the features inside each box, and tells which of its pixels are the nucleus. Masks are brought back
into their boxes; where two overlap, the one of higher score has the pixel. For small objects,
grids begin at 4 px, anchors have the sizes of the training nuclei, and `small` has masks of 14
pixels a side where published are 28. The preset `paper` has the stages of ResNet-50 with a pyramid
of features, and the published mask head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras
import numpy as np
from keras import layers

from nbtools import losses
from nbtools.augment import box_corners, join_corners
from nbtools.config import vary
from nbtools.inference.base import Maps
from nbtools.methods.anchor_sizes import AnchorSettings
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.methods.two_stage_network import NETWORKS, TwoStageNetwork
from nbtools.nets.roi_align import ApartRegions, JoinedRegions, RoiAlign
from nbtools.results import Labels
from nbtools.targets.region_masks import LABEL, RegionMaskTarget, sample_masks
from nbtools.targets.regions import FEATURES, MASKS

EXTENT = "extent"  # output of the first stage that is as large as the image
# of the mask: pixels of the features inside a box along an axis, half of those of the mask;
# convolutions, and their channels
MASK_STAGES = {"tiny": (4, 1, 8), "small": (7, 2, 32), "paper": (14, 4, 256)}


@dataclass(frozen=True)
class MaskRCNNSettings(AnchorSettings):
    preset: str = preset_setting(*NETWORKS)
    # boxes are those of the labels in each patch, whatever it was turned by
    augmentation: str = vary(NetworkSettings, "augmentation")


@final
class MaskRCNN(TwoStageNetwork):
    """Mask R-CNN: regions, a second look at each, and a mask in each."""

    Settings, Target = MaskRCNNSettings, RegionMaskTarget
    needs, learns_classes = ("labels",), False
    stage_names = ("second_stage", "mask_stage")
    given = ("boxes", "void", LABEL)
    kept = (FEATURES, EXTENT)

    @property
    def mask_size(self) -> int:
        """Pixels of a mask along an axis."""
        return 2 * MASK_STAGES[self.settings.preset][0]

    def loss(self) -> dict[str, Callable]:
        return super().loss() | {MASKS: losses.region_masks}

    def sample(
        self, regions: np.ndarray, truth: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Regions to learn from, with their classes and masks.

        Parameters
        ----------
        regions, truth : as for `TwoStageNetwork.sample`.
        """
        chosen, wanted = super().sample(regions, truth)
        return chosen, wanted | {MASKS: sample_masks(chosen, truth, size=self.mask_size)}

    def build_first(self) -> keras.Model:
        """As of every network of two stages, and the image itself, for its extent in pixels."""
        first = super().build_first()
        image = layers.Identity(name=EXTENT)(first.input)
        return keras.Model(first.input, dict(first.output) | {EXTENT: image}, name="first")

    def build_stages(self) -> dict[str, keras.Model]:
        """The second stage, and that of the masks."""
        return super().build_stages() | {"mask_stage": self.build_masks()}

    def build_masks(self) -> keras.Model:
        """Features and regions → logits of a mask in each."""
        size, convs, width = MASK_STAGES[self.settings.preset]
        features = keras.Input((None, None, self.config.features), name="features")
        boxes = keras.Input((None, 4), name="regions")
        x = RoiAlign(self.plan()[1][0], size, name="align")([features, boxes])
        x = JoinedRegions(name="join")(x)
        for i in range(convs):
            about = {"padding": "same", "activation": "relu", "name": f"conv{i}"}
            x = layers.Conv2D(width, 3, **about)(x)
        x = layers.Conv2DTranspose(width, 2, strides=2, activation="relu", name="enlarge")(x)
        x = layers.Conv2D(1, 1, name="answer")(x)
        x = ApartRegions(name="part")([x, boxes])
        return keras.Model([features, boxes], x, name="mask_stage")

    def decode(self, maps: Maps, **values: float) -> Labels:
        """The boxes of the second stage, with the masks of the third."""
        boxes, target = super().decode(maps, **values), self.target()
        shape = maps[EXTENT].shape[:-1]  # grids of cells reach beyond it
        low, high = (np.clip(part, 0, shape) for part in box_corners(boxes.edges))
        there = (high - low >= 1).all(axis=1)
        edges, score = join_corners(low[there], high[there]), boxes.score[there]
        masks = self.look_at(maps, edges, stage="mask_stage")
        return target.join(edges, score, masks=masks, shape=shape)
