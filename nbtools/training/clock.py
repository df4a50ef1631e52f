"""Progress of a training, by steps, time or a recorded schedule, and its learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbtools import runtime
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.training.settings import History, TrainingPlan, TrainingSettings

WARM_UP = 0.15  # share of the budget in which the learning rate rises


def reserve_seconds(minutes: float) -> float:
    """Seconds of a budget in minutes kept for the last validation, thresholds and saving."""
    return min(0.3 * 60 * minutes, 12 + 0.06 * 60 * minutes, 60.0)


def add_reserve(seconds: float) -> float:
    """Find the budget whose training ends at a given time: the inverse of `reserve_seconds`.

    Parameters
    ----------
    seconds : from the start of the process to the end of the training loop.

    Returns
    -------
    Budget in minutes.

    Examples
    --------
    >>> minutes = 5.0
    >>> round(add_reserve(60 * minutes - reserve_seconds(minutes)), 6)
    5.0
    """
    return min(seconds / 42, (seconds + 12) / 56.4, (seconds + 60) / 60)


def one_cycle(progress: float) -> float:
    """Learning rate as a factor of the highest: a linear rise, then a cosine decay to nearly zero.

    Parameters
    ----------
    progress : share of the training that is done, 0 … 1.

    References
    ----------
    Smith & Topin 2018, arXiv:1708.07120.

    Examples
    --------
    >>> [round(one_cycle(p), 3) for p in (0.0, 0.15, 0.575, 1.0)]
    [0.05, 1.0, 0.5, 0.0]
    """
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    return float(0.5 * (1 + np.cos(np.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP))))) + 1e-4


class Clock:
    """Turns steps into progress 0 … 1: by count, by the wall clock, or by a recorded schedule.

    By the wall clock, progress is read every READ steps and holds in between; a recorded schedule
    is that staircase.

    Parameters
    ----------
    settings : steps per epoch and number of epochs.
    plan : with the budget in minutes, or the recorded schedule, which takes precedence.

    Raises
    ------
    UserError : the budget leaves less than five seconds to train.
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
            self._require_enough_time(plan.minutes)

    def _require_enough_time(self, minutes: float) -> None:
        if self.end - self.begin < 5:
            received = f"{minutes:g} minutes, of which {self.begin / 60:.2f} are gone"
            raise UserError(
                "The budget must leave time to train.", received, "Allow at least a minute."
            )

    def steps_in(self, epoch: int) -> int:
        """Number of steps of an epoch, counted from 0; the last one may be shorter."""
        return (
            self.per_epoch
            if self.timed
            else min(self.per_epoch, self.total - epoch * self.per_epoch)
        )

    def progress(self, step: int) -> float:
        """Progress 0 … 1 at a step, counted from 0; read from the clock, it is recorded."""
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
        """Share of the budget that a number of steps has spent, 0 … 1, to show to a person."""
        done = (
            (runtime.process_seconds() - self.begin) / (self.end - self.begin)
            if self.timed
            else steps / self.total
        )
        return float(np.clip(done, 0.0, 1.0))

    def is_over(self) -> bool:
        """Whether the wall time of the training is spent; never true where steps are counted."""
        return self.timed and runtime.process_seconds() >= self.end

    def realised(self, steps: int) -> list[list[float]]:
        """The schedule to record, so that another run follows it.

        Parameters
        ----------
        steps : taken in all.

        Returns
        -------
        [step, progress] pairs: the staircase of a timed run, or the schedule that was followed; []
        where counted steps decide all.
        """
        return [*self.anchors, [steps, 1.0]] if self.timed else self.recorded

    def resume(self, history: History) -> None:
        """Go on from the progress reached; time spent in the earlier process counts."""
        if self.timed:
            self.anchors = [a for a in history.schedule if a[0] < history.steps]
            done = self.anchors[-1][1] if self.anchors else 0.0
            self.begin -= done / max(1e-6, 1 - done) * (self.end - self.begin)
