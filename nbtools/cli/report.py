"""`nbtools report`: the report of a model, a result or a comparison."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbtools.cli.common import Command, CommandResult
from nbtools.tasks.reading import require_existing


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools report` to its parser."""
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="folder of a model, a result or a comparison"
    )
    parser.add_argument("--pdf", action="store_true", help="also write report.pdf")


def run(args: argparse.Namespace) -> CommandResult:
    """Write the report of a model, a result or a comparison as a page and as JSON, or PDF too."""
    from nbtools import report

    page = Path(report.write(require_existing(args.run, "The model or result"), pdf=args.pdf))
    written = {"report": str(page), "json": str(page.with_suffix(".json"))}
    if args.pdf:
        written["pdf"] = str(page.with_suffix(".pdf"))
    return CommandResult(written, [f"Report: {page}"])


COMMAND = Command("report", "write the report of a model, a result or a comparison", run, declare)
