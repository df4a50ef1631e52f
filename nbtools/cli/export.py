"""`nbtools export`: a model for another program."""

from __future__ import annotations

import argparse

from nbtools import runtime
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools export` to its parser."""
    parser.add_argument(
        "model", metavar="MODEL", help="folder of a model, or the name of shipped weights"
    )
    parser.add_argument("--format", required=True, metavar="FORMAT", help="keras")
    common.add_out(parser, "FILE", help="the file to write")


def run(args: argparse.Namespace) -> CommandResult:
    """Write a model as a file for another program; a missing suffix is added to its name."""
    from nbtools import export, methods

    if args.format in export.FORMATS and not args.out.name.endswith(
        suffix := export.FORMATS[args.format][0]
    ):
        args.out = args.out.with_name(args.out.name + suffix)
    common.require_new_file(args)
    model = methods.load(args.model)
    path = export.write_model(model, args.out, format=args.format)
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


COMMAND = Command("export", "write a model for another program", run, declare)
