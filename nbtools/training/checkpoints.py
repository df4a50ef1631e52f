"""Checkpoints: all that decides how a training continues, so that a stop changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np

from nbtools import io
from nbtools.config import Settings
from nbtools.errors import UserError
from nbtools.training.settings import History, TrainingPlan

ARRAYS, STATE = "state.npz", "state.json"


def write_checkpoint(
    folder: Path,
    groups: dict[str, list],
    *,
    history: History,
    settings: Settings,
    plan: TrainingPlan,
) -> None:
    """Write the arrays and the state of a training.

    Parameters
    ----------
    folder : of the checkpoint; it is made where it does not exist.
    groups : letter → variables or arrays in their order: "v" of the training step, "a" the
        running mean of the weights, "b" the best weights.
    history : so far.
    settings, plan : of the training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for letter, values in groups.items():
        arrays |= {f"{letter}{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(values)}
    with io.atomic_write(folder / ARRAYS) as temporary:
        np.savez(temporary, **arrays)
    state = {
        "history": history.__dict__,
        "settings": settings.to_dict(),
        "seed": plan.seed,
        "minutes": plan.minutes,
    }
    io.write_json(folder / STATE, state)


def read_checkpoint(
    folder: Path, *, settings: Settings, plan: TrainingPlan
) -> tuple[History, dict[str, list[np.ndarray]]] | None:
    """Read the checkpoint that `write_checkpoint` left in a folder; None without any.

    Parameters
    ----------
    folder : of the checkpoint.
    settings : of the training that resumes; only its number of epochs may differ.
    plan : with the seed of the training.

    Returns
    -------
    History, and name of the group → its arrays.

    Raises
    ------
    UserError : the checkpoint belongs to a training with other settings or another seed.
    """
    if not (folder / STATE).is_file():
        return None
    state = json.loads((folder / STATE).read_text("utf-8"))
    _require_same_run(state, settings, plan)
    groups: dict[str, list[np.ndarray]] = {}
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        for name in sorted(arrays.files, key=lambda name: (name[0], int(name[1:]))):
            groups.setdefault(name[0], []).append(arrays[name])
    return History(**state["history"]), groups


def _require_same_run(state: dict, settings: Settings, plan: TrainingPlan) -> None:
    before = type(settings).from_dict(state["settings"]).to_dict() | {"seed": state["seed"]}
    now = settings.to_dict() | {"seed": plan.seed}
    differs = [k for k in now if k != "epochs" and now[k] != before[k]]
    if differs:
        received = ", ".join(f"{k}={now[k]} (was {before[k]})" for k in differs)
        raise UserError(
            "A run is resumed with the settings it was started with.",
            received,
            "Use the old settings, or another folder.",
        )
