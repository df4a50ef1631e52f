"""`nbtools predict`: the results of a model for a folder of images, one image after the other."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, runtime, tasks
from nbtools.cli import common, movies, result_folder
from nbtools.cli.common import Command, CommandResult
from nbtools.cli.result_folder import LARGEST_OVERLAY
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.plausibility import FEW, Finding, judge_size, summarize
from nbtools.tasks import Task
from nbtools.tasks.instances import count_pixels, remove_smaller_than
from nbtools.tasks.reading import require_existing
from nbtools.tasks.text import tabulate

AGAIN = (
    "If they are, predict again with --axes {axes}; if they are time points, all is well, and "
    "--time N predicts one alone, --time all each as an image of its own."
)
MOST_COUNTS = 8  # time points whose counts are listed

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.methods import Method, Prediction
    from nbtools.methods.domain import Domain


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools predict` to its parser."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="folder of a model, or the name of shipped weights or of a method without training",
    )
    parser.add_argument(
        "images", type=Path, metavar="IMAGES", help="image file, folder of images, or data set"
    )
    common.add_out(parser, "FOLDER", help="folder of the result")
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


def _declare_files(parser: argparse.ArgumentParser) -> None:
    """What is written, beside the result itself."""
    parser.add_argument(
        "--roi", action="store_true", help="also write outlines for Fiji's ROI Manager"
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="also write the network's maps, so that decode can try other thresholds",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "input"),
        default="float32",
        help="of restored images; input: rounded and clipped to the file's type",
    )


def require_suited(args: argparse.Namespace, task: Task, *, rescales: bool) -> None:
    """A UserError where an option does nothing for the model's task."""
    given = {"min_size": args.min_size, "roi": args.roi, "diameter": args.diameter}
    given["dtype"] = args.dtype != "float32"
    suited = (*task.predict_options, *(["diameter"] if rescales else []))
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
    return None if text == "auto" else tuple(common.whole_number(part) for part in text.split(","))


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
    from nbtools.data import DataSet

    say = common.make_reporter(args)
    io.require_new_folder(args.out, overwrite=args.overwrite)
    dataset = DataSet.open(
        require_existing(args.images, "The image or folder"), options=common.input_options(args)
    )
    common.say_layout(dataset, say)
    model = methods.load(args.model, weights=args.weights)
    task = tasks.get(methods.row(model.name).task)
    require_suited(args, task, rescales=model.Target.rescales)
    if not len(dataset):
        ignored = f" ({'; '.join(dataset.notes[:3])})" if dataset.notes else ""
        raise UserError(
            "There must be images.",
            f"none in {args.images}{ignored}",
            "Give an image file, or a folder of TIFF, PNG or JPEG.",
        )
    for remark in model.remarks:
        say(f"Note: {remark}")
    with io.new_folder(args.out, overwrite=args.overwrite) as folder:
        rows, failed = predict_all(model, dataset, folder=folder, args=args, say=say)
        result_folder.write_tables(folder, rows, task=task)
        found = [movie for row in rows if (movie := row.pop("movie"))]
        findings = collect_findings(rows, model.domain)
        for row in rows:
            del row["findings"]
        document = describe_result(model, rows, failed=failed, args=args)
        document["warnings"] = [one.to_dict() for one in findings]
        document["movies"] = [movie.to_dict() for movie in found]
        io.write_json(folder / "result.json", document)
    for sentence in summarize(document["warnings"], count=len(rows)):
        say(f"Attention: {sentence}")
    lines = [
        *tabulate(rows, result_folder.list_known_columns(rows, task=task)),
        *movies.describe(found, done=count_word(rows), again=AGAIN),
        *(f"Left out: {f['name']}: {f['message']}" for f in failed),
        f"Result: {args.out}",
    ]
    return CommandResult(document | {"folder": str(args.out)}, lines, 1 if failed else 0)


