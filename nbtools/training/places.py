"""Where a training lies, and whether a run that was begun there, or on a drive, goes on.

A machine of Colab is gone after a disconnect. What was copied to a mounted drive is not: a fresh
machine looks there for the run with the same settings, seed and images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io, runtime
from nbtools.config import Settings
from nbtools.training.checkpoints import DAMAGES, read_state
from nbtools.training.mirror import is_whole, list_found, read_note
from nbtools.training.recipe import identify
from nbtools.training.settings import TrainingPlan

if TYPE_CHECKING:
    from nbtools.data import DataSet

DEEPEST = 3  # folders between the place that is searched and a run
NEAR_END = 60.0  # seconds before the end of a budget of minutes
RUNS = "nbtools"  # folder on the drive


@dataclass(frozen=True)
class Run:
    """A training that left a checkpoint.

    Parameters
    ----------
    folder : of the run; its checkpoint lies inside.
    epochs : that are done.
    seconds : of training that are done.
    state : of the newest whole checkpoint.
    """

    folder: Path
    epochs: int
    seconds: float
    state: dict

    @property
    def is_finished(self) -> bool:
        """Whether its budget was used up."""
        minutes = self.state.get("minutes")
        if minutes is not None:
            return self.seconds > 60 * minutes - NEAR_END
        return self.epochs >= self.state["settings"].get("epochs", 0)

    def is_of(self, settings: Settings, *, seed: int, data: str) -> bool:
        """Whether a run with these settings, this seed and these images is this one.

        Parameters
        ----------
        settings : of the training; another number of epochs makes no other run.
        seed : of all draws.
        data : hash of the images, see `identify`.
        """
        now, before = io.to_plain(settings.to_dict()), dict(self.state["settings"])
        same = now | {"epochs": 0} == before | {"epochs": 0}
        return same and (seed, data) == (self.state["seed"], self.state.get("data"))


def find_runs(place: str | Path) -> list[Run]:
    """Trainings below a folder that left a checkpoint, whole or copied to a drive; the last first.

    Parameters
    ----------
    place : folder that is searched, some folders deep. On a drive a copy may be late, cut short or
        renamed: the newest that is whole counts.

    Returns
    -------
    list of Run
    """
    found, place = [], Path(place)
    for folder in _list_folders(place):
        copies = list_found(folder / "checkpoint")
        run = next(filter(None, map(_read_run, reversed(copies))), None)
        if run is not None:
            found.append((copies[-1].stat().st_mtime, run))
    return [run for _, run in sorted(found, key=lambda one: -one[0])]


def _list_folders(place: Path) -> Iterator[Path]:
    """Folders with a checkpoint, DEEPEST deep at most; hidden ones and links are left out."""
    for folder, inner, _ in os.walk(place):
        deep = len(Path(folder).relative_to(place).parts)
        checkpoints = [name for name in inner if name.startswith("checkpoint")]
        if checkpoints:
            yield Path(folder)
        hidden = [name for name in inner if name.startswith(".")]
        inner[:] = set(inner) - set(checkpoints) - set(hidden) if deep < DEEPEST else []


def _read_run(path: Path) -> Run | None:
    """What a generation tells of its run; None where it is damaged, or of another package."""
    try:
        if not is_whole(path, read_note(path)):
            return None
        state = read_state(path)
        rows = state["history"]["rows"]
        seconds = float(state["history"]["seconds"])
        return Run(path.parent.parent, len(rows), seconds, state)
    except DAMAGES:
        return None


def plan_run(
    name: str,
    model: object,
    *,
    train: DataSet,
    val: DataSet | None = None,
    place: str | Path | None = None,
    seed: int = 0,
) -> TrainingPlan:
    """The plan of a training in a notebook: a run that broke off goes on, wherever it lies.

    Parameters
    ----------
    name : of the folder of a new run.
    model : method with its settings.
    train, val : images to learn from, and those to choose by.
    place : folder of all runs; by default that of a mounted drive, else "runs".
    seed : of all draws.

    Returns
    -------
    TrainingPlan, with `resume` where an unfinished run with the same settings, seed and images was
    found. Without one, another run on the drive keeps its folder, and the new one gets a number.
    """
    place = find_place() if place is None else Path(place)
    settings = getattr(model, "training_settings", lambda: model.settings)()
    data, runs = identify(train, val), find_runs(place)
    same = [run for run in runs if run.is_of(settings, seed=seed, data=data)]
    if same and not same[0].is_finished:
        return TrainingPlan(seed=seed, folder=same[0].folder, resume=True, data=data)
    folder, number = place / name, 2
    if runtime.is_on_drive(place):
        taken = {run.folder for run in runs}
        while folder in taken:
            folder, number = place / f"{name}_{number}", number + 1
    return TrainingPlan(seed=seed, folder=folder, data=data)


def find_place() -> Path:
    """The folder of all runs: on a mounted drive, where there is one, else "runs" right here."""
    drives = runtime.list_drives()
    return drives[0] / RUNS if drives else Path("runs")


def describe_place(plan: TrainingPlan) -> str:
    """Where a training lies, what a disconnect costs, and whether it goes on, in words.

    Parameters
    ----------
    plan : of the training.

    Examples
    --------
    >>> print(describe_place(TrainingPlan(folder=Path("runs/first"))))
    Everything of this run lies in runs/first, on this machine. A restart of the kernel costs the
    epoch that is being trained. A machine of Colab is deleted after a disconnect, with all of it:
    mount your drive first, or download the model.
    """
    if plan.mirror is None:
        lines = [
            f"Everything of this run lies in {plan.folder}, on this machine. A restart of the "
            "kernel costs the",
            "epoch that is being trained. A machine of Colab is deleted after a disconnect, with "
            "all of it:",
            "mount your drive first, or download the model.",
        ]
    else:
        lines = [
            f"Everything of this run lies in {plan.folder}, on your drive.",
            "A copy of each epoch goes there: a disconnect costs the epoch that is being trained, "
            "and what the",
            "drive has not yet taken. On a fresh machine run the notebook again with the same "
            "settings and images.",
        ]
    if plan.resume:
        done = next((run for run in find_runs(plan.folder) if run.folder == plan.folder), None)
        reached = f" after {done.epochs} epochs" if done else ""
        lines.append(f"A run that broke off{reached} was found there: it goes on.")
    return "\n".join(lines)
