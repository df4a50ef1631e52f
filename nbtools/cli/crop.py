"""`nbtools crop`: one small image per labelled nucleus, at one physical scale."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.data.crops import MASKS, cut_crops, plan_crops
from nbtools.tasks.reading import require_existing


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools crop` to its parser."""
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="images with labels; classes are kept"
    )
    common.add_out(parser, "CROPS", help="folder of the new data set")
    parser.add_argument(
        "--size",
        type=common.positive_number,
        metavar="UM",
        help="side of a crop (µm or --unit); else by the extent of the nuclei",
    )
    parser.add_argument(
        "--pixel",
        type=common.numbers,
        metavar="Z,Y,X",
        help="pixel size of the crops (µm or --unit); else that of the coarsest image",
    )
    parser.add_argument(
        "--mask",
        choices=MASKS,
        default="none",
        help="the outline of the nucleus as a channel of its own, or applied: nothing around it",
    )
    common.add_input_options(parser)


def run(args: argparse.Namespace) -> CommandResult:
    """Cut one crop per labelled nucleus, and write them as a data set for classification.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : no labels, pixel sizes of some images only, or the folder exists.
    """
    from nbtools import data

    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.dataset])
    place = require_existing(args.dataset, "The data set")
    dataset = data.DataSet.open(place, options=common.input_options(args))
    common.say_layout(dataset, common.make_reporter(args))
    plan = plan_crops(dataset, size_um=args.size, spacing=args.pixel, mask=args.mask)
    crops = cut_crops(dataset, plan)
    crops.meta.update({k: v for k, v in dataset.meta.items() if k in ("licence", "source")})
    data.write_dataset(crops, args.out, overwrite=args.overwrite)
    known = sum(entry.class_name is not None for entry in crops.entries)
    document = {
        "dataset": str(args.out),
        "crops": len(crops),
        "with_class": known,
        "classes": crops.class_names,
        "shape": list(plan.shape),
        "spacing": plan.spacing and list(plan.spacing),
        "unit": plan.unit,
        "mask": plan.mask,
    }
    size = " x ".join(map(str, plan.shape))
    line = f"{len(crops)} crops of {size} px, {known} with a class: {args.out}"
    return CommandResult(document, [line])


COMMAND = Command("crop", "cut one image per labelled nucleus, for classification", run, declare)
