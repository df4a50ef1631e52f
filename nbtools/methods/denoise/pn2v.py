"""Probabilistic Noise2Void: predicts a distribution per pixel, weighted by a model of the noise.

Krull et al. 2020, doi:10.3389/fcomp.2020.00005; noise models without calibration: Prakash et al.
2020, doi:10.1109/ISBI45749.2020.9098612. The noise model is measured on frames of one scene, or on
what a first denoiser makes of the training images. That denoiser is trained in a share of the
budget, and where its network is alike, training goes on from its weights: our addition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import keras
import numpy as np

from nbtools import documents, io, losses, methods, nets, noise, normalize, runtime
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.methods import restoration
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.method import Method
from nbtools.methods.settings import BlindSpotSettings, preset_setting
from nbtools.noise import NoiseModel
from nbtools.targets.blindspot import BlindSpotMask, ListedBlindSpots
from nbtools.training import History, TrainingPlan, clock

AS_N2V2 = {"narrow_before_upsampling": True, "norm": "none", "pool": "blur", "topmost_skip": False}
NETWORKS = {
    "tiny": {"filters": (8, 16), **AS_N2V2},
    "small": {"filters": (32, 64, 128), **AS_N2V2},
    "paper": {
        "filters": (64, 128, 256),
        "norm": "none",
        "upsampling": "transpose",
        "skip_mode": "add",
    },
}
SAMPLES = {"tiny": 16, "small": 100, "paper": 800}
SAMPLES_3D = 32
SHARED = (
    "preset",
    "patch_size",
    "patch_depth",
    "batch_size",
    "steps_per_epoch",
    "learning_rate",
    "augmentation",
)
LEAST_SECONDS = 8.0  # of the first denoiser's training
ESTIMATED = 32  # training images that the noise is measured on
# of the usual first weights: how far samples lie apart around the first denoiser's result when
# training begins
SPREAD = 0.3
GO_ON = 0.3  # of the learning rate, where training goes on from the first denoiser's weights
PREPARED = "noise.npz"


@dataclass(frozen=True)
class PN2VSettings(BlindSpotSettings):
    preset: str = preset_setting(*NETWORKS)
    samples: int | None = setting(
        None,
        min=2,
        max=2000,
        help=(
            "Values of each pixel that the network proposes; empty: 100, in volumes 32, with "
            "paper 800."
        ),
    )
    noise_model: str = setting(
        "mixture",
        choices=tuple(noise.KINDS),
        help="mixture needs few data; histogram takes any noise, from many calibration frames.",
    )
    calibration: str | None = setting(
        None,
        help=(
            "File or folder with many noisy frames of one resting scene, to measure the noise "
            "on; empty: measured without."
        ),
    )
    denoiser: str = setting(
        "n2v",
        choices=("n2v",),
        level="advanced",
        help="Without calibration: the method that the noise is measured with.",
    )
    first_share: float = setting(
        35.0,
        unit="%",
        min=1,
        max=90,
        level="advanced",
        help="Its share of the minutes; without minutes, of the epochs, on top of them.",
    )


@final
class PN2V(KerasMethod):
    """Probabilistic Noise2Void: denoising with a model of the noise."""

    Settings, Target = PN2VSettings, ListedBlindSpots
    needs, normalization = (), normalize.SET_MOMENTS
    noise: noise.NoiseModel | None = None
    first: keras.Model | None = None  # the first denoiser's network, while training begins

    def prepare(self, train: DataSet) -> None:
        """Check that the images have one channel; UserError otherwise."""
        super().prepare(train)
        if self.domain.channels > 1:
            raise UserError(
                "A noise model is of one channel.",
                f"{train.names[0]} with {self.domain.channels} channels",
                "Choose one with --channel.",
            )

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Train a first denoiser to measure the noise with, then the network.

        Parameters
        ----------
        train : noisy images.
        val : images to choose the best epoch by.
        plan : its schedule is that of the first followed by that of the second; each begins with
            step 0.
        history : to be filled.

        Returns
        -------
        History of the second training, with the seconds and the schedule of both.
        """
        folder = None if plan.folder is None else Path(plan.folder) / "checkpoint" / "first"
        schedules = split_schedule(plan.schedule or ())
        before = replace(
            plan,
            folder=folder,
            schedule=schedules[0] if len(schedules) > 1 else None,
            callbacks=tuple(_Quiet(callback) for callback in plan.callbacks),
        )
        prepared = plan.resume and folder is not None and (folder / PREPARED).is_file()
        self.noise, recorded = self._prepare_noise(train, before)
        plan = replace(plan, schedule=schedules[-1], resume=prepared)
        history = super().learn(train, val, plan=plan, history=history)
        history.schedule = [*recorded["schedule"], *history.schedule]
        history.seconds += recorded["seconds"]
        return history

    def target_fields(self) -> dict:
        mask = BlindSpotMask(self.settings.masked, self.settings.radius)
        return super().target_fields() | {"mask": mask}

    def loss(self) -> Callable:
        about = {"offset": self.scale.offset[0], "factor": self.scale.factor[0]}
        return losses.sample_likelihood(self.noise.log_likelihood, **about)

    def build(self) -> keras.Model:
        settings, samples = self.settings, SAMPLES[self.settings.preset]
        if settings.preset == "small" and self.domain.ndim == 3:
            samples = SAMPLES_3D
        plan = restoration.plan_network(self, NETWORKS)
        model = nets.unet_for(self.domain, outputs=settings.samples or samples, **plan)
        if self.first is not None:
            go_on_from(self.first, model)
            self.first = None
        return model

    def training_settings(self) -> PN2VSettings:
        """Slower steps where the network begins with what the first denoiser has learned."""
        if self.settings.calibration or self.settings.preset == "paper":
            return self.settings
        return self.settings.replace(learning_rate=GO_ON * self.settings.learning_rate)

    def adopt(self, model: keras.Model) -> None:
        """Use this network, and count the memory of its three outputs in place of all samples."""
        super().adopt(model)
        self.field = replace(self.field, outputs=3.0)  # what is kept of all samples

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Predict a tile: (*tile, 1) normalised → (*tile, 3).

        The three are the mean of the predicted samples weighted by the likelihood of the noisy
        value, their plain mean, and their spread.

        Parameters
        ----------
        pixels : (*tile, 1) normalised grey values.
        """
        rows = zip(super().run(pixels), pixels, strict=True)  # whole tiles would fill the memory
        return np.stack([self._weigh(samples, own) for samples, own in rows])

    # --- inside

    def _weigh(self, samples: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Samples (..., K) and noisy pixels (..., 1), normalised → (..., 3), normalised."""
        logs = self.noise.log_likelihood(self.scale.undo(pixels), self.scale.undo(samples))
        weight = np.exp(logs - logs.max(axis=-1, keepdims=True))
        weight /= weight.sum(axis=-1, keepdims=True)
        mean = (weight * samples).sum(axis=-1)
        spread = np.sqrt((weight * (samples - mean[..., None]) ** 2).sum(axis=-1))
        return np.stack([mean, samples.mean(axis=-1), spread], axis=-1)

    def _prepare_noise(self, train: DataSet, plan: TrainingPlan) -> tuple[NoiseModel, dict]:
        """The noise model, and schedule and seconds of the first denoiser.

        The model is that of the run that is resumed, of the calibration frames, or of what a first
        denoiser makes of the images.
        """
        settings, folder = self.settings, plan.folder
        recorded: dict = {"schedule": [], "seconds": 0.0}
        if plan.resume and folder is not None and (folder / PREPARED).is_file():
            recorded = documents.read_document(folder / "first.json")
            return noise.read_model(folder / PREPARED), recorded
        complete = True
        if settings.calibration:
            pairs = noise.pair_frames(noise.read_frames(settings.calibration))
        else:
            first = self._train_first(train, plan)
            self.first, complete = first.model, first.history.stopped != "user"
            recorded = {name: getattr(first.history, name) for name in recorded}
            pairs = noise.pair_estimates(self._estimate(first, train))
        model = noise.KINDS[settings.noise_model].fit(*pairs)
        # a run that was stopped before goes on with its first denoiser
        if folder is not None and complete:
            folder.mkdir(parents=True, exist_ok=True)
            io.write_json(folder / "first.json", recorded)
            noise.write_model(model, folder / PREPARED)
        return model, recorded

    def _train_first(self, train: DataSet, plan: TrainingPlan) -> Method:
        settings = self.settings
        epochs = max(1, round(settings.epochs * settings.first_share / 100))
        shared = {name: getattr(settings, name) for name in SHARED}
        first = methods.get(settings.denoiser)(epochs=epochs, **shared)
        if plan.minutes is not None and plan.schedule is None:
            gone = runtime.process_seconds()
            end = plan.minutes * 60 - clock.reserve_seconds(plan.minutes)
            mine = max(LEAST_SECONDS, settings.first_share / 100 * (end - gone))
            plan = replace(plan, minutes=clock.add_reserve(gone + mine))
        first.fit(train, plan=plan)
        return first

    def _estimate(self, first: Method, train: DataSet) -> list[tuple[np.ndarray, np.ndarray]]:
        """(noisy, restored) pixels of a regular choice of the training images."""
        chosen = np.unique(np.linspace(0, len(train) - 1, ESTIMATED).round().astype(int))
        images = [self.check_image(train.image(int(index))) for index in chosen]
        return [(image.pixels, first.predict(image).image.pixels) for image in images]

    # --- on disk

    def describe_model(self) -> dict:
        signal = self.scale.undo(np.arange(-1.0, 4.0)[:, None])[:, 0]
        about = {
            "model": self.settings.noise_model,
            "signal": signal.round(3).tolist(),
            "standard_deviation": self.noise.noise_std(signal).round(3).tolist(),
        }
        return super().describe_model() | {"noise": about}

    def save_weights(self, folder: Path) -> None:
        """Write the weights, and the noise model beside them."""
        super().save_weights(folder)
        noise.write_model(self.noise, folder / PREPARED)

    def read_description(self, folder: Path) -> None:
        """Read the domain of the model, and its noise model."""
        super().read_description(folder)
        self.noise = noise.read_model(folder / PREPARED)


