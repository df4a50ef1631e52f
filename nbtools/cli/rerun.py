"""`nbtools rerun`: a training again, from its recipe."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.cli import common, train
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.tasks.reading import require_existing


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools rerun` to its parser."""
    parser.add_argument(
        "recipe",
        type=Path,
        metavar="RECIPE",
        help="recipe.json of a model, or the folder of the model",
    )
    common.add_out(parser, "MODEL", help="folder of the model that is trained again")


def run(args: argparse.Namespace) -> CommandResult:
    """Train again from a recipe, and tell whether the weights are the same.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    What `nbtools train` returns, with `same_weights`: whether both trainings gave the same weights,
    bit for bit; None where they cannot be compared.

    Raises
    ------
    UserError : the recipe cannot be read, or its input files have changed.
    """
    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.recipe])
    path = require_existing(args.recipe, "The recipe")
    path = path / "recipe.json" if path.is_dir() else path
    recipe = read_recipe(path)
    check_inputs(recipe)
    words = shlex.split(common.expand_path(recipe["command"]))[2:]
    old = train.COMMAND.parse(drop_ignored(words))
    vars(old).update(
        settings=[f"{k}={to_word(v)}" for k, v in recipe["settings"].items()],
        out=args.out,
        overwrite=args.overwrite,
        resume=False,
        seed=recipe["seed"],
        minutes=None,
        schedule=tuple(recipe["schedule"]) or None,
        json=args.json,
        quiet=args.quiet,
        debug=args.debug,
        command=shlex.split(recipe["command"]),
    )
    trained = train.run(old)
    same = compare_weights(path.parent, args.out)
    lines = list(trained.lines)
    if same is not None:
        lines.append(
            "The weights are the same, bit for bit."
            if same
            else "The weights differ from those of the first run."
        )
    return CommandResult(trained.document | {"same_weights": same}, lines)


def drop_ignored(words: list[str]) -> list[str]:
    """The words of a training without --diameter and --min-size.

    Parameters
    ----------
    words : recorded by an older version, which took these options and ignored them; only in pixels
        did a diameter stand for a pixel size of 1.
    """
    parser = common.Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--diameter")
    parser.add_argument("--min-size")
    ignored, kept = parser.parse_known_args(words)
    if ignored.diameter and "pixel" in kept and "--spacing" not in kept:
        kept += ["--spacing", "1"]
    return kept


def read_recipe(path: Path) -> dict:
    """A recipe that `nbtools train` wrote, or a UserError."""
    remedy = "Give the recipe.json in the folder of a model."
    try:
        recipe = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(
            "A recipe must be a file that nbtools train wrote.", path, remedy
        ) from error
    lacking = [k for k in ("command", "settings", "seed", "schedule", "inputs") if k not in recipe]
    if lacking or shlex.split(recipe["command"])[:2] != ["nbtools", "train"]:
        raise UserError(
            "A recipe must be a file that nbtools train wrote.",
            f"{path}, {'without ' + ', '.join(lacking) if lacking else 'of ' + recipe['command']}",
            remedy,
        )
    return recipe


def check_inputs(recipe: dict) -> None:
    """A UserError where an input of the run is gone or is no longer what it was."""
    from nbtools import training

    inputs = [(common.expand_path(one["file"]), one["sha256"]) for one in recipe["inputs"]]
    gone = [file for file, _ in inputs if not Path(file).is_file()]
    if gone:
        raise UserError(
            "The images of the run must be where they were.",
            f"{len(gone)} of {len(inputs)} files missing, {gone[0]} among them",
            "Put them back, or go to the folder of the run.",
        )
    if changed := [file for file, known in inputs if training.hash_file(file) != known]:
        raise UserError(
            "The images of the run must be what they were.",
            f"{len(changed)} of {len(inputs)} files changed, {changed[0]} among them",
            "Use the original files, or train anew.",
        )


def compare_weights(first: Path, second: Path) -> bool | None:
    """Whether two models have the same weights; None where one has none."""
    files = [folder / "weights.npz" for folder in (first, second)]
    if not all(f.is_file() for f in files):
        return None
    with np.load(files[0], allow_pickle=False) as a, np.load(files[1], allow_pickle=False) as b:
        return sorted(a.files) == sorted(b.files) and all(
            np.array_equal(a[k], b[k]) for k in a.files
        )


def to_word(value: object) -> str:
    """A setting's plain value as it is written on the command line."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


COMMAND = Command(
    "rerun",
    "train again from a recipe, on the same images, with the same settings and seed",
    run,
    declare,
)
