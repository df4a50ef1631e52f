"""TwoStageNetwork: regions that may hold a nucleus, and further stages that look at each."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import keras
import numpy as np
from keras import layers

from nbtools import losses, nets
from nbtools.data import DataSet
from nbtools.inference.base import Maps
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.methods.anchor_sizes import settle_anchors
from nbtools.methods.box_network import PRIOR, BoxNetwork
from nbtools.nets.pyramid import PyramidConfig
from nbtools.nets.roi_align import SIZE, RoiAlign
from nbtools.results import Boxes
from nbtools.targets.regions import FEATURES, MASKS, SECOND, sample_regions
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
OUTPUTS = {"second_stage": SECOND, "mask_stage": MASKS}  # name of a stage → of its output


class TwoStageNetwork(BoxNetwork):
    """A method whose first stage proposes regions, and whose further stages look at each.

    A subclass gives `Target`.
    """

    is_one_graph = False
    levels = (1, 2, 3)
    networks = NETWORKS
    stage_names: ClassVar[tuple[str, ...]] = ("second_stage",)
    kept: ClassVar[tuple[str, ...]] = (FEATURES,)  # of the first stage, without a loss
    given: ClassVar[tuple[str, ...]] = ("boxes", "void")  # what regions are compared with

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
        for part in ("first", *self.stage_names):
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
            sample=self.sample,
            losses=self.loss(),
            settings=settings,
            given=self.given,
        )

    def sample(
        self, regions: np.ndarray, truth: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Regions to learn from, and what each further stage is to make of them.

        Parameters
        ----------
        regions : (R, 2 D) edges in pixels, as proposed.
        truth : of the image, by the names of `given`.
        """
        void = truth["void"]
        chosen, wanted = sample_regions(regions, truth["boxes"], void=void, kinds=self.kinds)
        return chosen, {SECOND: wanted}

    def build(self) -> keras.Model:
        first, stages = self.build_first(), self.build_stages()
        boxes = keras.Input((None, 2 * self.domain.ndim), name="boxes")
        image = keras.Input(first.input.shape[1:], name="image")
        found = dict(first(image))
        features = found[FEATURES]
        found = {name: x for name, x in found.items() if name not in self.kept}
        found |= {OUTPUTS[name]: stage([features, boxes]) for name, stage in stages.items()}
        named = {name: layers.Identity(name=name)(x) for name, x in found.items()}
        return keras.Model({"image": image, "boxes": boxes}, named, name=self.name or None)

    def build_stages(self) -> dict[str, keras.Model]:
        """Name → network of features and regions, of each further stage."""
        return {"second_stage": self.build_second()}

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
        target = self.target()
        regions, values = target.propose(maps, crowded=True), target.defaults() | values
        second = self.look_at(maps, regions, stage="second_stage")
        return target.refine(maps, regions, second=second, values=values)

    def look_at(self, maps: Maps, regions: np.ndarray, *, stage: str) -> np.ndarray:
        """What a further stage makes of each region, some at once.

        Parameters
        ----------
        maps : of the first stage, with the features.
        regions : (R, 2 D) edges in pixels.
        stage : its name.

        Returns
        -------
        (R, ...).
        """
        network = self.model.get_layer(stage)
        found = [np.zeros((0, *network.output.shape[2:]), np.float32)]
        for start in range(0, len(regions), AT_ONCE):
            part = np.zeros((AT_ONCE, regions.shape[1]), np.float32)
            part[:, regions.shape[1] // 2 :] = 1
            some = regions[start : start + AT_ONCE]
            part[: len(some)] = some
            inputs = [maps[FEATURES][None].astype(np.float32), part[None]]
            found.append(np.asarray(network.predict_on_batch(inputs))[0, : len(some)])
        return np.concatenate(found)
