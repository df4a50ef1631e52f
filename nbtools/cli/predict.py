"""`nbtools predict`: the results of a model for a folder of images, one image after the other."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, runtime, tasks
from nbtools.cli import before_loading, common, movies, result_folder, workers
from nbtools.cli.batch import Batch, count_word
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.plausibility import FEW, Finding, judge_size, summarize
from nbtools.tasks import Task
from nbtools.tasks.instances import count_pixels
from nbtools.tasks.reading import require_existing
from nbtools.tasks.text import tabulate

AGAIN = (
    "If they are, predict again with --axes {axes}; if they are time points, all is well, and "
    "--time N predicts one alone, --time all each as an image of its own."
)

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.methods import Method
    from nbtools.methods.domain import Domain


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools predict` to its parser."""
    common.add_model_and_images(parser, untrained=True)
    common.add_out(parser, "FOLDER", help="folder of the result")
    parser.add_argument(
        "--resume", action="store_true", help="go on where an earlier prediction was stopped"
    )
    _declare_files(parser)
    parser.add_argument(
        "--tile",
        type=read_tile,
        default=None,
        metavar="auto|Z,Y,X",
        help="shape of a tile in pixels (default: by memory)",
    )
    parser.add_argument(
        "--weights",
        choices=("best", "last"),
        help="of the model, where not those are wanted that training kept",
    )
    group = common.add_input_options(parser)
    group.add_argument(
        "--diameter",
        type=common.positive_number,
        metavar="UM",
        help="the nuclei's diameter (µm or --unit), to rescale to the model's",
    )
    common.add_min_size(group)
    parser.add_argument(
        "--markers",
        type=Path,
        metavar="RESULT",
        help="points or boxes of a detector: each becomes one nucleus of the segmentation",
    )
    workers.declare(parser)


def _declare_files(parser: argparse.ArgumentParser) -> None:
    """What is written, and beside the result itself."""
    common.add_task(
        parser,
        help=(
            "write results of another task: detection of a segmentation writes nuclei's centres, "
            "restoration of denoiseg or voidseg the denoised image"
        ),
    )
    parser.add_argument(
        "--roi",
        action="store_true",
        help="also write outlines, points or boxes for Fiji's ROI Manager",
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="also write the network's maps, so that decode can try other thresholds",
    )
    parser.add_argument(
        "--zarr",
        action="store_true",
        help="write labels as OME-Zarr with a pyramid, which viewers open at any size, not as TIFF",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "input"),
        default="float32",
        help="of restored images; input: rounded and clipped to the file's type",
    )


def require_suited(args: argparse.Namespace, task: Task, *, model: Method) -> None:
    """A UserError where an option does nothing for the model or its task."""
    given = {"min_size": args.min_size, "roi": args.roi, "diameter": args.diameter}
    given["zarr"] = args.zarr
    given |= {"dtype": args.dtype != "float32", "tile": args.tile}
    may = {"diameter": model.Target.rescales, "tile": model.tiled}
    suited = (*task.predict_options, *(name for name, does in may.items() if does))
    common.require_options(given, suited, task=f"{args.model}, a model for {task.name}")


def read_tile(text: str) -> tuple[int, ...] | None:
    """Convert the text of `--tile` to a shape in pixels; None for "auto".

    Parameters
    ----------
    text : "auto", or whole numbers separated by commas, one per spatial axis.

    Examples
    --------
    >>> read_tile("16,64,64"), read_tile("auto")
    ((16, 64, 64), None)
    """
    if text == "auto":
        return None
    shape = tuple(common.whole_number(part) for part in text.split(","))
    if len(shape) not in (2, 3) or 0 in shape:
        raise argparse.ArgumentTypeError(f"{text!r} is not two or three numbers above 0")
    return shape


def run(args: argparse.Namespace) -> CommandResult:
    """Predict every image of a folder with a model, and write the result folder.

    An image that cannot be predicted is left out and named; the others are predicted all the same.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    Content of `result.json`, and a table of the images; code 1 where images were left out.

    Raises
    ------
    UserError : no images, an unsuited option, or the result folder exists already.
    """
    from nbtools import methods

    say = common.make_reporter(args)
    inputs = list_inputs(args)
    if not args.plan and not (args.resume and args.out.is_dir()):
        io.require_new_folder(args.out, overwrite=args.overwrite, inputs=inputs)
    dataset = open_images(args)
    common.say_layout(dataset, say)
    before_loading.require_memory(dataset, args)
    model = methods.load(args.model, weights=args.weights)
    task = find_task(args, model)
    require_suited(args, task, model=model)
    if args.plan:
        return workers.plan(args, model, dataset=dataset)
    for remark in model.remarks:
        say(f"Note: {remark}")
    batch = Batch(model, dataset, args=args, say=say)
    batch.run()
    rows, failed = batch.rows, batch.failed
    found = [movie for row in rows if (movie := row.pop("movie"))]
    document = write_result(batch, found, task=task)
    for sentence in summarize(document["warnings"], count=len(rows)):
        say(f"Attention: {sentence}")
    lines = [
        *tabulate(rows, result_folder.list_known_columns(rows, task=task)),
        *movies.describe(found, done=count_word(rows), again=AGAIN),
        *(f"Left out: {f['name']}: {f['message']}" for f in failed),
        f"Result: {args.out}",
    ]
    code = 1 if failed or batch.stopped else 0
    return CommandResult(document | {"folder": str(args.out)}, lines, code)


