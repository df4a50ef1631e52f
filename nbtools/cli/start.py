"""`nbtools start`: run lesson 00 and open it, finished."""

from __future__ import annotations

import argparse

from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools start` to its parser."""
    parser.add_argument(
        "--lesson", metavar="NAME", default="00", help="another lesson, by number or name"
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the page")


def run(args: argparse.Namespace) -> CommandResult:
    """Execute one lesson and open it as a page; code 1 where it stopped."""
    from nbtools import course

    done = course.start(args.lesson, say=common.make_reporter(args))
    opened = not (args.json or args.no_open) and course.open_summary(done["page"])
    seconds, error = done["seconds"], done["error"]
    lines = [
        f"{done['title']}: {f'STOPPED: {error}' if error else f'done after {seconds:.0f} s'}",
        f"{'Opened' if opened else 'Open in a browser'}: {done['page']}",
        "To work through it: make lab (or: jupyter lab notebooks)",
    ]
    return CommandResult(done, lines, 1 if error else 0)


COMMAND = Command("start", "run lesson 00 and open it, finished", run, declare)
