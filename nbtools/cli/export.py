"""`nbtools export`: a model, or labels, points or boxes of a result, for another program."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nbtools import io, runtime, tasks
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError, require_choice
from nbtools.image import Image
from nbtools.results import Boxes, Labels, Points
from nbtools.tasks.reading import ResultSet, read_about


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools export` to its parser."""
    text = "folder of a model or the name of shipped weights; or a result, data set or label image"
    parser.add_argument("model", metavar="MODEL|RESULT", help=text)
    text = (
        "of a model: keras; of labels: rois (Fiji), geojson (QuPath), coco, nrrd, nifti; of points "
        "and boxes: rois, geojson, trackmate, napari, coco (boxes)"
    )
    parser.add_argument("--format", required=True, metavar="FORMAT", help=text)
    common.add_out(parser, "FILE", help="the file to write; a folder where images are several")


def run(args: argparse.Namespace) -> CommandResult:
    """Write a model, or what a result holds, as files for another program.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : an unknown format, nothing it can hold, or the file exists already.
    """
    from nbtools import export

    require_choice(
        args.format,
        dict.fromkeys((*export.FORMATS, *export.LABEL_FORMATS, *export.MARK_FORMATS)),
        rule="Models and results are exported in a known format.",
    )
    return _export_model(args) if args.format in export.FORMATS else _export_result(args)


def _export_result(args: argparse.Namespace) -> CommandResult:
    """Write labels, points or boxes of a result; one file, or a folder with one per image."""
    found = open_result(Path(args.model))
    first = found.read(found.names[0])
    kind = tasks.of_result(first)
    formats, write = EXPORTS[type(first)]()
    if args.format not in formats:
        raise UserError(
            f"What was {kind.done} is exported in a format that can hold it.",
            f"{args.format} of {args.model}",
            f"It goes as {', '.join(formats)}.",
        )
    suffix = formats[args.format][0]
    readers = {name: partial(_unpack, found, name) for name in found.names}
    if len(readers) == 1 or args.format == "coco":
        if not args.out.name.lower().endswith(suffix):
            args.out = args.out.with_name(args.out.name + suffix)
        io.require_new_file(args.out, overwrite=args.overwrite, inputs=[args.model])
        files = write(readers, args.out, format=args.format)
        io.add_to_mark(args.out.parent, files)
    else:
        with io.new_folder(args.out, overwrite=args.overwrite, inputs=[args.model]) as temporary:
            written = write(readers, temporary, format=args.format)
        files = [args.out / path.name for path in written]
    document = {"files": [str(path) for path in files], "format": args.format}
    what = {Labels: "labels", Points: "points", Boxes: "boxes"}[type(first)]
    lines = [f"Written: {args.out}, {what} of {len(readers)} images"]
    return CommandResult(document, lines)


def open_result(place: Path) -> ResultSet:
    """What a place holds for export: labels, else points or boxes.

    Parameters
    ----------
    place : of a result, which says what it is; or any folder or file of labels, points or boxes.

    Raises
    ------
    UserError : nothing is there, or nothing of these.
    """
    about = read_about(place)
    task = tasks.find(about.get("task") if isinstance(about.get("task"), str) else None)
    if task is not None and not set(task.results) & set(EXPORTS):
        raise UserError(
            "Labels, points and boxes are exported for other programs.",
            f"{place}, whose images were {task.done}",
            "Its files are ready as they are: images as TIFF, tables as CSV.",
        )
    table = place.suffix.lower() == ".csv"
    if task is not None or table:
        return (task or tasks.DETECTION).read(place, what="The result")
    try:
        return tasks.INSTANCES.read(place, what="The result")
    except UserError as error:
        try:
            return tasks.DETECTION.read(place, what="The result")
        except UserError:
            raise error from None


def _unpack(found: ResultSet, name: str) -> Image | Points | Boxes:
    """The label image of labels; points and boxes as they are."""
    result = found.read(name)
    return getattr(result, "image", result)


def _write_labels() -> tuple[dict, Callable]:
    from nbtools import export

    return export.LABEL_FORMATS, export.write_labels


def _write_marks() -> tuple[dict, Callable]:
    from nbtools import export

    return export.MARK_FORMATS, export.write_marks


EXPORTS = {Labels: _write_labels, Points: _write_marks, Boxes: _write_marks}


def _export_model(args: argparse.Namespace) -> CommandResult:
    """Write a model as a file for another program; a missing suffix is added to its name."""
    from nbtools import export, methods

    if args.format in export.FORMATS and not args.out.name.endswith(
        suffix := export.FORMATS[args.format][0]
    ):
        args.out = args.out.with_name(args.out.name + suffix)
    io.require_new_file(args.out, overwrite=args.overwrite)
    model = methods.load(args.model)
    path = export.write_model(model, args.out, format=args.format)
    io.add_to_mark(path.parent, [path])
    stock_layers = runtime.load_quietly("nbtools.export.stock_layers")
    own, messages = stock_layers.find_own_layers(model.model), [f"Written: {path}"]
    if own:
        kinds = ", ".join(own)
        messages.append(f"The file holds layers of nbtools ({kinds}): load it where that is.")
    if stock_layers.adds_steps(model):
        messages.append("The network alone: what the method does with its output is left out.")
    elif model.scale is None:
        scaling = model.normalization
        messages.append(f"Scale the grey values of each image before, as a whole: {scaling.words}.")
        if scaling.beside:
            messages.append(f"nbtools does more, which no file can say: {scaling.beside}.")
    document = {"file": str(path), "format": args.format, "own_layers": own}
    return CommandResult(document, messages)


COMMAND = Command("export", "write a model or a result for another program", run, declare)
