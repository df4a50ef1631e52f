"""`nbtools split`: training, validation and test images."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.tasks.reading import require_existing


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools split` to its parser."""
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="the data set to split; it stays as it is"
    )
    common.add_out(parser, "FOLDER", help="folder that gets train/, val/ and test/")
    parser.add_argument(
        "--val",
        type=common.share,
        default=0.15,
        metavar="SHARE",
        help="share to choose by (default 0.15)",
    )
    parser.add_argument(
        "--test",
        type=common.share,
        default=0.15,
        metavar="SHARE",
        help="share to judge on (default 0.15)",
    )
    parser.add_argument(
        "--group-by", metavar="COLUMN", help="column of classes.csv whose images stay together"
    )


def run(args: argparse.Namespace) -> CommandResult:
    """Split a data set into training, validation and test images, and copy them.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : the data set is split already, or the target folder exists.
    """
    from nbtools import data

    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.dataset])
    dataset = data.DataSet.open(require_existing(args.dataset, "The data set"))
    common.say_layout(dataset, common.make_reporter(args))
    if dataset.splits():
        raise UserError(
            "A data set is split once.",
            f"{args.dataset} with {', '.join(dataset.splits())}",
            "Give one of its parts.",
        )
    made = dataset.split(val=args.val, test=args.test, seed=args.seed, group_by=args.group_by)
    parts = {
        name: part for name, part in zip(("train", "val", "test"), made, strict=False) if len(part)
    }
    data.copy_split(parts, args.out, overwrite=args.overwrite)
    document = {
        "folder": str(args.out),
        "seed": args.seed,
        "groups": len(set(dataset.groups(args.group_by))),
        **{name: len(part) for name, part in parts.items()},
        "names": {name: part.names for name, part in parts.items()},
    }
    lines = [f"{name}: {len(part)} images" for name, part in parts.items()]
    lines += common.tell_ungrouped(dataset, args.group_by)
    document["ungrouped"] = dataset.ungrouped(args.group_by)
    return CommandResult(document, [*lines, f"Split: {args.out}"])


COMMAND = Command(
    "split", "split a data set into training, validation and test images", run, declare
)
