"""`nbtools ablate`: what does a classifier see: the outline, the exposure, or the phenotype?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.data.crops import MASK, cut_crops, plan_crops
from nbtools.tasks.reading import require_existing
from nbtools.tasks.text import tabulate

if TYPE_CHECKING:
    from nbtools.data import DataSet

METRICS = ("balanced_accuracy", "macro_f1", "accuracy")


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools ablate` to its parser."""
    parser.add_argument(
        "method", metavar="METHOD", help="a method of classification; see nbtools methods"
    )
    parser.add_argument(
        "dataset",
        type=Path,
        metavar="DATASET",
        help="crops with a channel called mask (nbtools crop --mask channel), or labelled images",
    )
    common.add_out(parser, "FOLDER", help="folder of the scores")
    parser.add_argument(
        "--folds",
        type=common.whole_number,
        default=5,
        metavar="N",
        help="models per input, each judged on images it has not seen (default 5)",
    )
    parser.add_argument(
        "--group-by",
        metavar="COLUMN",
        help="column of a CSV file beside the images whose images stay together, as plants do",
    )
    common.add_settings(parser)


def run(args: argparse.Namespace) -> CommandResult:
    """Score a classifier on complete crops, on outlines, and on shuffled pixels.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : crops without a mask, no classes, or a class in one group only.
    """
    from nbtools import methods
    from nbtools.methods.cross_validation import compare_inputs, describe_confounding

    say = common.make_reporter(args)
    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.dataset])
    dataset = open_crops(args.dataset)
    groups = list_groups(dataset, args.group_by)
    classes = [entry.class_name for entry in dataset.entries]
    warned = describe_confounding(classes, groups)
    for sentence in warned:
        say(f"Attention: {sentence}")
    cls = methods.get(args.method)
    settings = cls.Settings.from_dict(cls.Settings.parse(args.settings))
    about = {"groups": groups, "folds": args.folds, "seed": args.seed}
    say(f"{args.folds} models of {args.method} for each input, {len(dataset)} crops …")
    found = compare_inputs(cls(settings), dataset, **about)
    rows = [summarize(name, scores) for name, scores in found.items()]
    document = {
        "method": args.method,
        "settings": settings.to_dict(),
        "crops": len(dataset),
        "groups": len(set(groups)),
        "folds": args.folds,
        "seed": args.seed,
        "warnings": warned,
        "inputs": found,
    }
    with io.new_folder(args.out, overwrite=args.overwrite) as folder:
        io.write_json(folder / "ablations.json", document)
        io.write_csv(folder / "ablations.csv", rows)
    lines = [*tabulate(rows, ["input", *METRICS, "interval"]), f"Scores: {args.out}"]
    return CommandResult(document, lines)


def open_crops(place: Path) -> DataSet:
    """Crops with a mask and a class each; of labelled images they are cut first.

    Parameters
    ----------
    place : folder of the data set.
    """
    from nbtools.data import DataSet

    dataset = DataSet.open(require_existing(place, "The data set"))
    if dataset.has("labels") and MASK not in dataset.image(0).channels:
        dataset = cut_crops(dataset, plan_crops(dataset, mask="channel"))
    known = [i for i, entry in enumerate(dataset.entries) if entry.class_name]
    return dataset.subset(known)


def list_groups(dataset: DataSet, column: str | None) -> list[str]:
    """The group of each image: by a column, else by the column group; else each is its own.

    Parameters
    ----------
    dataset : crops.
    column : of a CSV file beside the images, or None.
    """
    dataset.groups(column) if column else None  # refuses a column that is not there
    values = [entry.columns.get(column or "group") for entry in dataset.entries]
    return [value or name for value, name in zip(values, dataset.names, strict=True)]


def summarize(name: str, scores: dict) -> dict:
    """A row of the table of inputs."""
    low, high = scores["interval_95"]["balanced_accuracy"]
    row = {"input": name} | {metric: round(scores[metric], 3) for metric in METRICS}
    return row | {"interval": f"{low:.3f} to {high:.3f}"}


COMMAND = Command(
    "ablate", "ask what a classifier sees: outline, exposure or texture", run, declare
)
