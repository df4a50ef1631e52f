"""Verbs that judge and use a result: evaluate, report, export."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools.cli import frame, pictures, sides, tasks
from nbtools.cli.frame import Answer, Verb
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.cli.labels import LabelSet
    from nbtools.metrics.classes import ClassScores


def declare_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "result", type=Path, metavar="RESULT", help="what was predicted: folder, or one file"
    )
    parser.add_argument(
        "truth", type=Path, metavar="TRUTH", help="what is true: data set, folder, or one file"
    )
    tasks.declare_task(parser)
    parser.add_argument(
        "--biaflows", action="store_true", help="also the metrics of BIAFLOWS, under their names"
    )
    parser.add_argument(
        "--save",
        action="store_true",
        help="keep the scores, and maps of the worst images, in RESULT for its report",
    )


def run_evaluate(args: argparse.Namespace) -> Answer:
    from nbtools.metrics import biaflows, classes

    judge = tasks.JUDGES[args.task]
    refuse_unsuited(args)
    truth = judge.open_truth(args.truth, what="The truth", options=tasks.open_options(args))
    found, names = tasks.open_both(args, args.result, truth=truth)
    dataset = sides.open_images(args.truth)
    tally, rows, groups = classes.ClassScores(), [], sides.find_groups(dataset, args.group_by)
    pairs = sides.pair_up(names, truth, found=found, say=frame.progress(args))
    if args.task == "instances":
        pairs = _count_classes(pairs, tally, found=found, truth=truth, names=names)
    if args.biaflows:
        pairs = _collect(pairs, rows, task=args.task)
    scores = judge.score(pairs, args, groups=groups) | tally.summarize()
    if args.biaflows:
        scores["biaflows"] = biaflows.average(rows)
    if args.save:
        pictures.save_scores(
            args.result,
            scores,
            truth=truth,
            found=lambda n: found.read(names[n]) if names[n] else None,
            dataset=dataset,
        )
    lines = judge.say(scores) + _say_biaflows(scores)
    return Answer(scores, lines, 1 if scores["missing"] else 0)


def refuse_unsuited(args: argparse.Namespace) -> None:
    """A UserError where an option does not go with the task or the result."""
    from nbtools.metrics import biaflows

    if args.biaflows and args.task not in biaflows.BY_TASK:
        raise UserError(
            "BIAFLOWS has no metrics for every task.",
            args.task,
            f"It has them for: {', '.join(biaflows.BY_TASK)}.",
        )
    if args.save and not args.result.is_dir():
        raise UserError(
            "Scores are kept in a result folder.",
            args.result,
            "Leave out --save, or give the folder.",
        )


def _count_classes(
    pairs: Iterator,
    tally: ClassScores,
    *,
    found: LabelSet,
    truth: LabelSet,
    names: dict[str, str | None],
) -> Iterator:
    """The pairs, while the tally counts those in which both sides say what class their nuclei are
    of.
    """
    for name, true, predicted in pairs:
        known, told = truth.classes(name), found.classes(names[name]) if names[name] else None
        if predicted is not None and known is not None and told is not None:
            tally.add(true, predicted, true_classes=known, classes=told)
        yield name, true, predicted


def _collect(pairs: Iterator, rows: list[dict], *, task: str) -> Iterator:
    """The pairs, while their BIAFLOWS metrics are collected."""
    from nbtools.metrics import biaflows

    for name, true, predicted in pairs:
        one, two = (
            getattr(side, "coordinates", getattr(side, "pixels", None))
            for side in (true, predicted)
        )
        rows.append(
            biaflows.BY_TASK[task](
                one,
                one[:0] if two is None and task == "detection" else one * 0 if two is None else two,
            )
        )
        yield name, true, predicted


def _say_biaflows(scores: dict) -> list[str]:
    told = scores.get("biaflows")
    return (
        [
            (
                "BIAFLOWS, means over images: "
                f"{', '.join(f'{k} –' if v is None else f'{k} {v:.3f}' for k, v in told.items())}"
            )
        ]
        if told
        else []
    )


def declare_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="folder of a model, a result or a comparison"
    )
    parser.add_argument("--pdf", action="store_true", help="also write report.pdf")


def run_report(args: argparse.Namespace) -> Answer:
    from nbtools import report

    page = Path(report.write(frame.existing(args.run, "The model or result"), pdf=args.pdf))
    written = {"report": page, "json": page.with_suffix(".json")} | (
        {"pdf": page.with_suffix(".pdf")} if args.pdf else {}
    )
    return Answer({name: str(path) for name, path in written.items()}, [f"Report: {page}"])


def declare_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="folder of a model, or the name of shipped weights"
    )
    parser.add_argument("--format", required=True, metavar="FORMAT", help="keras")
    frame.add_out(parser, "FILE", help="the file to write")


def run_export(args: argparse.Namespace) -> Answer:
    from nbtools import export, methods

    if args.format in export.FORMATS and not args.out.name.endswith(
        suffix := export.FORMATS[args.format][0]
    ):
        args.out = args.out.with_name(args.out.name + suffix)
    frame.refuse_file(args)
    path = export.write_model(methods.load(args.model), args.out, format=args.format)
    return Answer({"file": str(path), "format": args.format}, [f"Written: {path}"])


VERBS = (
    Verb("evaluate", "compare a result with the truth", declare_evaluate, run_evaluate),
    Verb(
        "report",
        "write the report of a model, a result or a comparison",
        declare_report,
        run_report,
    ),
    Verb("export", "write a model for another program", declare_export, run_export),
)