def list_inputs(args: argparse.Namespace) -> tuple[str | Path, ...]:
    """All that a prediction is made from, and that its result never replaces."""
    return tuple(filter(None, (args.images, args.model, args.markers)))


def find_task(args: argparse.Namespace, model: Method) -> Task:
    """The task that results are written as; a model of several tasks is turned to it.

    Parameters
    ----------
    args : parsed command line, with the task that is wished.
    model : that predicts.

    Raises
    ------
    UserError : no result of that task can be made of the model's, or maps are to be kept for it.
    """

    own = model.task
    wished = own if args.task is None else tasks.get(args.task)
    if wished is own:
        return own
    if wished.name in model.further:
        model.turn_to(wished.name)
    elif not set(own.results) <= set(wished.accepts):
        possible = [t.name for t in tasks.TASKS.values() if set(own.results) <= set(t.accepts)]
        possible += model.further
        raise UserError(
            "Only some results can be written as those of another task.",
            f"--task {wished.name} with {args.model}, a model for {own.name}",
            f"Leave out --task, or use {', '.join(possible)}." if possible else "Leave out --task.",
        )
    if args.raw:
        raise UserError(
            "Maps are kept for results of the model's own task.",
            f"--raw with --task {wished.name}",
            "Leave out one of the two.",
        )
    return wished


def open_images(args: argparse.Namespace) -> DataSet:
    """The images to predict; a UserError where there are none."""
    from nbtools.data import DataSet

    place = require_existing(args.images, "The image or folder")
    dataset = DataSet.open(place, options=common.input_options(args))
    if not len(dataset):
        ignored = f" ({'; '.join(dataset.notes[:3])})" if dataset.notes else ""
        raise UserError(
            "There must be images.",
            f"none in {args.images}{ignored}",
            "Give an image file, or a folder of TIFF, PNG or JPEG.",
        )
    return dataset


def write_result(batch: Batch, found: list[movies.Movie], *, task: Task) -> dict:
    """Write the tables of all images and result.json.

    Parameters
    ----------
    batch : with the rows of the images.
    found : movies among them.
    task : of the model.

    Returns
    -------
    Content of result.json.
    """
    rows, model, args = batch.rows, batch.model, batch.args
    findings = collect_findings(rows, model.domain)
    with io.new_folder(args.out, keep=True) as folder:
        result_folder.write_tables(folder, rows, task=task)
        for row in rows:
            del row["findings"]
        document = describe_result(model, rows, failed=batch.failed, args=args)
        document["task"] = task.name
        document["warnings"] = [one.to_dict() for one in findings]
        document["movies"] = [movie.to_dict() for movie in found]
        document["stopped"] = batch.stopped
        io.write_json(folder / "result.json", document)
    return document


def collect_findings(rows: list[dict], domain: Domain) -> list[Finding]:
    """The findings of all images, each of its image, and those about the images together.

    Parameters
    ----------
    rows : of the summary. Sizes that are far from the training's on the whole are one, too.
    domain : of the training images.
    """
    found = [one.of(row["name"]) for row in rows for one in row["findings"]]
    known = [r for r in rows if r.get("median_pixels") and r["nuclei"] >= FEW and not r["zoom"]]
    sizes = [_diameter_of(row) for row in known]
    # sizes that are far off by themselves were asked about with their image
    sizes = [size for size in sizes if judge_size(size, domain) is None]
    if len(sizes) > 1 and all(one.code != "nuclei_size" for one in found):
        size = float(np.median(sizes))
        found += filter(None, [judge_size(size, domain, single=False)])
    return found


def _diameter_of(row: dict) -> float:
    """Median diameter in pixels of the nuclei of an image."""
    axes = row["axes"].translate(str.maketrans("", "", "TC"))
    return float((row["median_pixels"] / count_pixels(1.0, (1.0,) * len(axes))) ** (1 / len(axes)))


def describe_result(
    model: Method, rows: list[dict], *, failed: list[dict], args: argparse.Namespace
) -> dict:
    """The content of result.json: model, settings, input, rows of all images."""

    first = rows[0] if rows else {}
    limits = {d.name: d for d in model.settings.declarations()}
    values = model.decoding_values()
    channels = model.target().class_channels()
    return {
        "model": args.model,
        "weights": args.weights,
        "method": model.name,
        "task": model.task.name,
        "settings": model.settings.to_dict(),
        "decoding": values,
        "limits": {name: [limits[name].min, limits[name].max] for name in values if name in limits},
        "domain": dataclasses.asdict(model.domain),
        "class_channels": channels and [channels.start, channels.stop],
        "source": str(args.images.absolute()),
        "input": input_of(args),
        "axes": first.get("axes"),
        "spacing": first.get("spacing"),
        "unit": first.get("unit"),
        "tile": args.tile,
        "dtype": args.dtype,
        "diameter_um": args.diameter,
        "min_size_um": args.min_size,
        "markers": args.markers and str(args.markers),
        "seconds": round(sum(r["seconds"] for r in rows), 3),
        "remarks": list(model.remarks),
        "images": rows,
        "failed": failed,
        "versions": runtime.versions(),
        "command": common.format_command(args),
    }


def input_of(args: argparse.Namespace) -> dict:
    """How the images were read, so that they can be read so again."""
    return dataclasses.asdict(common.input_options(args))


COMMAND = Command("predict", "find the nuclei in images with a trained model", run, declare)
