"""What the networks that classify images, or nuclei, share: all but their layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np

from nbtools import losses, nets, normalize
from nbtools.config import setting, vary
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.inference import Activated, Inference, WholeImage
from nbtools.methods.image_classes import (
    SAID,
    ImageClasses,
    balance_setting,
    scaling_setting,
    weigh_classes,
)
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.normalize import Normalization
from nbtools.targets.image_class import ImageClassTarget, count_outputs
from nbtools.training import History, TrainingPlan

SCALES = {"set": normalize.SET_MOMENTS, "image": normalize.PERCENTILES}
LIGHT = {"filters": (8, 16, 32)}  # of the small network for volumes
TURNS = ("none", "mirrors", "flips", "turns", "light", "standard", "strong")


@dataclass(frozen=True)
class ClassNetworkSettings(NetworkSettings, parameters=ImageClassTarget.parameters):
    """Settings of every network that classifies."""

    defaults_by_ndim: ClassVar = {
        "patch_size": {2: 256, 3: 96},
        "batch_size": {2: 32, 3: 8},
    }

    preset: str = preset_setting("tiny", "small", "paper")
    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side, in the plane, of what is looked at of larger images in training; empty: 256, "
        "in volumes 96. Smaller images are taken whole.",
    )
    patch_depth: int = vary(
        NetworkSettings, "patch_depth", default=96, help="Planes of it, of a volume."
    )
    batch_size: int | None = vary(
        NetworkSettings, "batch_size", help="Images per training step; empty: 32, in volumes 8."
    )
    steps_per_epoch: int = vary(NetworkSettings, "steps_per_epoch", default=50)
    learning_rate: float = vary(NetworkSettings, "learning_rate", default=2e-3)
    augmentation: str = vary(
        NetworkSettings,
        "augmentation",
        default="turns",
        choices=TURNS,
        help="How training images are varied. turns: flips and turns by any angle, which leave "
        "size and brightness as they are; light and more change these as well.",
    )
    balance: str = balance_setting()
    scaling: str = scaling_setting()
    label_smoothing: float = setting(
        0.05,
        min=0.0,
        max=0.5,
        level="advanced",
        help="Share of a class that is spread over all: keeps a network from being too sure.",
    )
    dropout: float = setting(
        0.2, min=0.0, max=0.9, level="advanced", help="Share of features dropped in training."
    )


class ClassNetwork(ImageClasses, KerasMethod):
    """A network with one output per class for the image as a whole."""

    Settings = ClassNetworkSettings
    class_weights: np.ndarray | None = None  # (K,) of the training images
    published: ClassVar[str] = ""  # network of the preset paper, see `nets.paper_classifier`
    pretrained: Path | None = None  # its weights, where training begins with those of ImageNet

    @property
    def normalization(self) -> Normalization:
        """How grey values are scaled, as the settings say."""
        return SCALES[self.settings.scaling]

    @normalization.setter
    def normalization(self, value: Normalization) -> None:
        """The settings say it; a model's file says the same."""

    @property
    def network_plan(self) -> dict:
        """What the builder of the network is told of domain and settings."""
        classes, channels = count_outputs(self.domain.classes), self.domain.channels
        return {"channels": channels, "outputs": classes, "dropout": self.settings.dropout}

    def start_from_imagenet(self, folder: str | Path | None = None) -> str:
        """Begin training with weights learned from ImageNet, which are downloaded.

        Parameters
        ----------
        folder : of the download, see `nets.fetch_imagenet`.

        Returns
        -------
        str : under which terms the weights are used.

        Raises
        ------
        UserError : the network is not the published one, pooch is not installed, no connection, or
            a wrong checksum.
        """
        if not self.published or self.settings.preset != "paper":
            raise UserError(
                "Weights of ImageNet are those of a published network of planes.",
                f"{self.name} with preset {self.settings.preset}",
                "Take vgg, resnet, densenet or efficientnet, with preset=paper.",
            )
        self.pretrained, terms = nets.fetch_imagenet(self.published, folder)
        self.origin = {"method": "imagenet"}
        return terms

    def prepare_network(self) -> None:
        """Weights of ImageNet, where training begins with them."""
        if self.pretrained is not None:
            nets.copy_imagenet(self.model, self.published, path=self.pretrained)
        super().prepare_network()

    def build_paper(self) -> keras.Model:
        """Build the published network.

        Raises
        ------
        UserError : for volumes there is none.
        """
        if self.domain.ndim == 3:
            raise UserError(
                "The published network is one of planes.",
                f"{self.name} with preset paper, for volumes",
                "Use preset small, or the method resnet3d.",
            )
        return nets.paper_classifier(self.published, **self.network_plan)

    def build_pooled(self, kind: str, networks: dict[str, dict], *, ndim: int) -> keras.Model:
        """Build a small network of our own for the preset.

        Parameters
        ----------
        kind : of blocks, see `nets.PooledConfig`.
        networks : preset → fields of `nets.PooledConfig`.
        ndim : number of spatial axes.
        """
        plan = networks[self.settings.preset]
        if ndim == 3 and self.settings.preset == "small":
            plan = plan | LIGHT
        spacing = self.domain.spacing if self.domain.ndim == ndim else None
        strides = nets.plan_halvings(len(plan["filters"]), spacing, ndim=ndim)
        return nets.pooled(ndim, kind=kind, strides=strides, **plan, **self.network_plan)

    def loss(self) -> Callable:
        weights = self.class_weights if self.settings.balance == "weights" else None
        return losses.weighted_crossentropy(weights, smoothing=self.settings.label_smoothing)

    def inference(self) -> Inference:
        return Activated(WholeImage(self.field, pads=True), self.target().activate)

    def patch_shape(self) -> tuple[int, ...]:
        """The largest image, no larger than the settings say and no smaller than the network."""
        plane = (self.resolve("patch_size"),) * 2
        size = (self.settings.patch_depth, *plane)[-self.domain.ndim :]
        size = np.minimum(size, self.largest) if self.largest else np.array(size)
        return tuple(int(n) for n in np.maximum(size, self.field.grid))

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Train the network, then make its probabilities true on the validation images."""
        numbers = self.list_numbers(train)
        self.class_weights = weigh_classes(numbers, count=len(self.domain.classes))
        history = super().learn(train, val, plan=plan, history=history)
        history.best |= self.calibrate(val)
        return history

    def weigh_examples(self, train: DataSet, counts: list[int]) -> np.ndarray:
        """How often each image is drawn: each class alike, where the settings say so."""
        if self.settings.balance != "sampling":
            return np.ones(len(train))
        numbers = self.list_numbers(train)
        return weigh_classes(numbers, count=len(self.domain.classes))[numbers]

    def count_validation(self, images: int, size: int) -> int:
        """Every validation image once, up to some hundred."""
        return max(1, -(-min(images, 512) // size))

    def notes(self) -> tuple[str, ...]:
        """How grey values are scaled, since brightness may be the signal."""
        return (SAID[self.settings.scaling],)

    def describe_model(self) -> dict:
        """Also the crops it has learned from."""
        return super().describe_model() | self.describe_crops()
