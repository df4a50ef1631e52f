"""The recipe of a training: everything needed to do it again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import config, io, runtime

if TYPE_CHECKING:
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


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