class _Quiet:
    """A callback that hears nothing of the first denoiser's epochs, but can stop it."""

    def __init__(self, callback: object):
        self.wants_stop = getattr(callback, "wants_stop", lambda: False)


def split_schedule(schedule: tuple) -> list[tuple | None]:
    """The parts of a schedule, each beginning with step 0; [None] where there is none."""
    starts = [i for i, (step, _) in enumerate(schedule) if step == 0] or [0]
    return [tuple(schedule[a:b]) or None for a, b in zip(starts, [*starts[1:], None], strict=True)]


def go_on_from(first: keras.Model, model: keras.Model) -> None:
    """Copy the weights of a network that differs in its head only.

    The head is copied to every sample, with its random weights scaled by SPREAD: the samples lie
    around the prediction of the first network.

    Parameters
    ----------
    first : source of the weights.
    model : is changed in place; it stays as it is if more than the head differs.
    """
    ours, theirs = (
        ([v for v in m.variables if not v.path.startswith("head/")]) for m in (model, first)
    )
    if [(v.path, tuple(v.shape)) for v in ours] != [(v.path, tuple(v.shape)) for v in theirs]:
        return
    for variable, value in zip(ours, theirs, strict=True):
        variable.assign(value)
    for variable, value in zip(
        model.get_layer("head").weights, first.get_layer("head").weights, strict=True
    ):
        variable.assign(
            SPREAD * keras.ops.convert_to_numpy(variable) + keras.ops.convert_to_numpy(value)
        )
