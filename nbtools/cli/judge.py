"""Verbs that judge and use a result: evaluate, measure, report, export."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nbtools import io
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


def declare_measure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("labels", type=Path, metavar="LABELS", help="label image, result folder or data set")
    parser.add_argument("--images", type=Path, metavar="IMAGES", help="the images, to measure brightness too")
    frame.add_out(parser, "nuclei.csv", help="the table, one row a nucleus")
    frame.add_input_options(parser)


def run_measure(args: argparse.Namespace) -> Answer:
    from nbtools import measure
    from nbtools.cli.results import drop_small

    refuse_file(args)
    labels = open_labels(args.labels, what="The labels", options=frame.input_options(args))
    images, say, rows, missing = _open_images(args), frame.progress(args), [], []
    for name in labels.names:
        image = images(name)
        if args.images and image is None:
            missing.append(name)
        found = measure.measure(drop_small(labels.read(name), args.min_size), image)
        rows += to_rows(found)
        say(f"{name}: {len(next(iter(found.values()), ()))} nuclei")
    columns = list(dict.fromkeys(column for row in rows for column in row)) or ["image", "label"]
    io.write_csv(args.out, rows, columns=columns)
    document = {"table": str(args.out), "images": len(labels), "nuclei": len(rows), "columns": columns, "missing": missing}
    lines = [f"{len(rows)} nuclei in {len(labels)} images: {args.out}", *([f"No image for: {', '.join(missing)}"] if missing else [])]
    return Answer(document, lines, 1 if missing else 0)


def refuse_file(args: argparse.Namespace) -> None:
    """A UserError where the file to write is there already."""
    if args.out.is_dir():
        raise UserError("The result is a file.", f"the folder {args.out}", f"Give a file in it: {args.out}/nuclei.csv.")
    if args.out.exists() and not args.overwrite:
        raise UserError("An existing result is not overwritten.", args.out, "Choose another --out, or add --overwrite.")


def _open_images(args: argparse.Namespace) -> Callable[[str], Image | None]:
    """A function from a name to its image, None where there is none."""
    if args.images is None:
        return lambda name: None
    from nbtools.data import DataSet
    from nbtools.data.layout import name_key

    dataset = DataSet.open(frame.existing(args.images, "The image or folder"), options=frame.input_options(args))
    places = {name_key(name): i for i, name in enumerate(dataset.names)}
    return lambda name: dataset.image(places[name_key(name)]) if name_key(name) in places else None


def to_rows(table: dict[str, np.ndarray]) -> list[dict]:
    """A table of columns as a list of rows."""
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


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
    refuse_file(args)
    path = export.write_model(methods.load(args.model), args.out, format=args.format)
    return Answer({"file": str(path), "format": args.format}, [f"Written: {path}"])


VERBS = (
    Verb("evaluate", "compare a result with the truth", declare_evaluate, run_evaluate),
    Verb("measure", "measure every nucleus, in µm where the pixel size is known", declare_measure, run_measure),
    Verb("report", "write the report of a model or a result", declare_report, run_report),
    Verb("export", "write a model for another program", declare_export, run_export),
)
