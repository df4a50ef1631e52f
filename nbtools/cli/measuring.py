"""Verb that measures: one row a nucleus."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.cli import frame
from nbtools.cli.frame import Answer, Verb
from nbtools.cli.labels import open_labels
from nbtools.image import Image


def declare_measure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("labels", type=Path, metavar="LABELS", help="label image, result folder or data set")
    parser.add_argument("--images", type=Path, metavar="IMAGES", help="the images, to measure brightness too")
    frame.add_out(parser, "nuclei.csv", help="the table, one row a nucleus")
    frame.add_input_options(parser)


def run_measure(args: argparse.Namespace) -> Answer:
    from nbtools import measure
    from nbtools.cli.results import drop_small

    frame.refuse_file(args)
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


VERBS = (Verb("measure", "measure every nucleus, in µm where the pixel size is known", declare_measure, run_measure),)
