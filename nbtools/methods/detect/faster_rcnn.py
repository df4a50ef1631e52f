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

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import final

import keras
import numpy as np
from keras import layers

from nbtools import losses, nets
from nbtools.data import DataSet
from nbtools.inference.base import Maps
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.methods.anchor_sizes import AnchorSettings, settle_anchors
from nbtools.methods.box_network import PRIOR, BoxNetwork
from nbtools.methods.settings import preset_setting
from nbtools.nets import PyramidConfig
from nbtools.nets.roi_align import SIZE, RoiAlign
from nbtools.results import Boxes
from nbtools.targets.regions import FEATURES, SECOND, RegionTarget, sample_regions
from nbtools.training import TrainingSettings, TrainStep, TwoStage

NETWORKS = {
    "tiny": PyramidConfig((8, 12, 24, 32), (0, 0, 1, 1), features=16),
    "small": PyramidConfig((16, 32, 64, 96, 128), (0, 1, 1, 1, 1), features=48),
    "paper": PyramidConfig(
        (64, 64, 128, 256, 512), (0, 3, 4, 6, 3), kind="bottleneck", stem=-1, features=256
    ),
}
# of the second stage: channels that its input is brought to (0: all), and of its two dense layers
SECOND_STAGES = {"tiny": (8, 32), "small": (16, 128), "paper": (0, 1024)}
AT_ONCE = 256  # regions


@dataclass(frozen=True)
class FasterRCNNSettings(AnchorSettings):
    preset: str = preset_setting(*NETWORKS)


@final
class FasterRCNN(BoxNetwork):
    """Faster R-CNN: regions, and a second look at each."""

    Settings, Target = FasterRCNNSettings, RegionTarget
    networks, levels = NETWORKS, (1, 2, 3)

    def prepare(self, train: DataSet) -> None:
        """Also settle the sizes of the anchors, by the boxes of the training images."""
        super().prepare(train)
        self.settings = settle_anchors(self.settings, train, strides=self.plan()[1])

    @property
    def kinds(self) -> int:
        """Classes that the second stage tells apart, 1 for none."""
        return max(1, len(self.domain.classes))

    @property
    def network(self) -> keras.Model:
        """The first stage, which runs over the image; the second is part of the decoding."""
        return self.model.get_layer("first")

    def adopt(self, model: keras.Model) -> None:
        """Take a network as the method's own; its field is that of the first stage.

        Parameters
        ----------
        model : of both stages.
        """
        self.model = model
        for part in ("first", "second_stage"):
            nets.cpu_optimize(model.get_layer(part)).jit_compile = model.jit_compile = False
        self.field = measure_receptive_field(self.network)

    def loss(self) -> dict[str, Callable]:
        target = self.target()
        about = {"anchors": len(target.sizes), "kinds": 1, "focal": False}
        first = losses.anchor_boxes(self.domain.ndim, **about)
        return dict.fromkeys(target.names, first) | {SECOND: losses.region_boxes(self.kinds)}

    def step(self, settings: TrainingSettings) -> TrainStep:
        """Both stages learn from one batch."""
        target = self.target()
        return TwoStage(
            self.model,
            propose=lambda raw: target.propose(target.activate(raw)),
            sample=partial(sample_regions, kinds=self.kinds),
            losses=self.loss(),
            settings=settings,
        )

    def build(self) -> keras.Model:
        first, second = self.build_first(), self.build_second()
        boxes = keras.Input((None, 2 * self.domain.ndim), name="boxes")
        image = keras.Input(first.input.shape[1:], name="image")
        found = dict(first(image))
        answer = second([found.pop(FEATURES), boxes])
        named = {name: layers.Identity(name=name)(x) for name, x in found.items()}
        named[SECOND] = layers.Identity(name=SECOND)(answer)
        return keras.Model({"image": image, "boxes": boxes}, named, name="faster_rcnn")

    def build_first(self) -> keras.Model:
        """Image → scores and corrections of anchors, and the features for the second stage."""
        image, features = self.features()
        count, sides = len(self.target().sizes), len(self.target().sizes) * 2 * self.domain.ndim
        bias = np.r_[np.full(count, PRIOR / 2), np.zeros(sides)]
        tower = self.tower("regions", convs=1, outputs=len(bias), bias=bias)
        found = {name: layers.Identity(name=name)(tower(x)) for name, x in features.items()}
        found[FEATURES] = next(iter(features.values()))
        return keras.Model(image, found, name="first")

    def build_second(self) -> keras.Model:
        """Features and regions → logits of no nucleus and of each class, and corrections."""
        channels, (squeeze, width) = self.config.features, SECOND_STAGES[self.settings.preset]
        features = keras.Input((None, None, channels), name="features")
        boxes = keras.Input((None, 2 * self.domain.ndim), name="regions")
        x = RoiAlign(self.plan()[1][0], name="align")([features, boxes])
        if squeeze:
            x = layers.Dense(squeeze, activation="relu", name="squeeze")(x)
        x = layers.Reshape((-1, SIZE * SIZE * (squeeze or channels)), name="flat")(x)
        for i in range(2):
            x = layers.Dense(width, activation="relu", name=f"dense{i}")(x)
        x = layers.Dense(1 + self.kinds + 2 * self.domain.ndim, name="answer")(x)
        return keras.Model([features, boxes], x, name="second_stage")

    def decode(self, maps: Maps, **values: float) -> Boxes:
        """The regions of the first stage, as the second one sees them."""
        target, second = self.target(), self.model.get_layer("second_stage")
        regions, found = target.propose(maps), []
        for start in range(0, len(regions), AT_ONCE):
            part = np.zeros((AT_ONCE, regions.shape[1]), np.float32)
            part[:, regions.shape[1] // 2 :] = 1
            some = regions[start : start + AT_ONCE]
            part[: len(some)] = some
            inputs = [maps[FEATURES][None].astype(np.float32), part[None]]
            found.append(np.asarray(second.predict_on_batch(inputs))[0, : len(some)])
        shape = (0, 1 + self.kinds + 2 * self.domain.ndim)
        second = np.concatenate([np.zeros(shape, np.float32), *found])
        values = target.defaults() | values
        return target.refine(maps, regions, second=second, values=values)
