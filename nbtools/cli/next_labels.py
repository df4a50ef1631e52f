"""`nbtools next`: which images and nuclei to label next."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.cli.predict import open_images
from nbtools.errors import UserError
from nbtools.tasks.text import tabulate

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.image import Image
    from nbtools.inference.disagreement import Doubt
    from nbtools.methods import Method

IMAGES, NUCLEI = 10, 20


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools next` to its parser."""
    parser.epilog = (
        "The model looks at each image and at its mirrored copy of other contrast. The gain of a "
        "nucleus is one minus the IoU of what it finds there: 0 where both looks agree, 1 where "
        "only one finds it. The gain of an image is the sum over its nuclei, less where an image "
        "like it stands above it. What both looks get wrong in the same way is not seen."
    )
    common.add_model_and_images(parser, untrained=True)
    parser.add_argument(
        "--count",
        type=common.whole_number,
        default=IMAGES,
        metavar="N",
        help=f"images to name (default: {IMAGES})",
    )
    add_ranking(parser, "next.csv")


def add_ranking(parser: argparse.ArgumentParser, metavar: str) -> None:
    """What verbs take that rank images and nuclei by the doubt of a model.

    Parameters
    ----------
    parser : of the verb.
    metavar : name of the table, in the help.
    """
    parser.add_argument(
        "--nuclei",
        type=common.whole_number,
        default=NUCLEI,
        metavar="N",
        help=f"nuclei to name, of all images, the most doubtful first (default: {NUCLEI})",
    )
    parser.add_argument(
        "--out", type=Path, metavar=metavar, help="write all images in their order as a table"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing table")
    common.add_input_options(parser)


def run(args: argparse.Namespace) -> CommandResult:
    """Rank images, and nuclei of all images, by what their labels would teach.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    Images and nuclei, those to label first in front.

    Raises
    ------
    UserError : a model that finds no labels, no images, or a table that exists already.
    """
    from nbtools import methods

    if args.out is not None:
        io.require_new_file(args.out, overwrite=args.overwrite, inputs=(args.images, args.model))
    dataset, model = open_images(args).frames(), methods.load(args.model)
    doubts, features = look(model, dataset, say=common.make_reporter(args))
    images = rank_images(dataset.names, doubts, features=features)
    nuclei = rank_nuclei(dataset.names, doubts)[: args.nuclei]
    if args.out is not None:
        io.write_csv(args.out, images, columns=("rank", "image", "gain", "nuclei", "doubtful"))
        io.add_to_mark(args.out.parent, [args.out])
    shown = images[: args.count]
    lines = [
        *tabulate(shown, ["rank", "image", "gain", "nuclei", "doubtful"]),
        "",
        *tabulate(nuclei, ["image", "label", "centre", "gain"]),
        "Gain: nuclei that the model probably gets wrong. Label 0: found in one look alone.",
    ]
    return CommandResult({"model": args.model, "images": shown, "nuclei": nuclei}, lines)


def look(
    model: Method, dataset: DataSet, *, say: Callable[[str], None]
) -> tuple[list[Doubt], np.ndarray]:
    """What two looks at each image disagree on, and (N, F) numbers that describe it.

    Parameters
    ----------
    model : that looks.
    dataset : the images; their labels, if any, are not looked at.
    say : takes messages on progress.

    Raises
    ------
    UserError : the model finds no labels.
    """
    from nbtools.inference.disagreement import compare_looks

    doubts, features = [], []
    for index, name in enumerate(dataset.names):
        image = dataset.image(index)
        first, second = look_twice(model, image)
        doubts.append(compare_looks(first.pixels, second))
        features.append(describe(image, first.pixels))
        say(f"{index + 1} of {len(dataset)}: {name}, gain {doubts[-1].total:.1f}")
    return doubts, np.array(features)


def look_twice(model: Method, image: Image) -> tuple[Image, np.ndarray]:
    """The labels of an image, and those of its mirrored copy of other contrast, mirrored back."""
    from nbtools.training.pseudo_labels import change_view

    first = require_labels(model, image)
    second = require_labels(model, change_view(image)).pixels
    return first, np.flip(second, first.axes.index("X"))


def require_labels(model: Method, image: Image) -> Image:
    """The labels that a model finds; a UserError where it finds something else."""
    found = model.predict(image).labels
    if found is None:
        raise UserError(
            "What to label next is told by a model that finds labels.",
            f"{model.name}",
            "Give a model of a method that segments: see nbtools methods --task instances.",
        )
    return found


def describe(image: Image, label: np.ndarray) -> list[float]:
    """Numbers by which images are compared: how many nuclei, how large, noise and fill."""
    from nbtools.geometry import equivalent_diameters
    from nbtools.methods.domain import describe_grey

    sizes = equivalent_diameters(label)
    pixels = image.to(image.spatial + "C").pixels
    grey = describe_grey(pixels)
    size = float(np.log(np.median(sizes))) if len(sizes) else 0.0
    density = np.log1p(len(sizes)) - np.log(label.size)
    return [density, size, grey.get("noise", 0.0), grey.get("fill", 0.0)]


def rank_images(names: list[str], doubts: list[Doubt], *, features: np.ndarray) -> list[dict]:
    """Rows of the images, the first to label in front."""
    from nbtools.inference.disagreement import order_images

    order, left = order_images(np.array([one.total for one in doubts]), features)
    rows = []
    for rank, (index, gain) in enumerate(zip(order.tolist(), left.tolist(), strict=True), 1):
        doubt = doubts[index]
        about = {"rank": rank, "image": names[index], "gain": round(gain, 3)}
        counts = {"nuclei": int((doubt.labels > 0).sum()), "doubtful": round(doubt.total, 3)}
        rows.append(about | counts)
    return rows


def rank_nuclei(names: list[str], doubts: list[Doubt]) -> list[dict]:
    """Rows of the nuclei of all images, the first to label in front."""
    rows = []
    for name, doubt in zip(names, doubts, strict=True):
        for label, gain, centre in zip(doubt.labels, doubt.gain, doubt.centres, strict=True):
            row = {"image": name, "label": int(label), "gain": round(float(gain), 3)}
            rows.append(row | {"centre": [round(float(c), 1) for c in centre]})
    return sorted(rows, key=lambda row: -row["gain"])


COMMAND = Command("next", "tell which images and nuclei to label next", run, declare)
