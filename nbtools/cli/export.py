"""`nbtools export`: a model or the labels of a result for another program."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from nbtools import io, runtime
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import require_choice
from nbtools.image import Image
from nbtools.tasks.reading import ResultSet


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools export` to its parser."""
    text = "folder of a model or the name of shipped weights; or a result, data set or label image"
    parser.add_argument("model", metavar="MODEL|RESULT", help=text)
    text = "of a model: keras; of labels: rois (Fiji), geojson (QuPath), coco, nrrd, nifti"
    parser.add_argument("--format", required=True, metavar="FORMAT", help=text)
    common.add_out(parser, "FILE", help="the file to write; a folder where labels are several")


def run(args: argparse.Namespace) -> CommandResult:
    """Write a model, or the labels of a result, as files for another program.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : an unknown format, no labels, or the file exists already.
    """
    from nbtools import export

    require_choice(
        args.format,
        (*export.FORMATS, *export.LABEL_FORMATS),
        rule="Models and labels are exported in a known format.",
    )
    return _export_labels(args) if args.format in export.LABEL_FORMATS else _export_model(args)


def _export_labels(args: argparse.Namespace) -> CommandResult:
    """Write the labels of a result; one file, or a folder with one per image."""
    from nbtools import export, tasks

    labels = tasks.INSTANCES.read(Path(args.model))
    suffix = export.LABEL_FORMATS[args.format][0]
    readers = {name: partial(_read_label, labels, name) for name in labels.names}
    if len(readers) == 1 or args.format == "coco":
        if not args.out.name.lower().endswith(suffix):
            args.out = args.out.with_name(args.out.name + suffix)
        io.require_new_file(args.out, overwrite=args.overwrite, inputs=[args.model])
        files = export.write_labels(readers, args.out, format=args.format)
        io.add_to_mark(args.out.parent, files)
    else:
        with io.new_folder(args.out, overwrite=args.overwrite, inputs=[args.model]) as temporary:
            written = export.write_labels(readers, temporary, format=args.format)
        files = [args.out / path.name for path in written]
    document = {"files": [str(path) for path in files], "format": args.format}
    return CommandResult(document, [f"Written: {args.out}, labels of {len(readers)} images"])


def _read_label(labels: ResultSet, name: str) -> Image:
    return labels.read(name).image


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


COMMAND = Command("export", "write a model, or labels, for another program", run, declare)
