"""Verbs that judge and use a result: evaluate, report, export."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from nbtools.cli import frame
from nbtools.cli.frame import Answer, Verb
from nbtools.cli.labels import LabelSet, open_labels
from nbtools.errors import UserError
from nbtools.image import Image

TASKS = ("instances",)


def declare_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("result", type=Path, metavar="RESULT", help="what was predicted: folder of label images, or one file")
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="what is true: data set, folder of label images, or one file")
    parser.add_argument("--task", choices=TASKS, default="instances", help="what is compared (default: instances)")


def run_evaluate(args: argparse.Namespace) -> Answer:
    from nbtools.metrics import instances

    found, truth = open_labels(args.result, what="The result"), open_labels(args.truth, what="The truth")
    names = dict(zip(truth.names, truth.names, strict=True))
    if args.result.is_file() and args.truth.is_file():  # two files belong together whatever their names
        names = {truth.names[0]: found.names[0]}
    if not any(name in found for name in names.values()):
        received = f"{_some(found.names)} and {_some(truth.names)}"
        raise UserError("Result and truth must have names in common.", received, "Give both files the same name, whatever the ending.")
    scores = instances.evaluate(_pairs(found, truth, names=names, say=frame.progress(args)), seed=args.seed)
    return Answer(scores, _say_scores(scores), 1 if scores["missing"] else 0)


def _pairs(found: LabelSet, truth: LabelSet, *, names: dict[str, str], say: Callable) -> Iterator[tuple[str, Image, Image | None]]:
    for number, (name, partner) in enumerate(names.items(), 1):
        say(f"{number} of {len(names)}: {name}" + ("" if partner in found else " is missing in the result"))
        yield name, truth.read(name), found.read(partner)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" … ({len(names)} files)" if len(names) > 3 else "")


def _say_scores(scores: dict) -> list[str]:
    rows = [{"IoU": threshold, **values} for threshold, values in scores["pooled"].items()]
    low, high = scores["interval_95"]["mean_ap"]
    return [
        *frame.tabulate(rows, ["IoU", "ap", "precision", "recall", "f1", "tp", "fp", "fn"]),
        f"Mean AP {scores['mean_ap']:.3f} (95 % interval {low:.3f} to {high:.3f}) over {scores['images']} images; "
        f"panoptic quality {scores['panoptic_quality']:.3f}",
        f"Split {scores['splits']}, merged {scores['merges']}, missed {scores['missed']}, extra {scores['extra']} nuclei",
        *([f"Missing in the result, counted as all missed: {', '.join(scores['missing'])}"] if scores["missing"] else []),
    ]


def declare_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a model or a result folder")


def run_report(args: argparse.Namespace) -> Answer:
    from nbtools import report

    page = report.write(frame.existing(args.run, "The model or result"))
    return Answer({"report": str(page), "json": str(Path(page).with_suffix(".json"))}, [f"Report: {page}"])


def declare_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="folder of a model, or the name of shipped weights")
    parser.add_argument("--format", required=True, metavar="FORMAT", help="keras")
    frame.add_out(parser, "FILE", help="the file to write")


def run_export(args: argparse.Namespace) -> Answer:
    from nbtools import export, methods

    if args.format in export.FORMATS and not args.out.name.endswith(suffix := export.FORMATS[args.format][0]):
        args.out = args.out.with_name(args.out.name + suffix)
    frame.refuse_file(args)
    path = export.write_model(methods.load(args.model), args.out, format=args.format)
    return Answer({"file": str(path), "format": args.format}, [f"Written: {path}"])


VERBS = (
    Verb("evaluate", "compare a result with the truth", declare_evaluate, run_evaluate),
    Verb("report", "write the report of a model or a result", declare_report, run_report),
    Verb("export", "write a model for another program", declare_export, run_export),
)
