"""`nbtools evaluate`: a result against the truth."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from nbtools import io, plausibility, tasks
from nbtools.cli import common, error_maps, movies, scoring
from nbtools.cli.checkpoint_ranking import rank_checkpoints
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.tasks import Task
from nbtools.tasks.frames import split_pair
from nbtools.tasks.reading import SCORES_FOLDER, pair_up

AGAIN = (
    "If they are, predict again with --axes {axes}; dataset.toml of the truth needs the line "
    "axes = '{axes}' then, which nbtools check --axes {axes} --remember writes."
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools evaluate` to its parser."""
    parser.add_argument(
        "result",
        type=Path,
        metavar="RESULT",
        help="what was predicted: folder, or one file; a model ranks the checkpoints it kept",
    )
    parser.add_argument(
        "truth", type=Path, metavar="TRUTH", help="what is true: data set, folder, or one file"
    )
    parser.epilog = common.PARTIAL_LABELS
    scoring.declare_task(parser)
    parser.add_argument(
        "--biaflows", action="store_true", help="also the metrics of BIAFLOWS, under their names"
    )
    parser.add_argument(
        "--save",
        action="store_true",
        help="keep the scores, and maps of the worst images, in RESULT for its report",
    )


def run(args: argparse.Namespace) -> CommandResult:
    """Evaluate a result against the truth; code 1 where images are missing in the result."""
    from nbtools.metrics import biaflows

    if (args.result / "model.json").is_file():
        given = {name: getattr(args, name) for name in ("biaflows", "save", "group_by")}
        common.require_options(given, (), task=f"{args.result}, a model")
        return rank_checkpoints(args)
    task = tasks.get(args.task)
    require_suited(args, task)
    options = task.recall(args.result) | scoring.find_options(args, task)
    truth = scoring.open_truth(args, task, result=args.result)
    found, names = scoring.open_result(args, args.result, truth=truth)
    dataset = scoring.open_images(args.truth, result=args.result, series=args.series)
    rows, moving = [], []
    pairs = pair_up(names, truth, found=found, say=common.make_reporter(args))
    pairs, masks = scoring.count_masks(note_movies(require_memory(pairs, args), moving))
    if args.biaflows:
        pairs = _collect(pairs, rows, task=task)
    groups = scoring.find_groups(dataset, args.group_by)
    scores = task.evaluate(pairs, groups=groups, seed=args.seed, **options)
    lines = task.format(scores) + movies.describe(moving, done="scored", again=AGAIN)
    doubts = [*plausibility.judge_scores(scores), *masks()]
    scores["warnings"] = [one.to_dict() for one in doubts]
    lines += [f"Attention: {one.for_command_line()}" for one in doubts]
    if groups:
        lines += common.tell_ungrouped(dataset, args.group_by)
    if moving:
        scores["movies"] = [movie.to_dict() for movie in moving]
    if args.biaflows:
        scores["biaflows"] = biaflows.average(rows)
        lines.append(_format_biaflows(scores["biaflows"]))
    if args.save:
        readers = {"truth": truth.read, "found": lambda name: found.read(names[name])}
        error_maps.save_scores(args.result, scores, names=truth.names, dataset=dataset, **readers)
    return CommandResult(scores, lines, 1 if scores["missing"] else 0)


def require_memory(pairs: Iterable[tuple], args: argparse.Namespace) -> Iterator[tuple]:
    """The pairs; a UserError where labels stay in their file, and an option needs them in memory.

    Parameters
    ----------
    pairs : name, truth, and result or None.
    args : parsed command line.
    """
    wanted = [f"--{name}" for name in ("biaflows", "save") if getattr(args, name)]
    for name, *both in pairs:
        images = [image for one in both if (image := getattr(one, "image", None)) is not None]
        if wanted and any(io.is_stored(image.pixels) for image in images):
            raise UserError(
                f"{wanted[0]} needs labels that fit into the memory that is free.",
                f"{name} of {' x '.join(map(str, images[0].shape))}",
                f"Leave out {wanted[0]}, or use a machine with more memory.",
            )
        yield name, *both


def note_movies(pairs: Iterable[tuple], moving: list[movies.Movie]) -> Iterator[tuple]:
    """The pairs, while the movies among them are noted in a list."""
    for name, truth, found in pairs:
        images = (getattr(one, "image", None) for one in (found, truth))
        movie = next(filter(None, map(movies.find_movie, filter(None, images))), None)
        true = getattr(truth, "image", None)
        if movie and true is not None and true.size("T") > 1:
            movie = movies.find_movie(true, true)
        if movie:
            moving.append(replace(movie, name=name))
        yield name, truth, found


def require_suited(args: argparse.Namespace, task: Task) -> None:
    """A UserError where an option does not go with the task or the result."""
    if args.biaflows and task.biaflows is None:
        known = ", ".join(one.name for one in tasks.TASKS.values() if one.biaflows)
        raise UserError(
            "BIAFLOWS has no metrics for every task.", task.name, f"It has them for: {known}."
        )
    if args.save and not args.result.is_dir():
        raise UserError(
            "Scores are kept in a result folder.",
            args.result,
            "Leave out --save, or give the folder.",
        )
    if args.save:
        for name in ("scores.json", "strata.png"):
            io.require_new_file(args.result / SCORES_FOLDER / name, overwrite=True)


def _collect(pairs: Iterable[tuple], rows: list[dict], *, task: Task) -> Iterator[tuple]:
    """The pairs, while their BIAFLOWS metrics are collected."""
    for name, truth, found in pairs:
        rows += [task.biaflows(*pair) for _, *pair in split_pair(name, truth, found=found)]
        yield name, truth, found


def _format_biaflows(means: dict) -> str:
    values = (f"{k} –" if v is None else f"{k} {v:.3f}" for k, v in means.items())
    return f"BIAFLOWS, means over images: {', '.join(values)}"


COMMAND = Command("evaluate", "compare a result with the truth", run, declare)
