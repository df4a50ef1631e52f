"""Verbs that tell: methods, doctor, course."""

from __future__ import annotations

import argparse
import dataclasses

from nbtools.cli.frame import Answer, Verb, progress, tabulate
from nbtools.config import Declaration


def declare_methods(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="one method: its settings, paper and lesson"
    )
    parser.add_argument(
        "--task",
        choices=("denoise", "segment", "detect", "classify"),
        help="methods of one task only",
    )


def run_methods(args: argparse.Namespace) -> Answer:
    from nbtools import methods

    if args.name is None:
        rows = [methods.describe(name) for name in methods.names(args.task)]
        return Answer(rows, tabulate(rows, ["name", "task", "dims", "needs", "title"]))
    row = methods.describe(args.name)
    settings = [_describe_setting(d) for d in methods.get(args.name).Settings.declarations()]
    return Answer({**row, "settings": settings}, _say_method(row, settings))


def _describe_setting(declared: Declaration) -> dict:
    described = {
        f.name: getattr(declared, f.name)
        for f in dataclasses.fields(declared)
        if f.name not in ("type", "default")
    }
    kind = (
        getattr(declared.type, "__name__", str(declared.type))
        if not hasattr(declared.type, "__args__")
        else str(declared.type)
    )
    return {**described, "type": kind, "default": declared.default}


def _say_method(row: dict, settings: list[dict]) -> list[str]:
    paper = row.get("paper") or {}
    lines = [
        f"{row['name']}: {row['title']}",
        (
            f"Task: {row['task']}, {' and '.join(f'{d}D' for d in row['dims'])}. Lesson: "
            f"{row['lesson']}"
        ),
    ]
    if paper:
        lines.append(f"Paper: {paper.get('title')} ({paper.get('year')}), doi:{paper.get('doi')}")
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


def run_doctor(args: argparse.Namespace) -> Answer:
    from nbtools import runtime

    progress(args)("Trying Keras and measuring the processor: some seconds.")
    found = runtime.doctor()
    return Answer(found, _say_doctor(found), 1 if found["problems"] else 0)


def _say_doctor(found: dict) -> list[str]:
    packages = ", ".join(
        f"{name} {version or 'missing'}"
        for name, version in found["packages"].items()
        if name != "python"
    )
    place = "Google Colab" if found["colab"] else found["platform"]
    return [
        f"Python {found['python']} on {place}",
        f"{found['cores']} cores ({found['gflops']:.0f} Gflop/s), {found['free_gb']} of "
        f"{found['memory_gb']} GB memory free, "
        f"{found['disk_gb']} GB disk free",
        f"GPU: {found['gpu'] or 'none'}"
        + (
            ""
            if not found["gpu"] or found["keras"]["gpus"]
            else " (but TensorFlow does not see it)"
        ),
        f"Packages: {packages}",
        "About how long here:",
        *(f"  {row['minutes']:5.1f} min  {row['what']}" for row in found["forecast"]),
        *(f"Attention: {problem}" for problem in found["problems"]),
        *([] if found["problems"] else ["All is ready."]),
    ]


def declare_course(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        default=[],
        help="lessons by number or name, e.g. 00 workbench_segment",
    )
    parser.add_argument(
        "--fast", action="store_true", help="a rehearsal: training shortened, results poor"
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the summary")


def run_course(args: argparse.Namespace) -> Answer:
    from nbtools import course

    done = course.run_course(args.only, fast=args.fast, say=progress(args))
    if not (args.json or args.no_open):
        course.open_summary(done["summary"])
    failed = [row["name"] for row in done["lessons"] if not row["ok"]]
    lines = [
        *tabulate(done["lessons"], ["name", "ok", "seconds", "cells", "figures", "error"]),
        f"Summary: {done['summary']}",
    ]
    return Answer(done, lines, 1 if failed else 0)


def declare_nothing(parser: argparse.ArgumentParser) -> None:
    pass


VERBS = (
    Verb("methods", "the table of methods, or one of them", declare_methods, run_methods),
    Verb(
        "doctor",
        "what this machine is, what will run here and how long it takes",
        declare_nothing,
        run_doctor,
    ),
    Verb("course", "run the lessons and open their summary", declare_course, run_course),
)
