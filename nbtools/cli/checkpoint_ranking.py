"""`nbtools evaluate MODEL TRUTH`: rank the checkpoints that a training kept."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbtools import documents
from nbtools.cli import common, scoring
from nbtools.cli.common import CommandResult
from nbtools.errors import UserError
from nbtools.tasks.reading import pair_up
from nbtools.tasks.text import tabulate


def rank_checkpoints(args: argparse.Namespace) -> CommandResult:
    """Predict the images of a truth with each checkpoint of a model, and order them by score.

    Parameters
    ----------
    args : parsed command line; its result is the folder of a model.

    Returns
    -------
    A row per checkpoint, the best first: the scores of the task and, where objects have scores,
    the area under their precision-recall curve.
    """
    from nbtools import methods

    task = methods.load(str(args.result)).task
    truth, dataset = scoring.open_truth(args, task), scoring.open_images(args.truth)
    if dataset is None:
        remedy = "Give a data set with images, or a result in place of the model."
        raise UserError("Checkpoints are ranked on images with truth.", args.truth, remedy)
    options, rows = scoring.find_options(args, task), []
    names = dict(zip(truth.names, truth.names, strict=True))
    for checkpoint in list_checkpoints(args.result):
        model = methods.load(str(args.result), weights=checkpoint)
        found = scoring.predict_when_read(model, dataset)
        pairs = pair_up(names, truth, found=found, say=common.make_reporter(args))
        scores = task.evaluate(pairs, seed=args.seed, **options)
        known = {name: scores[name] for name in task.columns if name in scores}
        rows.append({"checkpoint": checkpoint} | known)
        rows[-1]["curve_area"] = scores.get("curve", {}).get("area")
    rows.sort(key=lambda one: one[task.headline] or 0.0, reverse=True)
    document = {"model": str(args.result), "task": task.name, "ranked_by": task.headline}
    return CommandResult(document | {"checkpoints": rows}, tabulate(rows, list(rows[0])))


def list_checkpoints(model: Path) -> list[str | None]:
    """The names of the weights that a model kept: those that it uses, and others beside them."""
    used = documents.read_document(model / "model.json")["settings"].get("checkpoint")
    others = sorted(path.stem for path in model.glob("weights_*.npz"))
    return [used, *(name.removeprefix("weights_") for name in others)]
