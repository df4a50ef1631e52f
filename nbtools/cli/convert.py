"""`nbtools convert`: a folder of another program as a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.tasks.reading import require_existing


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools convert` to its parser."""
    text = "folder of images and labels as another program wrote it; it stays as it is"
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=text)
    common.add_out(parser, "DATASET", help="the data set, with images/ and labels/")
    group = parser.add_argument_group("input")
    group.add_argument(
        "--axes", metavar="ZYX", help="what the dimensions of the files mean, in order"
    )
    group.add_argument("--spacing", type=common.numbers, metavar="Z,Y,X", help="pixel size, in µm")


def run(args: argparse.Namespace) -> CommandResult:
    """Write images/ and labels/ with a label image per image.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : no such folder, no images in it, or the data set exists already.
    """
    from nbtools import data

    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.folder])
    place = require_existing(args.folder, "The folder")
    options = data.InputOptions(axes=args.axes, spacing=args.spacing)
    dataset = data.DataSet.open(place, options=options)
    if not len(dataset):
        raise UserError(
            "There must be images to convert.",
            place,
            "Give the folder that holds the images with their labels, or the folder above it.",
        )
    found = data.convert_dataset(dataset, args.out, overwrite=args.overwrite)
    document = _describe(dataset, found, out=args.out)
    return CommandResult(document, _format(document), 1 if document["failed"] else 0)


def _describe(dataset: DataSet, found: dict[str, int | UserError], *, out: Path) -> dict:
    notes = [
        {"file": dataset.relative(e.files["labels"]), "code": note.code, "message": note.message}
        for e in dataset.entries
        for note in dataset.reader.notes(e)
    ]
    failed = {name: error for name, error in found.items() if isinstance(error, UserError)}
    nuclei = {name: count for name, count in found.items() if name not in failed}
    labelled = [e.name for e in dataset.entries if "labels" in e.files and e.name in nuclei]
    return {
        "folder": str(out),
        "looks_like": dataset.about.other_tool,
        "images": len(nuclei),
        "labelled": len(labelled),
        "nuclei": nuclei,
        "notes": notes,
        "ignored": {dataset.relative(p): why for p, why in dataset.ignored.items()},
        "failed": {name: str(error) for name, error in failed.items()},
    }


def _format(document: dict) -> list[str]:
    words = document["looks_like"]
    lines = [f"This looks like {words}."] if words else []
    lines += [f"{n['file']}: {n['message']}" for n in document["notes"] if n["code"] != io.MASKS]
    lines += [f"Left out: {file} ({why})." for file, why in document["ignored"].items()]
    lines += [f"Left out: {name}. {error}" for name, error in document["failed"].items()]
    total = sum(document["nuclei"].values())
    counts = f"{document['images']} images, {document['labelled']} with labels, {total} nuclei"
    return [*lines, f"{counts}: {document['folder']}"]


COMMAND = Command(
    "convert", "write the images and labels of another program as a data set", run, declare
)
