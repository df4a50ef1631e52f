"""How far a training is: by steps, by the wall clock, or along a recorded schedule; and the
learning rate that belongs to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbtools import runtime
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.training.settings import History, TrainingPlan, TrainingSettings

WARM_UP = 0.15  # share of the budget in which the learning rate rises


def reserve_seconds(minutes: float) -> float:
    """What is kept of a budget in minutes for the last test, thresholds and saving."""
    return min(0.3 * 60 * minutes, 12 + 0.06 * 60 * minutes, 60.0)


def add_reserve(seconds: float) -> float:
    """The budget in minutes whose training ends so many seconds after the start of the process: the
    inverse of `reserve_seconds`.
    """
    return min(seconds / 42, (seconds + 12) / 56.4, (seconds + 60) / 60)


def one_cycle(progress: float) -> float:
    """Factor of the highest learning rate at a progress of 0 … 1: a rise, then a cosine down to
    nothing.
    """
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    return float(0.5 * (1 + np.cos(np.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP))))) + 1e-4


class Clock:
    """Turns steps into progress 0 … 1: by counting steps, by the wall clock, or along a recorded
    schedule.

    By the wall clock, progress is read every READ steps and holds in between; a recorded schedule
    is that staircase.
    """

    READ = 5

    def __init__(self, settings: TrainingSettings, plan: TrainingPlan):
        self.per_epoch, self.total = (
            settings.steps_per_epoch,
            settings.epochs * settings.steps_per_epoch,
        )
        self.recorded = [list(a) for a in plan.schedule or ()]
        if self.recorded:
            self.total = int(self.recorded[-1][0])
        self.timed = plan.minutes is not None and not self.recorded
        self.most_epochs = 10**6 if self.timed else -(-self.total // self.per_epoch)
        self.anchors: list[list[float]] = []
        if self.timed:
            self.begin, self.end = (
                runtime.process_seconds(),
                plan.minutes * 60 - reserve_seconds(plan.minutes),
            )
            self._refuse_too_short(plan.minutes)

    def _refuse_too_short(self, minutes: float) -> None:
        if self.end - self.begin < 5:
            received = f"{minutes:g} minutes, of which {self.begin / 60:.2f} are gone"
            raise UserError(
                "The budget must leave time to train.", received, "Allow at least a minute."
            )

    def steps_in(self, epoch: int) -> int:
        return (
            self.per_epoch
            if self.timed
            else min(self.per_epoch, self.total - epoch * self.per_epoch)
        )

    def progress(self, step: int) -> float:
        if self.recorded:
            return max((p for s, p in self.recorded if s <= step), default=0.0)
        if not self.timed:
            return step / self.total
        if step % self.READ == 0 or not self.anchors:
            done = (runtime.process_seconds() - self.begin) / (self.end - self.begin)
            self.anchors.append(
                [step, float(np.clip(done, self.anchors[-1][1] if self.anchors else 0.0, 1.0))]
            )
        return self.anchors[-1][1]

    def share_done(self, steps: int) -> float:
        """How much of the budget is spent after so many steps, 0 … 1; for showing, not for the
        schedule.
        """
        done = (
            (runtime.process_seconds() - self.begin) / (self.end - self.begin)
            if self.timed
            else steps / self.total
        )
        return float(np.clip(done, 0.0, 1.0))

    def is_over(self) -> bool:
        return self.timed and runtime.process_seconds() >= self.end

    def realised(self, steps: int) -> list[list[float]]:
        """What a re-run follows: the staircase of a timed run; nothing where counting steps says it
        all.
        """
        return [*self.anchors, [steps, 1.0]] if self.timed else self.recorded

    def resume(self, history: History) -> None:
        """Go on from the progress reached; time spent in the earlier process counts."""
        if self.timed:
            self.anchors = [a for a in history.schedule if a[0] < history.steps]
            done = self.anchors[-1][1] if self.anchors else 0.0
            self.begin -= done / max(1e-6, 1 - done) * (self.end - self.begin)
