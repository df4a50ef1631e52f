"""The one training loop: seeded, budgeted, stoppable, and resumed exactly where it was.

A batch is a function of (seed, step), made by background threads while the network computes; so the
order of threads, a stop and a resume change nothing. The learning rate follows a one-cycle schedule
(Smith & Topin 2018, arXiv:1708.07120) over the budget, in steps or in minutes; with minutes the
realised schedule is recorded, and can be followed again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from nbtools import io, runtime
from nbtools.config import Settings, setting
from nbtools.errors import UserError
from nbtools.training.clock import Clock, one_cycle
from nbtools.training.feed import Batch, prefetch
from nbtools.training.recipe import hash_file, write_recipe
from nbtools.training.weights import KEPT, Best, Swapped, read_weights, set_weights, write_weights

__all__ = [
    "KEPT",
    "History",
    "Trainer",
    "TrainingPlan",
    "TrainingSettings",
    "find_loss",
    "hash_file",
    "one_cycle",
    "prefetch",
    "read_weights",
    "set_weights",
    "write_recipe",
    "write_weights",
]


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """Settings that every trained method has."""

    epochs: int = setting(
        20,
        min=1,
        max=100_000,
        help="How many times the network is tested on the validation images while it learns.",
    )
    steps_per_epoch: int = setting(100, min=1, max=100_000, help="Batches between two tests.")
    batch_size: int = setting(4, min=1, max=1024, help="Patches looked at together.")
    learning_rate: float = setting(
        3e-3, min=1e-7, max=10.0, level="advanced", help="Highest learning rate of the schedule."
    )
    weight_decay: float = setting(
        1e-3, min=0.0, max=1.0, level="advanced", help="Pull of the weights towards zero."
    )
    averaging: float = setting(
        0.98,
        min=0.0,
        max=0.9999,
        level="advanced",
        help="Memory of the running mean of the weights; 0: none.",
    )
    keep: str = setting(
        "best",
        choices=KEPT,
        level="advanced",
        help="The model's weights: of the lowest validation loss, or of the last epoch.",
    )


@dataclass(frozen=True)
class TrainingPlan:
    """How to run a training, as against what to train.

    minutes : wall time from the start of the process to a usable model, instead of `epochs`.
    folder : where the checkpoint is kept; needed to resume.
    resume : go on from that checkpoint.
    callbacks : objects with any of on_note(text), on_step(step, logs), on_epoch(epoch, logs),
        wants_stop().
    schedule : [[step, progress], …] of an earlier run, followed exactly.
    """

    seed: int = 0
    minutes: float | None = None
    folder: Path | None = None
    resume: bool = False
    callbacks: tuple = ()
    schedule: tuple | None = None

    def seconds_left(self) -> float:
        """What remains of a budget in minutes; without one, an hour."""
        return (
            3600.0
            if self.minutes is None
            else max(0.0, self.minutes * 60 - runtime.process_seconds())
        )

    def tell(self, event: str, *about: object) -> None:
        """Call `event` of every callback that has it."""
        for callback in self.callbacks:
            if hasattr(callback, event):
                getattr(callback, event)(*about)


@dataclass
class History:
    """What happened: one row an epoch, and the summary of the run."""

    rows: list[dict] = field(default_factory=list)
    schedule: list[list[float]] = field(default_factory=list)
    best: dict = field(default_factory=dict)
    stopped: str = "epochs"
    seconds: float = 0.0
    steps: int = 0
    parameters: int = 0

    @property
    def epochs(self) -> int:
        return len(self.rows)

    def summary(self) -> dict:
        keys = ("seconds", "epochs", "steps", "parameters", "best", "stopped")
        return {key: getattr(self, key) for key in keys}


def find_loss(
    model: keras.Model, batch: tuple[np.ndarray, np.ndarray], *, learn: bool = False
) -> float:
    """The loss of one batch (x, y) alone, which Keras before 3.15 would average with all before it.
    learn : take a training step, too.
    """
    model.reset_metrics()
    return float((model.train_on_batch if learn else model.test_on_batch)(*batch))


class Trainer:
    """Trains one Keras model from a function that draws a batch.

    Parameters
    ----------
    model : a Keras model.   loss : (truth, output) → one number an image.
    settings : a `TrainingSettings`.   plan : a `TrainingPlan`.

    After a run, `spare` has the weights that the model was not left with, by name: {"last":
    arrays}, or {"best": arrays}.
    """

    def __init__(
        self, model: keras.Model, loss: Callable, settings: TrainingSettings, plan: TrainingPlan
    ):
        self.model, self.settings, self.plan = model, settings, plan
        self.history = History(parameters=model.count_params())
        self.clock = Clock(settings, plan)
        self.average: list[np.ndarray] | None = None
        self.spare: dict[str, list[np.ndarray]] = {}
        optimizer = keras.optimizers.AdamW(
            settings.learning_rate, weight_decay=settings.weight_decay, clipnorm=1.0
        )
        # on two cores XLA costs TensorFlow more to start than its slightly faster steps bring back;
        # JAX is nothing without it
        model.compile(
            optimizer=optimizer,
            loss=loss,
            jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        )
        optimizer.build(model.trainable_variables)

    def run(self, draw: Batch, validate: Callable[[], dict]) -> History:
        """Train to the end of the budget and leave averaged weights in the model: the best or the
        last, as `settings.keep` says.

        draw : rng → (x, y) of a batch.
        validate : () → {"val_loss": …}, called once an epoch with the averaged weights in place.
        """
        first = self._resume() if self.plan.resume else 0
        started = time.monotonic() - self.history.seconds
        best = Best(self)
        if self.plan.resume and first:
            best.restore()
        for epoch in range(first, self.clock.most_epochs):
            loss, rate = self._epoch(epoch, draw)
            row = {
                "epoch": epoch + 1,
                "step": self.history.steps,
                "seconds": round(time.monotonic() - started, 3),
                "loss": loss,
                "lr": rate,
            }
            self.history.rows.append(row)
            self.history.seconds = row["seconds"]
            with self.averaged_weights():
                row |= validate()
                best.offer(row)
                self.plan.tell(
                    "on_epoch", epoch + 1, row
                )  # who listens may look at what the tested weights find
            self._checkpoint(best)
            if reason := self._finished():
                self.history.stopped = reason
                break
        self.history.schedule = self.clock.realised(self.history.steps)
        kept = {"best": best.weights, "last": self.average}
        set_weights(self.model, kept.pop(self.settings.keep))
        self.spare = kept
        return self.history

    def _epoch(self, epoch: int, draw: Batch) -> tuple[float, float]:
        losses, rate = [], 0.0
        steps = range(self.history.steps, self.history.steps + self.clock.steps_in(epoch))
        for step, (x, y) in prefetch(draw, steps, seed=self.plan.seed):
            progress = self.clock.progress(step)
            rate = self.settings.learning_rate * one_cycle(progress)
            self.model.optimizer.learning_rate.assign(rate)
            losses.append(find_loss(self.model, (x, y), learn=True))
            self._update_average(progress)
            self.history.steps = step + 1
            self.plan.tell(
                "on_step",
                step + 1,
                {"loss": losses[-1], "lr": rate, "progress": self.clock.share_done(step + 1)},
            )
            if self.clock.is_over() or self._stop_wanted():
                break
        return float(np.mean(losses)), rate

    def _finished(self) -> str:
        if self._stop_wanted():
            return "user"
        if self.clock.is_over():
            return "minutes" if self.clock.timed else "epochs"
        return ""

    def _stop_wanted(self) -> bool:
        return any(c.wants_stop() for c in self.plan.callbacks if hasattr(c, "wants_stop"))

    # --- averaged weights: the mean of the last steps generalises better than the last step
    # (Izmailov et al. 2018, arXiv:1803.05407)

    def _update_average(self, progress: float) -> None:
        memory = self.settings.averaging * min(1.0, progress * 4)  # forget the beginning quickly
        weights = [keras.ops.convert_to_numpy(v) for v in self.model.weights]
        if self.average is None or not memory:
            self.average = [w.astype(np.float32, copy=True) for w in weights]
            return
        for mean, weight in zip(self.average, weights, strict=True):
            mean *= memory
            mean += (1 - memory) * weight

    def averaged_weights(self):
        """Context in which the model holds the averaged weights."""
        return Swapped(self.model, self.average)

    # --- checkpoint and resume

    def _checkpoint(self, best: Best) -> None:
        if self.plan.folder is None:
            return
        folder = Path(self.plan.folder) / "checkpoint"
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {f"v{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(self._state())}
        arrays |= {f"a{i}": a for i, a in enumerate(self.average)} | {
            f"b{i}": b for i, b in enumerate(best.weights)
        }
        with io.atomic_write(folder / "state.npz") as temporary:
            np.savez(temporary, **arrays)
        self.history.schedule = self.clock.realised(self.history.steps)
        state = {
            "history": self.history.__dict__,
            "settings": self.settings.to_dict(),
            "seed": self.plan.seed,
            "minutes": self.plan.minutes,
        }
        io.write_json(folder / "state.json", state)

    def _resume(self) -> int:
        folder = Path(self.plan.folder or ".") / "checkpoint"
        if not (folder / "state.json").is_file():
            return 0
        state = json.loads((folder / "state.json").read_text("utf-8"))
        self._refuse_other_run(state)
        with np.load(folder / "state.npz", allow_pickle=False) as arrays:
            for i, variable in enumerate(self._state()):
                variable.assign(arrays[f"v{i}"])
            self.average = [arrays[f"a{i}"].copy() for i in range(len(self.model.weights))]
            self.resumed_best = [arrays[f"b{i}"].copy() for i in range(len(self.model.weights))]
        self.history = History(**state["history"])
        self.clock.resume(self.history)
        return self.history.epochs

    def _refuse_other_run(self, state: dict) -> None:
        """A checkpoint is of one training: more epochs may be asked for, nothing else may
        differ.
        """
        theirs, ours = (
            dict(state["settings"], seed=state["seed"]),
            dict(self.settings.to_dict(), seed=self.plan.seed),
        )
        differs = [k for k in ours if k != "epochs" and ours[k] != theirs.get(k)]
        if differs:
            received = ", ".join(f"{k}={ours[k]} (was {theirs.get(k)})" for k in differs)
            raise UserError(
                "A run is resumed with the settings it was started with.",
                received,
                "Use the old settings, or another folder.",
            )

    def _state(self) -> list:
        """Every variable that decides the next step: weights, seeds of dropout layers,
        optimizer.
        """
        return [*self.model.variables, *self.model.optimizer.variables]
