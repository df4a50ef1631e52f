"""Verbs that judge and use a result: evaluate, measure, report, export."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.cli import frame
from nbtools.cli.frame import Answer, Verb
from nbtools.errors import UserError
from nbtools.image import Image

LABEL_FOLDERS = ("labels", "masks")
TASKS = ("instances",)


def find_labels(place: Path) -> dict[str, Path]:
    """Stem (in lower case, by which partners pair) → label image: a file, a result folder, or a data set with labels/."""
    if place.is_file():
        return {io.stem(place).lower(): place}
    folder = next((place / name for name in LABEL_FOLDERS if (place / name).is_dir()), place)
    found = {io.stem(p).lower(): p for p in sorted(folder.iterdir()) if io.is_image(p)}
    if not found:
        raise UserError("There must be label images.", f"none in {folder}", f"Give a file, a result of nbtools predict, or a folder with {LABEL_FOLDERS[0]}/.")
    return found


def declare_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("result", type=Path, metavar="RESULT", help="what was predicted: folder of label images, or one file")
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="what is true: data set, folder of label images, or one file")
    parser.add_argument("--task", choices=TASKS, default="instances", help="what is compared (default: instances)")


def run_evaluate(args: argparse.Namespace) -> Answer:
    from nbtools.metrics import instances

    found = find_labels(frame.existing(args.result, "The result"))
    truth = find_labels(frame.existing(args.truth, "The truth"))
    if len(found) == len(truth) == 1:  # two files may have any names
        found = dict.fromkeys(truth, next(iter(found.values()))) if args.result.is_file() and args.truth.is_file() else found
    if not found.keys() & truth.keys():
        received = f"{_some(found.values())} and {_some(truth.values())}"
        raise UserError("Result and truth must have names in common.", received, "Give both files the same name, whatever the ending.")
    scores = instances.evaluate(_pairs(found, truth, frame.progress(args)), seed=args.seed)
    return Answer(scores, _say_scores(scores), 1 if scores["missing"] else 0)


def _pairs(found: dict[str, Path], truth: dict[str, Path], say) -> Iterator[tuple[str, Image, Image | None]]:
    for number, (key, path) in enumerate(truth.items(), 1):
        say(f"{number} of {len(truth)}: {io.stem(path)}" + ("" if key in found else " is missing in the result"))
        yield io.stem(path), io.read_label(path), io.read_label(found[key]) if key in found else None


def _some(paths) -> str:
    names = [p.name for p in paths]
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
    frame.add_out(parser, "nuclei.csv", "the table, one row a nucleus")
    frame.add_input_options(parser)


def run_measure(args: argparse.Namespace) -> Answer:
    from nbtools import measure
    from nbtools.cli.results import drop_small

    labels = find_labels(frame.existing(args.labels, "The labels"))
    if args.out.exists() and not args.overwrite:
        raise UserError("An existing result is not overwritten.", args.out, "Choose another --out, or add --overwrite.")
    images, say, rows, missing = _open_images(args), frame.progress(args), [], []
    for key, path in labels.items():
        label, image = _read_label(path, args), images(key)
        if args.images and image is None:
            missing.append(io.stem(path))
        rows += to_rows(measure.measure(drop_small(label, args.min_size), image))
        say(f"{io.stem(path)}: {int(len(rows))} nuclei so far")
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["image", "label"]
    io.write_csv(args.out, rows, columns=columns)
    document = {"table": str(args.out), "images": len(labels), "nuclei": len(rows), "columns": columns, "missing": missing}
    lines = [f"{len(rows)} nuclei in {len(labels)} images: {args.out}", *([f"No image for: {', '.join(missing)}"] if missing else [])]
    return Answer(document, lines, 1 if missing else 0)


def _read_label(path: Path, args: argparse.Namespace) -> Image:
    label = io.read_label(path, axes=args.axes)
    return label if args.spacing is None else label.replace(spacing=args.spacing, unit="um")


def _open_images(args: argparse.Namespace):
    """A function from a name to its image, None where there is none."""
    if args.images is None:
        return lambda key: None
    from nbtools.data import DataSet

    dataset = DataSet.open(frame.existing(args.images, "The image or folder"), options=frame.input_options(args))
    places = {name.lower(): i for i, name in enumerate(dataset.names)}
    return lambda key: dataset[places[key]].image if key in places else None


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
    frame.add_out(parser, "FILE", "the file to write")


def run_export(args: argparse.Namespace) -> Answer:
    from nbtools import export, methods

    if args.out.exists() and not args.overwrite:
        raise UserError("An existing result is not overwritten.", args.out, "Choose another --out, or add --overwrite.")
    path = export.write_model(methods.load(args.model), args.out, format=args.format)
    return Answer({"file": str(path), "format": args.format}, [f"Written: {path}"])


VERBS = (
    Verb("evaluate", "compare a result with the truth", declare_evaluate, run_evaluate),
    Verb("measure", "measure every nucleus, in µm where the pixel size is known", declare_measure, run_measure),
    Verb("report", "write the report of a model or a result", declare_report, run_report),
    Verb("export", "write a model for another program", declare_export, run_export),
)
