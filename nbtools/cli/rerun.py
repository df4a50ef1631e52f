"""`nbtools rerun`: a training again, from its recipe."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import numpy as np

from nbtools import documents, io
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
    before = read_weights(path.parent)
    old = train.COMMAND.parse(drop_ignored(split_command(recipe)))
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
        command=["nbtools", "train", *split_command(recipe, expand=False)],
    )
    trained = train.run(old)
    after = read_weights(args.out)
    same = before and after and are_same(before, after)
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
    recipe = documents.read_document(path, "recipe.json")
    split_command(recipe)
    return recipe


def split_command(recipe: dict, *, expand: bool = True) -> list[str]:
    """The options of the training of a recipe.

    They are parsed as those of `nbtools train`; nothing of them is ever run by a shell.

    Parameters
    ----------
    recipe : with its command.
    expand : the folder of data sets is written as it is on this machine.
    """
    text = recipe["command"]
    try:
        words = shlex.split(common.expand_path(text) if expand else text)
    except ValueError:
        words = []
    if words[:2] != ["nbtools", "train"] or {"-h", "--help"} & set(words):
        raise UserError(
            "The command of a recipe is one of nbtools train.",
            documents.shorten(repr(text)),
            "Give the recipe.json in the folder of a model, as nbtools train wrote it.",
        )
    return words[2:]


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


def read_weights(model: Path) -> dict[str, np.ndarray] | None:
    """The weights of a model, by name; None where it has none."""
    path = model / "weights.npz"
    return documents.WEIGHTS.read(path) if path.is_file() else None


def are_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    """Whether two models have the same weights, bit for bit."""
    return sorted(first) == sorted(second) and all(
        np.array_equal(first[name], second[name]) for name in first
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
