"""`nbtools course`: run the lessons and open their summary."""

from __future__ import annotations

import argparse

from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.tasks.text import tabulate


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools course` to its parser."""
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        default=[],
        help="lessons by number or name, e.g. 00 workbench_segment",
    )
    parser.add_argument(
        "--fast", action="store_true", help="a smoke run: training shortened, results poor"
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the summary")


def run(args: argparse.Namespace) -> CommandResult:
    """Run lessons of the course and open their summary; code 1 where one failed."""
    from nbtools import course

    done = course.run_course(args.only, fast=args.fast, say=common.make_reporter(args))
    if not (args.json or args.no_open):
        course.open_summary(done["summary"])
    failed = [row["name"] for row in done["lessons"] if not row["ok"]]
    lines = [
        *tabulate(done["lessons"], ["name", "ok", "seconds", "cells", "figures", "error"]),
        f"Summary: {done['summary']}",
    ]
    return CommandResult(done, lines, 1 if failed else 0)


COMMAND = Command("course", "run the lessons and open their summary", run, declare)
