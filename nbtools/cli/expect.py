"""`nbtools expect`: the score that results without truth may be expected to have."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import documents, io
from nbtools.cli import common, next_labels
from nbtools.cli.common import Command, CommandResult
from nbtools.cli.predict import open_images
from nbtools.errors import UserError
from nbtools.tasks.text import tabulate

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.inference.expected_quality import QualityLine
    from nbtools.methods import Method

FILE = "expected_quality.json"  # in the folder of a model
COLUMNS = ("image", "expected_mean_ap", "low", "high", "agreement", "nuclei", "doubtful")


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools expect` to its parser."""
    parser.epilog = (
        "The model looks at each image and at its mirrored copy of other contrast. Agreement is "
        "the mean AP (IoU 0.5 to 0.9) of one look against the other. A line through images with "
        "labels (--calibrate, once per model) turns it into an expected mean AP, with an "
        "interval that held nine of ten of these images; on images of another kind it may be far "
        "off. Doubtful: the expected number of wrong nuclei; the most doubtful are listed, to be "
        "looked at first. What both looks get wrong in the same way is not seen."
    )
    common.add_model_and_images(parser, untrained=True)
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="IMAGES is a data set with labels: draw the line, and keep it in the model's folder",
    )
    next_labels.add_ranking(parser, "expected.csv")


def run(args: argparse.Namespace) -> CommandResult:
    """Say how good the labels of each image probably are; worst images and nuclei in front.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    The images and the most doubtful nuclei; with `--calibrate` also the line.

    Raises
    ------
    UserError : a model that finds no labels, no images, no labels to calibrate by, a model without
        a folder of its own, or a table that exists already.
    """
    from nbtools import methods

    if args.out is not None:
        io.require_new_file(args.out, overwrite=args.overwrite, inputs=(args.images, args.model))
    folder = require_own_folder(args.model) if args.calibrate else methods.find_folder(args.model)
    dataset, model = open_images(args).frames(), methods.load(args.model)
    say = common.make_reporter(args)
    rows, nuclei = look(model, dataset, truth=args.calibrate, say=say)
    line = calibrate(rows, folder, model=model) if args.calibrate else read_line(folder, model)
    rows = sorted((expect(row, line) for row in rows), key=lambda row: row["agreement"] or 0)
    if args.out is not None:
        io.write_csv(args.out, rows, columns=COLUMNS)
        io.add_to_mark(args.out.parent, [args.out])
    nuclei = sorted(nuclei, key=lambda row: -row["gain"])[: args.nuclei]
    lines = [*tabulate(rows, list(COLUMNS)), ""]
    lines += [*tabulate(nuclei, ["image", "label", "centre", "gain"]), "", say_line(line, args)]
    document = {"model": args.model, "calibration": line and dataclasses.asdict(line)}
    return CommandResult(document | {"images": rows, "nuclei": nuclei}, lines)


def look(
    model: Method, dataset: DataSet, *, truth: bool, say: Callable[[str], None]
) -> tuple[list[dict], list[dict]]:
    """Rows of the images and of their nuclei, from two looks at each image.

    Parameters
    ----------
    model : that looks.
    dataset : the images.
    truth : whether to score the labels, too; images without labels are left out then.
    say : takes messages on progress.
    """
    from nbtools.inference.disagreement import compare_looks
    from nbtools.inference.expected_quality import find_agreement

    rows, doubts, names = [], [], []
    chosen = np.flatnonzero(dataset.which_have("labels")) if truth else range(len(dataset))
    for done, index in enumerate(chosen, start=1):
        image, name = dataset.image(index), dataset.names[index]
        first, second = next_labels.look_twice(model, image)
        doubt, agreement = compare_looks(first.pixels, second), find_agreement(first.pixels, second)
        row = {"image": name, "agreement": None if np.isnan(agreement) else round(agreement, 4)}
        row["nuclei"] = int((doubt.labels > 0).sum())
        row["doubtful"] = round(doubt.total, 2)
        if truth:
            label = dataset[index].label.to(first.axes).pixels
            row["mean_ap"] = find_agreement(label, first.pixels)
        rows.append(row)
        doubts.append(doubt)
        names.append(name)
        say(f"{done} of {len(chosen)}: {name}, agreement {agreement:.2f}")
    return rows, next_labels.rank_nuclei(names, doubts)


def expect(row: dict, line: QualityLine | None) -> dict:
    """The row of an image with the score that is to be expected, where a line is known."""
    values = (None, None, None)
    if line is not None and row["agreement"] is not None:
        values = (round(value, 3) for value in line.expect(row["agreement"]))
    return row | dict(zip(("expected_mean_ap", "low", "high"), values, strict=True))


def calibrate(rows: list[dict], folder: Path, *, model: Method) -> QualityLine:
    """Draw the line through images with labels, and keep it beside the weights it is of.

    Parameters
    ----------
    rows : of the images, with `agreement` and `mean_ap`.
    folder : of the model.
    model : that looked.
    """
    from nbtools.inference.expected_quality import draw_line

    values = {key: np.array([row[key] for row in rows], float) for key in ("agreement", "mean_ap")}
    line = draw_line(values["agreement"], values["mean_ap"])
    io.write_json(folder / FILE, dataclasses.asdict(line) | identify(folder, model))
    return line


def read_line(folder: Path | None, model: Method) -> QualityLine | None:
    """The line of a model; None where there is none, or it is of other weights or thresholds.

    Parameters
    ----------
    folder : of the model; None for methods that learn nothing.
    model : as it predicts now.
    """
    from nbtools.inference.expected_quality import QualityLine

    if folder is None or not (folder / FILE).is_file():
        return None
    found = documents.read_document(folder / FILE)
    if any(found.get(key) != value for key, value in identify(folder, model).items()):
        return None
    return QualityLine(**{f.name: found[f.name] for f in dataclasses.fields(QualityLine)})


def identify(folder: Path, model: Method) -> dict:
    """What a line is of: the weights, and the values that turn their maps into labels."""
    from nbtools import training

    files = sorted(folder.glob("weights*.npz"))
    values = {key: str(value) for key, value in model.decoding_values().items()}
    return {"weights": {file.name: training.hash_file(file) for file in files}, "decoding": values}


def require_own_folder(source: str) -> Path:
    """The folder of a trained model of the user; UserError where there is none to write into."""
    from nbtools import data, methods

    folder = methods.find_folder(source)
    if folder is None or folder.parent == data.packaged_path("weights"):
        raise UserError(
            "The line is kept in the folder of a model that was trained here.",
            f"{source}, {'a method without training' if folder is None else 'shipped weights'}",
            "Leave out --calibrate, or fine-tune the weights first: nbtools train … --init "
            f"{source} --out MODEL.",
        )
    return folder


def say_line(line: QualityLine | None, args: argparse.Namespace) -> str:
    """A sentence about the line."""
    if line is None:
        return (
            "No expected mean AP: this model was not calibrated. With labels of some images: "
            f"nbtools expect {args.model} DATASET --calibrate. "
            "Agreement alone puts images in an order."
        )
    return (
        f"Expected mean AP by a line through {line.images} images with labels, of which nine in "
        f"ten lie within {line.margin:.2f}; rank correlation {line.rank_correlation:.2f}."
    )


COMMAND = Command("expect", "say how good results without truth probably are", run, declare)
