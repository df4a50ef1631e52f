"""What adapters to borrowed packages share: import, silence, and our training plan.

The plan is that of a package that calls Keras's `fit` itself: schedule, budget, callbacks, history
and best weights.
"""

from __future__ import annotations

import contextlib
import importlib
import io as text
import sys
import time

import keras
import numpy as np

from nbtools.errors import UserError
from nbtools.training import (
    History,
    TrainingPlan,
    TrainingSettings,
    checkpoints,
    one_cycle,
    set_weights,
)
from nbtools.training.clock import Clock


def import_part(package: str, name: str, *, title: str) -> object:
    """Import a module of a package that runs on TensorFlow.

    Parameters
    ----------
    package : name of the package.
    name : of the module; "" for the package itself.
    title : name of the method, for the error.

    Raises
    ------
    UserError : Keras runs on another backend.
    """
    if keras.backend.backend() != "tensorflow":
        remedy = (
            "Set the environment variable KERAS_BACKEND to tensorflow and start Python anew, or "
            "choose another method."
        )
        raise UserError(
            f"{title} runs on TensorFlow only.", f"Keras on {keras.backend.backend()}", remedy
        )
    return importlib.import_module(f"{package}.{name}" if name else package)


class FollowPlan(keras.callbacks.Callback):
    """Runs the training of a package by our plan; a callback for its `fit`.

    After the training, `other_weights` has the weights that the network was not left with, as those
    of `training.Trainer`.

    Parameters
    ----------
    settings : with epochs, steps_per_epoch, learning_rate and checkpoint.
    plan : seed, budget and callbacks.
    done : epochs of an earlier run, whose weights alone are kept; they count, and the schedule
        continues from there.
    """

    def __init__(self, settings: TrainingSettings, plan: TrainingPlan, *, done: int = 0):
        super().__init__()
        self.settings, self.plan, self.done = settings, plan, done
        self.clock, self.result = (
            Clock(settings, plan),
            History(steps=done * settings.steps_per_epoch),
        )
        self.best, self.lowest, self.other_weights = None, np.inf, {}
        self.screen = sys.stdout

    @property
    def epochs(self) -> int:
        """How many epochs to ask the package for."""
        return max(1, min(self.clock.most_epochs, 100_000) - self.done)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start the clock of the history, and count the parameters."""
        self.started = time.monotonic()
        self.result.parameters = self.model.count_params()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Set the learning rate of the step."""
        self.rate = self.settings.learning_rate * one_cycle(self.clock.progress(self.result.steps))
        self.model.optimizer.learning_rate.assign(self.rate)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count and report the step; stop where the time is over or a callback asks for it."""
        self.result.steps += 1
        self._tell("on_step", self.result.steps, {"loss": float(logs["loss"]), "lr": self.rate})
        self.model.stop_training = bool(self._why_stop())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Record and report the epoch, keep its weights if they are best, write a checkpoint."""
        row = {
            "epoch": self.done + epoch + 1,
            "step": self.result.steps,
            "seconds": round(time.monotonic() - self.started, 3),
            "loss": float(logs["loss"]),
            "lr": self.rate,
            "val_loss": float(logs["val_loss"]),
        }
        self.result.rows.append(row)
        self.result.seconds = row["seconds"]
        if row["val_loss"] <= self.lowest or self.best is None:
            self.lowest, self.best = row["val_loss"], self.model.get_weights()
            self.result.best = {"epoch": row["epoch"], "val_loss": row["val_loss"]}
        self._tell("on_epoch", row["epoch"], row)
        self._checkpoint(row["epoch"])
        self.result.stopped = self._why_stop() or "epochs"
        self.model.stop_training = self.result.stopped != "epochs"

    def on_train_end(self, logs: dict | None = None) -> None:
        """Record the schedule, and leave the weights that the settings choose in the model."""
        self.result.schedule = self.clock.realised(self.result.steps)
        kept = {"best": self.best, "last": self.model.get_weights()}
        set_weights(self.model, kept.pop(self.settings.checkpoint))
        self.other_weights = kept

    def _why_stop(self) -> str:
        if self.plan.wants_stop():
            return "user"
        return "minutes" if self.clock.is_over() else ""

    def _tell(self, event: str, *about) -> None:
        """The package may print; what our own callbacks print still reaches the screen."""
        with contextlib.redirect_stdout(self.screen):
            self.plan.tell(event, *about)

    def _checkpoint(self, epoch: int) -> None:
        if self.plan.checkpoint is None:
            return
        state = {"epoch": epoch, "data": self.plan.data}
        checkpoints.write_generation(self.plan.checkpoint, {"w": self.model.weights}, state=state)


def silently() -> contextlib.redirect_stdout:
    """Context that discards what a package prints, since standard output belongs to the caller."""
    return contextlib.redirect_stdout(text.StringIO())


def resume_weights(model: keras.Model, plan: TrainingPlan) -> int:
    """Load the weights of the checkpoint that `FollowPlan` left, where the plan resumes.

    Parameters
    ----------
    model : the network of the package.
    plan : of the run.

    Returns
    -------
    Epochs of the run whose weights were taken up again; 0 where there is none.
    """
    found = checkpoints.read_newest(plan.checkpoint, plan) if plan.resume and plan.folder else None
    if found is None:
        return 0
    state, groups = found
    checkpoints.require_same_data(state, plan)
    set_weights(model, groups["w"])
    return int(state["epoch"])
