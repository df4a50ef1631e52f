"""Checkpoints: all that decides how a training continues, so that a stop changes nothing.

A checkpoint is one file per generation, written under a new name and synced to the disk before an
older one goes: a process may be killed, and a machine may lose power, at any moment. Each file
holds the arrays and the state that belong together, with a hash of both; one that was damaged is
told, and the one before it is taken.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import keras
import numpy as np

from nbtools import documents, io
from nbtools.config import Settings
from nbtools.errors import UserError
from nbtools.training.mirror import copy_generation, fetch_newest
from nbtools.training.settings import History, TrainingPlan

KEPT_GENERATIONS = 2
PATTERN = "generation_*.npz"
STATE, DIGEST = "state", "sha256"
OLDER = ("state.npz", "state.json")  # the two files of versions before generations
GENERATION = documents.ArrayFile(
    "A run goes on from a checkpoint that is whole.",
    "Train anew into another folder.",
    kinds="biufU",
    most=2**38,
)
DAMAGES = (UserError, *documents.DAMAGES)
Groups = dict[str, list[np.ndarray]]


def write_generation(folder: Path, groups: dict[str, list], *, state: dict) -> Path:
    """Write a generation of a checkpoint, and remove all but the last KEPT_GENERATIONS.

    Parameters
    ----------
    folder : of the checkpoint; it is made where it does not exist.
    groups : letter → variables or arrays in their order.
    state : plain JSON values.

    Raises
    ------
    UserError : the folder cannot be written, as on a full disk; older generations stay.
    """
    known = list_generations(folder)
    number = int(known[-1].stem.split("_")[1]) + 1 if known else 1
    arrays = {}
    for letter, values in groups.items():
        arrays |= {f"{letter}{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(values)}
    text = json.dumps(io.to_plain(state)).encode()
    arrays |= {STATE: np.frombuffer(text, np.uint8), DIGEST: np.array(hash_arrays(arrays, text))}
    path = folder / PATTERN.replace("*", f"{number:06d}")
    with io.atomic_write(path, sync=True) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
    for older in known[: 1 - KEPT_GENERATIONS]:
        older.unlink(missing_ok=True)
    return path


def list_generations(folder: Path) -> list[Path]:
    """The files of a checkpoint, the newest last."""
    return sorted(folder.glob(PATTERN))


def hash_arrays(arrays: dict[str, np.ndarray], text: bytes) -> str:
    """SHA-256 over names, types, shapes and bytes of arrays, and a text."""
    digest = hashlib.sha256(text)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()


def read_generation(path: Path) -> tuple[dict, Groups]:
    """State and arrays of one file; one of DAMAGES where it is not what was written."""
    arrays = GENERATION.read(path)
    text, known = arrays.pop(STATE).tobytes(), str(arrays.pop(DIGEST))
    if hash_arrays(arrays, text) != known:
        raise documents.Damaged("its content is not what its hash says")
    return parse_state(text, path), group_arrays(arrays)


def parse_state(text: str | bytes, path: Path) -> dict:
    """The state of a checkpoint from its text; a UserError where it is none."""
    return documents.require_document(documents.parse_json(text, path), "checkpoint", source=path)


def group_arrays(arrays: dict[str, np.ndarray]) -> Groups:
    """Arrays "v0", "v1", "a0" … by their letter, in the order of their numbers."""
    groups: Groups = {}
    for name in sorted(arrays, key=lambda name: (name[0], int(name[1:]))):
        groups.setdefault(name[0], []).append(arrays[name])
    return groups


def read_newest(folder: Path, plan: TrainingPlan) -> tuple[dict, Groups] | None:
    """State and arrays of the newest generation that is whole; None where there is no checkpoint.

    Parameters
    ----------
    folder : of the checkpoint.
    plan : is told of damaged generations.

    Raises
    ------
    UserError : no generation is whole.
    """
    if plan.mirror is not None:
        fetch_newest(plan.mirror, folder, plan=plan)
    damaged = []
    for path in reversed(list_generations(folder)):
        try:
            found = read_generation(path)
        except DAMAGES as error:
            damaged.append(f"{path.name} ({find_damage(error)})")
            continue
        if damaged:
            told = f"The checkpoint {', '.join(damaged)} is damaged; the one before it is taken."
            plan.tell("on_note", told)
        return found
    if not damaged and all((folder / name).is_file() for name in OLDER):
        return read_older(folder)
    if damaged:
        raise UserError(
            "A run goes on from a checkpoint that is whole.",
            f"{folder} with {', '.join(damaged)}",
            "Train anew into another folder.",
        )
    return None


def find_damage(error: Exception) -> str:
    """What is wrong with a file, in one line."""
    return documents.shorten(getattr(error, "received", error), most=120)


def read_older(folder: Path) -> tuple[dict, Groups]:
    """State and arrays of a checkpoint in two files, as versions before generations wrote it."""
    try:
        arrays = GENERATION.read(folder / OLDER[0])
        text = documents.read_text(folder / OLDER[1])
        return parse_state(text, folder / OLDER[1]), group_arrays(arrays)
    except DAMAGES as error:
        raise UserError(
            "A run goes on from a checkpoint that is whole.",
            f"{folder} ({find_damage(error)})",
            "Train anew into another folder.",
        ) from error


def write_checkpoint(
    folder: Path,
    groups: dict[str, list],
    *,
    history: History,
    settings: Settings,
    plan: TrainingPlan,
) -> None:
    """Write the arrays and the state of a training; a full disk is told, and training goes on.

    Parameters
    ----------
    folder : of the checkpoint; it is made where it does not exist.
    groups : letter → variables or arrays in their order: "v" of the training step, "a" the
        running mean of the weights, "b" the best weights.
    history : so far.
    settings, plan : of the training.
    """
    state = {
        "history": history.__dict__,
        "settings": settings.to_dict(),
        "seed": plan.seed,
        "minutes": plan.minutes,
        "data": plan.data,
    }
    try:
        path = write_generation(folder, groups, state=state)
        if plan.mirror is not None:
            copy_generation(path, plan.mirror, seconds=history.seconds, plan=plan)
    except UserError as error:
        for older in list_generations(folder)[:-1]:  # room for the model itself
            older.unlink(missing_ok=True)
        plan.tell("on_note", f"No checkpoint of this epoch: {error.received}. Training goes on.")


def read_checkpoint(
    folder: Path, *, settings: Settings, plan: TrainingPlan
) -> tuple[History, Groups] | None:
    """Read the newest checkpoint that `write_checkpoint` left in a folder; None without any.

    Parameters
    ----------
    folder : of the checkpoint.
    settings : of the training that resumes; only its number of epochs may differ.
    plan : with the seed and the data of the training.

    Returns
    -------
    History, and letter of the group → its arrays.

    Raises
    ------
    UserError : the checkpoint belongs to a training with other settings, another seed or other
        images, or no generation of it is whole.
    """
    found = read_newest(folder, plan)
    if found is None:
        return None
    state, groups = found
    _require_same_run(state, settings, plan)
    return History(**state["history"]), groups


def read_history(folder: Path) -> dict:
    """The history in the newest checkpoint that can be read; {} without any."""
    for path in reversed(list_generations(folder)):
        try:
            return read_state(path)["history"]
        except DAMAGES:
            continue
    return {}


def read_state(path: Path) -> dict:
    """The state of one generation, without its arrays; one of DAMAGES where it cannot be read."""
    return parse_state(GENERATION.read(path, names=[STATE])[STATE].tobytes(), path)


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
    require_same_data(state, plan)


def require_same_data(state: dict, plan: TrainingPlan) -> None:
    """A UserError where the run of a checkpoint learned from other images.

    Parameters
    ----------
    state : of the checkpoint.
    plan : of the run that resumes.
    """
    if plan.data and state.get("data") and plan.data != state["data"]:
        raise UserError(
            "A run is resumed on the images it was started on.",
            "images, partners or tables that are not the same",
            "Give the data set of the first run, or another folder for a new one; "
            "to go on learning from other images, train with the model as a start.",
        )
