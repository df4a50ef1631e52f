"""The training loop: clock, learning rate, averaged weights, the best epoch, checkpoints.

A batch is a function of (seed, step), made by background threads while the network computes; so the
order of threads, a stop and a resume change nothing. The learning rate follows a one-cycle schedule
(Smith & Topin 2018, arXiv:1708.07120) over the budget, in steps or in minutes; with minutes the
realised schedule is recorded, and can be followed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import keras
import numpy as np

from nbtools.training.checkpoints import read_checkpoint, write_checkpoint
from nbtools.training.clock import Clock, one_cycle
from nbtools.training.feed import Draw, prefetch
from nbtools.training.settings import History, TrainingPlan, TrainingSettings
from nbtools.training.step import Batch, TrainStep
from nbtools.training.weights import Best, Swapped, set_weights


class Trainer:
    """Repeats a training step to the end of the budget.

    Parameters
    ----------
    step : what one batch does, see `TrainStep`.
    settings : epochs, learning rate, memory of the averaged weights, which weights are kept.
    plan : seed, budget, folder of the checkpoint, callbacks.

    Attributes
    ----------
    other_weights : after a run, the weights that the model was not left with, by name:
        {"last": arrays}, or {"best": arrays}.
    """

    def __init__(self, step: TrainStep, settings: TrainingSettings, plan: TrainingPlan):
        self.step, self.settings, self.plan = step, settings, plan
        self.model = step.model
        self.history = History(parameters=self.model.count_params())
        self.clock = Clock(settings, plan)
        self.average: list[np.ndarray] | None = None
        self.other_weights: dict[str, list[np.ndarray]] = {}

    def run(self, draw: Draw, validate: Callable[[], dict]) -> History:
        """Train to the end of the budget, and leave averaged weights in the model.

        These are the weights of the best epoch or of the last, as `settings.checkpoint` says.

        Parameters
        ----------
        draw : random generator → (x, y) of a batch.
        validate : () → {"val_loss": …}, called once per epoch with the averaged weights.

        Returns
        -------
        History of the training, by epoch.
        """
        best = Best(self.model, self.history)
        first = self._resume(best) if self.plan.resume else 0
        started = time.monotonic() - self.history.seconds
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
                # who listens may look at what the tested weights find
                self.plan.tell("on_epoch", epoch + 1, row)
            self._write_checkpoint(best)
            if reason := self._finished():
                self.history.stopped = reason
                break
        self.history.schedule = self.clock.realised(self.history.steps)
        kept = {"best": best.weights, "last": self.average}
        set_weights(self.model, kept.pop(self.settings.checkpoint))
        self.other_weights = kept
        return self.history

    def _epoch(self, epoch: int, draw: Draw) -> tuple[float, float]:
        losses, rate = [], 0.0
        steps = range(self.history.steps, self.history.steps + self.clock.steps_in(epoch))
        for number, batch in prefetch(draw, steps, seed=self.plan.seed):
            progress = self.clock.progress(number)
            rate = self.settings.learning_rate * one_cycle(progress)
            self.step.set_learning_rate(rate)
            logs = self._learn(batch)
            losses.append(logs["loss"])
            self._update_average(progress)
            self.history.steps = number + 1
            done = self.clock.share_done(number + 1)
            self.plan.tell("on_step", number + 1, logs | {"lr": rate, "progress": done})
            if self.clock.is_over() or self.plan.wants_stop():
                break
        return float(np.mean(losses)), rate

    def _learn(self, batch: Batch) -> dict[str, float]:
        logs, parts = self.step(batch), getattr(self.step, "parts", 1)
        if parts != self.history.parts:
            self.history.parts = parts
            self.plan.tell("on_note", f"Memory is short: each batch is learned in {parts} parts.")
        return logs

    def _finished(self) -> str:
        if self.plan.wants_stop():
            return "user"
        if self.clock.is_over():
            return "minutes" if self.clock.timed else "epochs"
        return ""

    # --- averaged weights: the mean of the last steps generalises better than the last step
    # (Izmailov et al. 2018, arXiv:1803.05407)

    def _update_average(self, progress: float) -> None:
        memory = self.settings.ema_decay * min(1.0, progress * 4)  # forget the beginning quickly
        weights = [keras.ops.convert_to_numpy(v) for v in self.model.weights]
        if self.average is None or not memory:
            self.average = [w.astype(np.float32, copy=True) for w in weights]
            return
        for mean, weight in zip(self.average, weights, strict=True):
            mean *= memory
            mean += (1 - memory) * weight

    def averaged_weights(self) -> Swapped:
        """Context in which the model holds the averaged weights."""
        return Swapped(self.model, self.average)

    # --- checkpoint and resume

    def _write_checkpoint(self, best: Best) -> None:
        if self.plan.checkpoint is None:
            return
        self.history.schedule = self.clock.realised(self.history.steps)
        groups = {"v": self.step.state(), "a": self.average, "b": best.weights}
        about = {"history": self.history, "settings": self.settings, "plan": self.plan}
        write_checkpoint(self.plan.checkpoint, groups, **about)

    def _resume(self, best: Best) -> int:
        """Epochs of the run that was taken up again; 0 where there is none."""
        folder, found = self.plan.checkpoint, None
        if folder is not None:
            found = read_checkpoint(folder, settings=self.settings, plan=self.plan)
        if found is None:
            return 0
        self.history, groups = found
        if self.history.parts > 1:
            self.step.divide(self.history.parts)
        for variable, value in zip(self.step.state(), groups["v"], strict=True):
            variable.assign(value)
        self.average = groups["a"]
        best.restore(groups["b"], self.history)
        self.clock.resume(self.history)
        return self.history.epochs
