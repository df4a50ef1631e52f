"""`nbtools deposit`: a data set as a folder that is ready for a repository."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.tasks.reading import require_existing

if TYPE_CHECKING:
    from nbtools.data import DataSet


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools deposit` to its parser."""
    parser.epilog = (
        "dataset.toml answers what no file knows: title, licence, authors, organism and more; what "
        "is left open is listed. Nothing is uploaded."
    )
    text = "data set, or the folder that nbtools split wrote"
    parser.add_argument("dataset", type=Path, metavar="DATASET", help=text)
    text = "ask what dataset.toml leaves open, and write the answers into it"
    parser.add_argument("--ask", action="store_true", help=text)
    common.add_out(parser, "FOLDER", help="folder for Zenodo or the BioImage Archive")


def run(args: argparse.Namespace) -> CommandResult:
    """Write data, card, previews, checksums and descriptions; list what is missing.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    Findings with remedies; exit code 1 where there are some.

    Raises
    ------
    UserError : no images, or the folder exists.
    """
    from nbtools import data
    from nbtools.export.deposit import write_deposit

    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.dataset])
    dataset = data.DataSet.open(require_existing(args.dataset, "The data set"))
    if args.ask:
        dataset = answer(args.dataset, dataset)
    findings = write_deposit(dataset, args.out, overwrite=args.overwrite)
    document = {"deposit": str(args.out), "images": len(dataset), "findings": findings}
    lines = [f"Deposit: {args.out}, {len(dataset)} images. Upload the folder as it is."]
    lines += [f"{one['message']} {one['remedy']}" for one in findings]
    return CommandResult(document, lines, code=1 if findings else 0)


def answer(place: Path, dataset: DataSet) -> DataSet:
    """Ask on the terminal what is left open, and open the data set with the answers.

    Parameters
    ----------
    place : of the data set.
    dataset : as it is now.
    """
    from nbtools.data import DataSet, answers, rembi

    keys = [key for keys in rembi.QUESTIONS.values() for key in keys if not dataset.meta.get(key)]
    if keys:
        print("Enter leaves a question open; a dot ends.", file=sys.stderr)
    found = answers.ask_open(keys, ask=_ask)
    if not found:
        return dataset
    answers.save_answers(place, found)
    return DataSet.open(place)


def _ask(question: str) -> str:
    """The answer to a question on standard error; a dot where nobody is there to answer."""
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline() or "."


COMMAND = Command("deposit", "make a data set ready for a repository", run, declare)
