"""What a training is told, and what it tells: settings, plan, history."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nbtools import runtime
from nbtools.config import Settings, setting
from nbtools.plausibility import Finding

KEPT = ("best", "last")  # weights of the lowest validation loss, and of the last epoch


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
    ema_decay: float = setting(
        0.98,
        min=0.0,
        max=0.9999,
        level="advanced",
        help="Memory of the running mean of the weights; 0: none.",
    )
    checkpoint: str = setting(
        "best",
        choices=KEPT,
        level="advanced",
        help="The model's weights: of the lowest validation loss, or of the last epoch.",
    )


@dataclass(frozen=True)
class TrainingPlan:
    """How to run a training: seed, budget, checkpoint and callbacks.

    Parameters
    ----------
    seed : of all draws.
    minutes : wall time from the start of the process to a usable model, instead of `epochs`.
    folder : where the checkpoint is kept; needed to resume.
    resume : continue from that checkpoint.
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

    def wants_stop(self) -> bool:
        """Whether a callback asks for the end."""
        return any(c.wants_stop() for c in self.callbacks if hasattr(c, "wants_stop"))

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
    warnings: list[Finding] = field(default_factory=list)  # what makes the model doubtful

    @property
    def epochs(self) -> int:
        return len(self.rows)

    def summary(self) -> dict:
        keys = ("seconds", "epochs", "steps", "parameters", "best", "stopped")
        return {key: getattr(self, key) for key in keys}
