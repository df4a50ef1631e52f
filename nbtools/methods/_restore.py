"""RestoreMethod: a network that gives back an image with less noise or blur, in the grey values of
its input.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from nbtools import nets, normalize, training
from nbtools.config import setting
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import _turns
from nbtools.methods._keras import Example, KerasMethod, KerasSettings
from nbtools.methods.base import Prediction
from nbtools.results import Restored
from nbtools.training import History, TrainingPlan

LOOKED_AT = 64  # training images that the normalisation is measured on
LIGHT_3D = (16, 32, 64)  # filters of the small U-Net for volumes
FAR = 4.0  # times brighter or stronger in contrast than the training images


@dataclass(frozen=True)
class RestoreSettings(KerasSettings):
    """Settings of every network that restores images."""

    patch_size: int | None = setting(
        None,
        unit="px",
        min=16,
        max=4096,
        step=16,
        help="Side of a training patch in the plane; empty: 64, in volumes 32.",
    )
    batch_size: int | None = setting(
        None, min=1, max=1024, help="Patches looked at together; empty: 16, in volumes 1."
    )
    epochs: int = setting(
        10,
        min=1,
        max=100_000,
        help="How many times the network is tested on the validation images while it learns.",
    )
    steps_per_epoch: int | None = setting(
        None, min=1, max=100_000, help="Batches between two tests; empty: 50, in volumes 300."
    )
    learning_rate: float = setting(
        1e-3, min=1e-7, max=10.0, level="advanced", help="Highest learning rate of the schedule."
    )
    augmentation: str = setting(
        "flips",
        choices=("none", "mirrors", "flips"),
        help="How training patches are varied; turns by other angles would blur the noise.",
    )
    turns: str = setting(
        "none",
        choices=("none", "mirrors", "plane"),
        level="advanced",
        help=(
            "Views averaged in prediction: the image alone, its mirror images, or 8 turns and "
            "mirrors of the plane (8 times slower)."
        ),
    )
    colour: str = setting(
        "refuse",
        choices=("refuse", "split"),
        level="advanced",
        help=(
            "What to do with colour images: refuse them, or restore red, green and blue one by one."
        ),
    )


@dataclass(frozen=True)
class BlindSpotSettings(RestoreSettings):
    """Settings of the networks that learn from noisy images alone, by hidden pixels."""

    masked: float = setting(
        3.125,
        unit="%",
        min=0.05,
        max=10.0,
        level="advanced",
        help="Share of the pixels of a patch that are hidden.",
    )
    radius: int = setting(
        2, unit="px", min=1, max=20, level="advanced", help="How far a replacement may come from."
    )
    keep: str = setting(
        "last",
        choices=training.KEPT,
        help="Weights kept: a validation loss on noisy pixels is a poor guide to the best.",
    )


class RestoreMethod(KerasMethod):
    """A method whose result is an image. Grey values are normalised by those of the training set,
    and come back in the input's unit.

    A subclass gives `build`, and `loss` or `targets` as every `KerasMethod`; the network's first
    `domain.channels` outputs are the image, unless it has its own `decode`. With `needs = "clean"`,
    maps are the clean image on the scale of the noisy one.
    """

    Settings = RestoreSettings
    # of the same number of voxels of a volume, a network learns most in many small steps
    usual: ClassVar[dict] = {
        "patch_size": {2: 64, 3: 32},
        "batch_size": {2: 16, 3: 1},
        "steps_per_epoch": {2: 50, 3: 300},
    }
    rescales = False  # another pixel size is another noise
    needs: ClassVar[str | None] = None
    scale: normalize.Scale | None = None

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        """As every method's; each time point of a movie, and where asked for each colour, is an
        image of its own.
        """
        return super().fit(self._single_out(train), self._single_out(val), plan=plan)

    def predict(self, image: Image, **options) -> Prediction:
        """The restored image, float32, in the grey values, axes, shape and spacing of the input."""
        if not (image.is_rgb and self.settings.colour == "split" and self.domain.channels == 1):
            return super().predict(image, **options)
        parts = [
            super(RestoreMethod, self).predict(image.select(C=c), **options)
            for c in range(image.size("C"))
        ]
        pixels = np.stack([p.image.pixels for p in parts], axis=image.axes.index("C"))
        warnings = tuple(dict.fromkeys(w for p in parts for w in p.warnings))
        return Prediction(
            Restored(image.replace(pixels=pixels)),
            seconds=sum(p.seconds for p in parts),
            warnings=warnings,
        )

    def forward(self, pixels: np.ndarray) -> np.ndarray:
        """(*tile, C) normalised → (*tile, K): what `look` says, the mean over the views that the
        settings ask for.
        """
        return _turns.average(self.look, pixels, kind=self.settings.turns)

    def look(self, pixels: np.ndarray) -> np.ndarray:
        """(*tile, C) normalised → (*tile, K) of one view."""
        return super().forward(pixels)

    def start_fit(self, train: DataSet, needs: str | None) -> None:
        super().start_fit(train, needs)
        self.settings = self.settings.replace(steps_per_epoch=self.chosen("steps_per_epoch"))
        if train[0].image.is_rgb and self.domain.channels > 1:
            remedy = (
                "Give one channel with --channel, or have each colour restored by itself with "
                "colour=split."
            )
            raise UserError(
                "A colour image is no measurement of one noise.", f"{train.names[0]}, RGB", remedy
            )
        self.scale = self.measure_scale(self._choose_images(train))

    def plan_unet(self, networks: dict[str, dict]) -> dict:
        """Arguments of `nets.unet` for the preset among `networks`: lighter where it is small for
        volumes, pooled as the pixels ask.
        """
        plan = dict(networks[self.settings.preset])
        if self.settings.preset == "small" and self.domain.ndim == 3:
            plan["filters"] = LIGHT_3D
        return plan | {
            "strides": nets.plan_pooling(
                self.domain.ndim, self.domain.spacing, count=len(plan["filters"]) - 1
            )
        }

    def measure_scale(self, images: list[np.ndarray]) -> normalize.Scale:
        """The normalisation of the whole training set.  images : (*space, C) each."""
        return normalize.by_moments(np.concatenate([i.reshape(-1, 1, i.shape[-1]) for i in images]))

    def scale_of(self, pixels: np.ndarray) -> normalize.Scale:
        return self.scale

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """(*space, C) normalised → (*space, C) grey values."""
        return self.scale.undo(maps[..., : self.domain.channels])

    def decode_maps(self, maps: np.ndarray, image: Image, **choices) -> Prediction:
        """Maps (*space, K), or (T, *space, K) → the restored image with the axes of the input."""
        frames = maps if "T" in image.axes else maps[None]
        restored = np.stack([self.decode(m, **choices) for m in frames]).astype(
            np.float32, copy=False
        )
        ordered = image.to("T" + self.domain.axes + "C").replace(pixels=restored)
        return Prediction(Restored(ordered.to(image.axes)))

    # --- inside

    def _single_out(self, dataset: DataSet | None) -> DataSet | None:
        """The data set by time points and, where colours are to be split, by channels."""
        if dataset is None or not len(dataset):
            return dataset
        dataset = dataset.frames()
        if self.settings.colour == "split" and dataset.image(0).is_rgb:
            return DataSet.of(
                [part for sample in dataset for part in _split_colours(sample)], name=dataset.name
            )
        return dataset

    def _choose_images(self, train: DataSet) -> list[np.ndarray]:
        """A regular choice of the training images: (*space, C) each, thinned out where they are
        large.
        """
        chosen = np.unique(np.linspace(0, len(train) - 1, LOOKED_AT).round().astype(int))
        found = []
        for index in chosen:
            pixels = self.check_image(train.image(int(index))).to(self.domain.axes + "C").pixels
            step = max(1, round((pixels.size / 500_000) ** (1 / self.domain.ndim)))
            found.append(pixels[(slice(None, None, step),) * self.domain.ndim].astype(np.float32))
        return found

    def _prepare(self, sample: Sample, *, encode: bool = True) -> Example:
        noisy = self.check_image(sample.image).to(self.domain.axes + "C").pixels
        if self.needs != "clean":
            return Example(self.scale.apply(noisy), None, None)
        if sample.clean is None:
            raise UserError(
                "Every training image needs a clean partner.",
                sample.name,
                "Put it into clean/ under the image's name.",
            )
        clean = self.check_image(sample.clean).to(self.domain.axes + "C").pixels
        if clean.shape != noisy.shape:
            received = f"{sample.name}: {noisy.shape[:-1]} and {clean.shape[:-1]}"
            raise UserError(
                "An image and its clean partner must have the same shape.",
                received,
                "Export both from the same field of view.",
            )
        return Example(self.scale.apply(noisy), None, self.scale.apply(express_as(clean, noisy)))

    def _judge(self, image: Image, result: Prediction, *, scaled: bool) -> tuple[str, ...]:
        """A warning where grey values are far from the training's: the network would leave what it
        has learned.
        """
        theirs = self.measure_scale([image.select(T=0).to(self.domain.axes + "C").pixels])
        ratio = np.array(theirs.factor) / np.array(self.scale.factor)
        shift = np.abs(np.array(theirs.offset) - np.array(self.scale.offset)) / np.array(
            self.scale.factor
        )
        if (ratio < FAR).all() and (shift < FAR).all():
            return ()
        told = f"around {theirs.offset[0]:.4g}, in training {self.scale.offset[0]:.4g}"
        return (
            f"Grey values are far from those of the training images ({told}). Train on images "
            "taken with these settings.",
        )

    # --- on disk

    def extra(self) -> dict:
        how = {
            "how": "of the whole training set",
            "offset": list(self.scale.offset),
            "factor": list(self.scale.factor),
        }
        return super().extra() | {"normalisation": how}

    def load_weights(self, folder: Path) -> None:
        about = json.loads((folder / "model.json").read_text("utf-8"))["normalisation"]
        self.scale = normalize.Scale(tuple(about["offset"]), tuple(about["factor"]))
        super().load_weights(folder)


def express_as(clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """A clean image in the grey values of its noisy partner: the line that fits noisy to clean
    best, for each channel.

    The two may have been taken with other exposure; noise without bias leaves the fit alone.
    clean, noisy : (*space, C).
    """
    found = np.empty(clean.shape, np.float32)
    for c in range(clean.shape[-1]):
        x, y = clean[..., c].astype(np.float64), noisy[..., c].astype(np.float64)
        spread = x.var()
        slope = ((x - x.mean()) * (y - y.mean())).mean() / spread if spread > 0 else 0.0
        found[..., c] = slope * (x - x.mean()) + y.mean()
    return found


def without_swaps(recipe: str) -> str:
    """The recipe without turns by 90°, for images whose axes differ in their noise."""
    return "mirrors" if recipe == "flips" else recipe


def _split_colours(sample: Sample) -> list[Sample]:
    def pick(image: Image | None, c: int) -> Image | None:
        return image if image is None else image.select(C=c)

    channels = range(sample.image.size("C"))
    return [
        replace(
            sample,
            name=f"{sample.name}_{c}",
            image=pick(sample.image, c),
            clean=pick(sample.clean, c),
        )
        for c in channels
    ]