def predict_all(
    model: Method,
    dataset: DataSet,
    *,
    folder: Path,
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> tuple[list[dict], list[dict]]:
    """Predict image after image into a folder.

    While one is predicted, the next is read and the one before is written, unless they are so large
    that memory would not bear it.

    Parameters
    ----------
    model : predicts.
    dataset : the images. One that cannot be used is left out and named, unless it is the only one.
    folder : of the result.
    args : parsed arguments.
    say : takes messages on progress.

    Returns
    -------
    Rows of the summary, and [{name, message}] of what was left out.
    """
    rows, failed, total = [], [], len(dataset)
    report = ForecastReporter(model, args, say=say)
    write = partial(write_prediction, folder=folder, args=args)

    def settle(number: int, name: str, written: Callable[[], dict]) -> None:
        try:
            rows.append(written())
        except UserError as error:
            if total == 1 or (number == total and not rows):
                raise
            error = error.for_command_line()
            failed.append({"name": name, "message": str(error)})
            say(f"{number} of {total}: {name} is left out. {error}")
        else:
            say(f"{number} of {total}: {name}, {describe_row(rows[-1])}")

    with ThreadPoolExecutor(2) as pool:
        waiting: list[tuple] = []
        images = zip(dataset.names, read_ahead(dataset, pool), strict=True)
        for number, (name, read) in enumerate(images, 1):
            small = False
            try:
                image = read()
                small = image.pixels.size <= LARGEST_OVERLAY
                report(image)
                found = model.predict(image, tile=args.tile, raw=args.raw, diameter=args.diameter)
                found.warnings = (*dataset.remarks(number - 1), *found.warnings)
                written = pool.submit(write, image, found).result
            except UserError as error:
                written = partial(_refuse, error)
            waiting.append((number, name, written))
            while len(waiting) > small:
                settle(*waiting.pop(0))
        for one in waiting:
            settle(*one)
    return rows, failed


def read_ahead(dataset: DataSet, pool: ThreadPoolExecutor) -> Iterator[Callable[[], Image]]:
    """For each image a function that returns it, or raises what reading it raised.

    Parameters
    ----------
    dataset : the images; the next one is read meanwhile if it is not large.
    pool : of the threads that read.
    """
    ahead = None
    for index in range(len(dataset)):
        now = ahead or pool.submit(dataset.image, index)
        small = now.exception() is None and now.result().pixels.size <= LARGEST_OVERLAY
        ahead = (
            pool.submit(dataset.image, index + 1) if small and index + 1 < len(dataset) else None
        )
        yield now.result


def _refuse(error: UserError) -> dict:
    raise error


class ForecastReporter:
    """Reports tiles and memory that an image will need, unless the one before needed the same."""

    def __init__(self, model: Method, args: argparse.Namespace, *, say: Callable[[str], None]):
        self.model, self.args, self.say, self.before = model, args, say, None

    def __call__(self, image: Image) -> None:
        needed = self.model.forecast(image, tile=self.args.tile, diameter=self.args.diameter)
        now = needed and (needed.tiles, needed.tile)
        if now and now != self.before:
            self.say(f"{image.name}: {needed}.")
        self.before = now or self.before


def collect_findings(rows: list[dict], domain: Domain) -> list[Finding]:
    """The findings of all images, each of its image, and those about the images together.

    Parameters
    ----------
    rows : of the summary. Sizes that are far from the training's on the whole are one, too.
    domain : of the training images.
    """
    found = [one.of(row["name"]) for row in rows for one in row["findings"]]
    sizes = [
        _diameter_of(row)
        for row in rows
        if row.get("median_pixels") and row["nuclei"] >= FEW and not row["zoom"]
    ]
    if len(sizes) > 1 and all(one.code != "nuclei_size" for one in found):
        size = float(np.median(sizes))
        found += filter(None, [judge_size(size, domain, single=False)])
    return found


def _diameter_of(row: dict) -> float:
    """Median diameter in pixels of the nuclei of an image."""
    axes = row["axes"].translate(str.maketrans("", "", "TC"))
    return float((row["median_pixels"] / count_pixels(1.0, (1.0,) * len(axes))) ** (1 / len(axes)))


def write_prediction(
    image: Image, prediction: Prediction, *, folder: Path, args: argparse.Namespace
) -> dict:
    """Write the result of one image, and return its row of the summary."""
    row = {
        "name": image.name,
        "seconds": round(prediction.seconds, 3),
        "axes": image.axes,
        "spacing": image.spacing,
        "unit": image.unit,
        "interval_s": image.interval_s,
        "zoom": prediction.zoom,
        "findings": prediction.warnings,
        "warnings": [one.for_command_line() for one in prediction.warnings],
        "notes": list(prediction.notes),
        "movie": movies.find_movie(image),
    }
    result = prediction.result
    like = getattr(result, "image", image.select(C=0))
    for key, array in prediction.raw.items():
        path = folder / "raw" / f"{image.name}.{key}.tif"
        write_raw(path, array, like=like, zoom=prediction.zoom)
    if args.min_size is not None:
        result = remove_smaller_than(result, args.min_size)
    own = {"dtype": image.pixels.dtype} if args.dtype == "input" else {}
    return row | result_folder.write_result(result, image, folder=folder, roi=args.roi, **own)


def write_raw(
    path: Path, array: np.ndarray, *, like: Image, zoom: tuple[float, ...] | None
) -> None:
    """Write the network's maps, channels last, with the pixel size that the network was given.

    Parameters
    ----------
    path : of the image file.
    array : (*space, K), or (T, *space, K).
    like : the result, for its axes, or the image.
    zoom : of the image before the network, along each spatial axis; None where it was not zoomed.
    """
    path.parent.mkdir(exist_ok=True)
    spacing = like.spacing
    if spacing and zoom:
        spacing = tuple(s / z for s, z in zip(spacing, zoom, strict=True))
    about = {"axes": like.axes.replace("C", "") + "C", "spacing": spacing, "channels": ()}
    io.write_image(path, like.replace(pixels=array, **about))


def describe_row(row: dict) -> str:
    """A row of the summary in words."""
    nuclei = f"{row['nuclei']} nuclei, " if "nuclei" in row else ""
    if "frames" in row:
        count = len(row["frames"])
        nuclei = f"{count} time points, {count_word([row])} one by one, "
        if "nuclei" in row:
            each = [str(one["nuclei"]) for one in row["frames"]]
            some = each if count <= MOST_COUNTS else [*each[:3], "…", each[-1]]
            nuclei += f"{', '.join(some)} nuclei, "
    return ". ".join([f"{nuclei}{row['seconds']:.2f} s", *row.get("notes", ())])


def count_word(rows: list[dict]) -> str:
    """What happened to time points: "counted" where nuclei were counted."""
    return "counted" if any("nuclei" in row for row in rows) else "predicted"


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
