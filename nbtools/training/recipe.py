"""The recipe of a training: everything needed to do it again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import config, io, runtime
from nbtools.io import folders

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.methods import Method
    from nbtools.training.settings import History, TrainingPlan


def write_recipe(
    folder: Path,
    method: Method,
    *,
    plan: TrainingPlan,
    history: History,
    inputs: Sequence[Path],
    command: str,
) -> None:
    """Write recipe.json: all that is needed to train the same model again.

    It holds the command, the settings, the seed, the realised schedule, versions of the software
    and the SHA-256 of every input file.

    Parameters
    ----------
    folder : of the model.
    method : with its settings, and the model it began with.
    plan : seed and budget.
    history : of the finished training.
    inputs : files that were read.
    command : as typed.
    """
    recipe = {
        "command": command,
        "method": method.name,
        "settings": method.settings.to_dict(),
        "init": method.origin,
        "seed": plan.seed,
        "minutes": plan.minutes,
        "schedule": history.schedule,
        "fast": bool(config.fast_changes(method.name, method.settings)),
        "inputs": [
            {"file": config.spell_path(str(path)), "sha256": hash_file(path)} for path in inputs
        ],
        "versions": runtime.versions(),
        **history.summary(),
    }
    io.write_json(Path(folder) / "recipe.json", recipe)


def save_model(
    folder: str | Path,
    method: Method,
    *,
    plan: TrainingPlan,
    history: History,
    data: Sequence[DataSet | None],
    command: str = "",
) -> Path:
    """Write a trained model with its learning curve and its recipe; another one there is replaced.

    Parameters
    ----------
    folder : of the model.
    method : trained.
    plan, history : of the training.
    data : sets that were learned from and chosen by, whose files the recipe lists; None counts as
        an empty one.
    command : what was run, such as the name of a notebook.

    Returns
    -------
    Path : the folder, with model.json, weights, history.csv and recipe.json.
    """
    files = [path for dataset in data if dataset is not None for path in dataset.files()]
    with io.new_folder(folder, overwrite=True) as inside:
        method.save(inside)
        columns = () if history.rows else ("epoch", "step", "seconds")
        io.write_csv(inside / "history.csv", history.rows, columns=columns)
        about = {"plan": plan, "history": history, "command": command}
        write_recipe(inside, method, inputs=sorted(set(files)), **about)
    return Path(folder)


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, as 64 hexadecimal digits."""
    about = os.stat(path)
    return _hash_unchanged(os.path.abspath(path), about.st_size, about.st_mtime_ns, about.st_ino)


@lru_cache(maxsize=100_000)  # a run asks twice: for its identity, and for its recipe
def _hash_unchanged(path: str, *about: int) -> str:
    return folders.hash_file(Path(path))


def identify(*datasets: DataSet | None) -> str:
    """One hash of all that a run learns from and chooses by, wherever the files are.

    Parameters
    ----------
    datasets : those of the run; files by their bytes, samples in memory by their values.
    """
    digest = hashlib.sha256()
    for number, dataset in enumerate(datasets):
        if dataset is None:
            continue
        files = dataset.files()
        parts = sorted(hash_file(path) for path in files)
        parts += [] if files else [hash_sample(sample) for sample in dataset]
        digest.update(json.dumps([number, dataset.names, parts]).encode())
    return digest.hexdigest()


def hash_sample(sample: object) -> str:
    """sha256 of the image of a sample and of its partners, by their values."""
    digest = hashlib.sha256()
    for name, value in sorted(vars(sample).items()):
        pixels = getattr(value, "pixels", value)
        if isinstance(pixels, np.ndarray) and pixels.dtype != object:
            digest.update(f"{name} {pixels.dtype.str} {pixels.shape}".encode())
            digest.update(np.ascontiguousarray(pixels).tobytes())
        elif pixels is not None:
            digest.update(f"{name} {pixels}".encode())
    return digest.hexdigest()
