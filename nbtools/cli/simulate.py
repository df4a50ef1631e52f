"""`nbtools simulate`: images of nuclei with exact truth."""

from __future__ import annotations

import argparse

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult

MOST_IMAGES = 100_000


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools simulate` to its parser."""
    parser.add_argument(
        "kind",
        metavar="KIND",
        help="nuclei2d, nuclei3d, tissue, beads, pairs (noisy and clean), movie, classes",
    )
    parser.add_argument(
        "--count",
        type=read_count,
        default=10,
        metavar="N",
        help="number of images (default 10)",
    )
    common.add_out(parser, "DATASET", help="folder of the data set")
    common.add_settings(parser)


def read_count(text: str) -> int:
    """Convert the text of `--count` to a number of images that fit into memory and folder."""
    count = common.whole_number(text)
    if not 0 < count <= MOST_IMAGES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_IMAGES:,}")
    return count


def run(args: argparse.Namespace) -> CommandResult:
    """Simulate images of nuclei with exact truth, and write them as a data set."""
    from nbtools import data, simulate

    io.require_new_folder(args.out, overwrite=args.overwrite)
    changes = type(simulate.settings_for(args.kind)).parse(args.settings)
    common.make_reporter(args)(f"Simulating {args.count} images of kind {args.kind} …")
    dataset = simulate.make(args.kind, count=args.count, seed=args.seed, settings=changes)
    data.write_dataset(dataset, args.out, overwrite=args.overwrite)
    nuclei = sum(int(sample.label.pixels.max()) for sample in dataset)
    settings = simulate.settings_for(args.kind, changes).to_dict()
    document = {
        "dataset": str(args.out),
        "kind": args.kind,
        "images": len(dataset),
        "nuclei": nuclei,
        "seed": args.seed,
        "settings": settings,
    }
    return CommandResult(document, [f"{len(dataset)} images with {nuclei} nuclei: {args.out}"])


COMMAND = Command("simulate", "make images of nuclei with exact truth", run, declare)
