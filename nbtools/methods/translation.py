"""What the methods share that translate images: settings, and the scale of the other kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np

from nbtools import nets, normalize
from nbtools.config import vary
from nbtools.data import DataSet, Sample
from nbtools.methods.domain import Domain
from nbtools.methods.grey_scaling import LOOKED_AT
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.persistence import read_about, require_part
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.normalize import Scale
from nbtools.patches import Example
from nbtools.targets.translated import HERE, THERE
from nbtools.training import Adversarial, Cycle, TrainingSettings
from nbtools.training.cycle import absolute

# of generators and of judges, by preset
GENERATORS = {"tiny": (8, 16), "small": (16, 32, 64), "paper": (64, 128, 256, 512)}
JUDGES = {"tiny": (8, 16), "small": (16, 32, 64), "paper": (64, 128, 256, 512)}


@dataclass(frozen=True)
class GeneratorSettings(NetworkSettings):
    """Settings of every method with a network that makes images."""

    defaults_by_ndim: ClassVar = {
        "patch_size": {2: 96, 3: 48},
        "batch_size": {2: 4, 3: 1},
    }

    preset: str = preset_setting(*GENERATORS)
    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side of a training patch in the plane; empty: 96, in volumes 48.",
    )
    batch_size: int | None = vary(
        NetworkSettings, "batch_size", help="Patches per training step; empty: 4, in volumes 1."
    )


@dataclass(frozen=True)
class TranslationSettings(GeneratorSettings):
    """Settings of every network that translates images."""

    augmentation: str = vary(
        NetworkSettings,
        "augmentation",
        default="flips",
        choices=("none", "mirrors", "flips", "turns"),
        help="How training patches are varied; grey values stay: they are what is learned.",
    )
    checkpoint: str = vary(
        NetworkSettings,
        "checkpoint",
        default="last",
        help="Weights kept: the loss of an adversary does not fall as images get better.",
    )


class Translation(KerasMethod):
    """A method that makes images of another kind; grey values of each kind have their own scale.

    A subclass says in `partner` which partner of a training image is of the other kind.
    """

    Settings = TranslationSettings
    normalization = normalize.SET_MOMENTS
    partner: ClassVar[str]
    there: Scale | None = None  # of the other kind of images

    def prepare(self, train: DataSet) -> None:
        """Also measure the scale of the other kind of images."""
        super().prepare(train)
        others = self.sample_images(choose_others(train, self.partner))
        values = [image.reshape(-1, 1, image.shape[-1]) for image in others]
        self.there = self.normalization.measure(np.concatenate(values))

    def target_fields(self) -> dict:
        """The result is on the scale of the other kind."""
        return super().target_fields() | ({} if self.there is None else {"scale": self.there})

    def make_example(self, sample: Sample, *, encode: bool = True) -> Example:
        """The image, and its partner on a scale of its own."""
        example = super().make_example(sample, encode=encode)
        pixels = self.scale.undo(getattr(example, self.partner))
        return replace(example, **{self.partner: self.there.apply(pixels)})

    # --- on disk

    def describe_model(self) -> dict:
        """Also the scale of the other kind."""
        about = {"offset": list(self.there.offset), "factor": list(self.there.factor)}
        return super().describe_model() | {"there": about}

    def read_description(self, folder: Path) -> None:
        """Read the scale of the other kind, too; UserError where it is missing."""
        super().read_description(folder)
        about = require_part(read_about(folder), "there", folder=folder, holds="offset")
        self.there = Scale(tuple(about["offset"]), tuple(about["factor"]))


def choose_others(train: DataSet, partner: str) -> DataSet:
    """Some images of the other kind, at regular intervals, as a data set of their own.

    Parameters
    ----------
    train : training images.
    partner : "unpaired" or "clean".
    """
    known = np.flatnonzero(train.which_have(partner))
    some = np.unique(np.linspace(0, len(known) - 1, LOOKED_AT).round().astype(int))
    others = [getattr(train[i], partner) for i in known[some]]
    return DataSet.of([Sample(str(i), image) for i, image in enumerate(others)])


def make_generator(
    domain: Domain, preset: str, *, given: int | None = None, name: str = "generator"
) -> keras.Model:
    """A U-Net from an image to an image.

    Parameters
    ----------
    domain : of the images.
    preset : of GENERATORS.
    given : channels of its input; None: those of the images.
    name : of the network.
    """
    shown = domain if given is None else replace(domain, channels=given)
    net = nets.unet_for(shown, outputs=domain.channels, filters=GENERATORS[preset], bias=True)
    return keras.Model(net.input, net.output, name=name)


def pair_output(net: keras.Model, *, name: str) -> keras.Model:
    """A generator whose output "near" is its image, and "generated" its input and image together.

    Parameters
    ----------
    net : generator.
    name : of the network.
    """
    near = keras.layers.Identity(name="near")(net.output)
    both = keras.layers.Concatenate(name="generated")([net.input, near])
    return keras.Model(net.input, {"near": near, "generated": both}, name=name)


def nearness_loss(weight: float) -> dict[str, Callable]:
    """The mean absolute difference of "near" to the partner, with its weight."""

    def near(truth: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
        return weight * absolute(truth, output)

    return {"near": near}


def make_adversarial(
    model: keras.Model, *, preset: str, nearness: float, settings: TrainingSettings
) -> Adversarial:
    """The step of pix2pix for a generator.

    Parameters
    ----------
    model : generator as of `pair_output`.
    preset : of JUDGES.
    nearness : weight of the absolute difference to the partner.
    settings : learning rate and weight decay.
    """
    shape = model.output["generated"].shape
    judge = nets.patchgan(len(shape) - 2, channels=shape[-1], filters=JUDGES[preset])
    return Adversarial(model, judge, losses=nearness_loss(nearness), settings=settings)


def make_cycle(
    model: keras.Model,
    domain: Domain,
    *,
    preset: str,
    weights: dict[str, float],
    settings: TrainingSettings,
) -> Cycle:
    """The step of CycleGAN for a generator.

    Parameters
    ----------
    model : generator from here to there.
    domain : of the images.
    preset : of GENERATORS and JUDGES.
    weights : of "cycle" and "spatial"; where the latter is 0, there is no network for it.
    settings : learning rate and weight decay.
    """
    about = {"channels": domain.channels, "filters": JUDGES[preset]}
    judges = {k: nets.patchgan(domain.ndim, name=f"judge_{k}", **about) for k in (HERE, THERE)}
    back, finder = make_generator(domain, preset, name="back"), None
    if weights["spatial"]:
        finder = make_generator(domain, preset, name="finder")
    return Cycle(model, back, judges=judges, finder=finder, weights=weights, settings=settings)
