"""`nbtools methods`: the table of methods, or one of them."""

from __future__ import annotations

import argparse
import dataclasses

from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.config import Declaration
from nbtools.errors import UserError
from nbtools.tasks.text import tabulate


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools methods` to its parser."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="one method: its settings, paper and lesson"
    )
    common.add_task(parser, help="methods of one task only")


def run(args: argparse.Namespace) -> CommandResult:
    """List the methods of a task, or describe one method with its settings."""
    from nbtools import methods
    from nbtools.methods.registry import routes

    if args.name is not None and args.task is not None:
        raise UserError(
            "--task chooses among all methods, and one is named already.",
            f"{args.name} --task {args.task}",
            "Leave out --task, or the name.",
        )
    if args.name is None:
        rows = [methods.describe(name, args.task) for name in methods.names(args.task)]
        ways, columns = routes.list_routes(args.task), ["name", "task", "dims", "needs", "title"]
        lines = tabulate(rows, columns)
        if ways:
            lines += ["", "With any of these methods, where labels are few:"]
            lines += tabulate(ways, ["name", "title", "command"])
        return CommandResult(rows + ways, lines)
    if way := routes.find_route(args.name):
        return CommandResult(way.describe(), _format_route(way.describe()))
    row = methods.describe(args.name)
    settings = [_describe_setting(d) for d in methods.get(args.name).Settings.declarations()]
    return CommandResult({**row, "settings": settings}, _format_method(row, settings))


def _describe_setting(declared: Declaration) -> dict:
    described = {
        f.name: getattr(declared, f.name)
        for f in dataclasses.fields(declared)
        if f.name not in ("type", "default")
    }
    kind = str(declared.type) if hasattr(declared.type, "__args__") else declared.type.__name__
    return {**described, "type": kind, "default": declared.default}


def _format_route(row: dict) -> list[str]:
    return [*_format_head(row), f"Command: {row['command']}"]


def _format_head(row: dict) -> list[str]:
    lines = [
        f"{row['name']}: {row['title']}",
        (
            f"Task: {row['task']}, {' and '.join(f'{d}D' for d in row['dims'])}. Lesson: "
            f"{row['lesson']}"
        ),
    ]
    if paper := row.get("paper"):
        lines.append(f"Paper: {paper.get('title')} ({paper.get('year')}), doi:{paper.get('doi')}")
    return lines


def _format_method(row: dict, settings: list[dict]) -> list[str]:
    lines = _format_head(row)
    table = [
        {
            **s,
            "setting": s["name"],
            "default": "auto" if s["default"] is None else s["default"],
            "meaning": s["help"],
        }
        for s in settings
    ]
    return [*lines, "", *tabulate(table, ["setting", "default", "unit", "meaning"])]


COMMAND = Command("methods", "the table of methods, or one of them", run, declare)
