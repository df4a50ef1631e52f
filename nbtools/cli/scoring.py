"""What `evaluate` and `compare` share: the task with its options, both sides, groups and images."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, tasks
from nbtools.cli import common
from nbtools.data import DataSet, InputOptions
from nbtools.data.own_files import is_result
from nbtools.errors import UserError
from nbtools.plausibility import ClassNames, Finding, MaskCount
from nbtools.results import Labels, Restored
from nbtools.tasks import ResultSet, Task
from nbtools.tasks.reading import pair_names, read_about, read_input

if TYPE_CHECKING:
    from nbtools.methods import Method

SEEN = 1024  # px along an axis of the middle of labels in a file
DEFAULTS = (None, "clean")  # of options for single tasks
Reader = Callable[[str], object | None]  # name of an image of the truth → its result


def declare_task(parser: argparse.ArgumentParser) -> None:
    """The task, and the options that single tasks have."""
    text = "what is compared (default: instances)"
    common.add_task(parser, default="instances", help=text)
    group = parser.add_argument_group("by task")
    group.add_argument(
        "--gate-px",
        type=common.positive_number,
        metavar="N",
        help="detection: largest distance of a match (default: 5)",
    )
    group.add_argument(
        "--gate-um", type=common.positive_number, metavar="N", help="detection: the same in µm"
    )
    group.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="semantic: names of the values 0, 1, 2…; else all above 0 is foreground",
    )
    group.add_argument(
        "--range",
        type=grey_range,
        default="clean",
        metavar="N",
        help="restoration: grey values that PSNR is held against, e.g. 255 (default: clean)",
    )
    group.add_argument(
        "--spacing",
        type=common.numbers,
        metavar="Z,Y,X",
        help="pixel size in µm, where the files do not say it",
    )
    common.add_series(parser)
    parser.add_argument(
        "--group-by",
        metavar="COLUMN",
        help="column of a table beside the images: whole groups are drawn for intervals",
    )


def grey_range(text: str) -> float | str:
    """Convert the text of `--range` to a number above 0, or "clean"."""
    return text if text == "clean" else common.positive_number(text)


def find_options(args: argparse.Namespace, task: Task) -> dict:
    """The options for the evaluation of a task; a UserError where one of another task is given."""
    known = [name for one in tasks.TASKS.values() for name in one.evaluate_options]
    given = {name: value for name in known if (value := getattr(args, name)) not in DEFAULTS}
    suited = (*task.evaluate_options, *(["spacing"] if task.calibrated else []))
    common.require_options(given | {"spacing": args.spacing}, suited, task=f"--task {task.name}")
    return given


def open_truth(args: argparse.Namespace, task: Task, *, result: Path | None = None) -> ResultSet:
    """What is true, read with the axes and the time point with which the result was predicted."""
    options = replace(read_input(result) if result else InputOptions(), spacing=args.spacing)
    if args.series is not None:
        options = replace(options, series=common.to_number(args.series))
    return task.read_truth(args.truth, what="The truth", options=options)


def open_result(
    args: argparse.Namespace, place: Path, *, truth: ResultSet
) -> tuple[ResultSet, dict[str, str | None]]:
    """The result at a place, and the name in it of each image of the truth."""
    options, task = InputOptions(spacing=args.spacing), tasks.get(args.task)
    found = task.read(place, what="The result", options=options)
    if Restored in task.results:
        require_other_images(args.truth, place)
    return found, pair_names(found, truth, place=place)


def require_other_images(truth: Path, result: Path) -> None:
    """Refuse to score restored images against the images that they were made of.

    Parameters
    ----------
    truth : place of the clean images; without clean/ its images are taken for clean.
    result : place of the restored ones, perhaps a result that names its source.
    """
    source = read_about(result).get("source")
    if not isinstance(source, str) or not Path(source).exists():
        return
    dataset, own = DataSet.open(truth), DataSet.open(source)
    known = {one.files["images"].resolve() for one in own.entries if "images" in one.files}
    if dataset.has("clean"):
        return
    if any(one.files["images"].resolve() in known for one in dataset.entries):
        raise UserError(
            "Results are compared with true images, not with those that they were made of.",
            f"{truth}, the input of {result}, without clean/",
            "Put the true images into clean/, under the same names; or give a folder of them.",
        )


def open_images(
    truth: Path, *, result: Path | None = None, series: str | None = None
) -> DataSet | None:
    """The data set of the truth, where it has images and not labels alone; read as the result's."""
    if not truth.is_dir() or is_result(truth):
        return None
    options = read_input(result) if result else InputOptions()
    if series is not None:
        options = replace(options, series=common.to_number(series))
    dataset = DataSet.open(truth, options=options)
    kinds = ("labels", "clean", "centres", "boxes", "classes")
    return dataset if any(dataset.has(kind) for kind in kinds) else None


def predict_when_read(method: Method, dataset: DataSet) -> ResultSet:
    """The results of a method by name of the image, each predicted when it is read.

    Parameters
    ----------
    method : trained, or without training.
    dataset : the images.
    """

    def predict(index: int) -> object:
        return method.predict(dataset.image(index)).result

    return ResultSet({name: partial(predict, i) for i, name in enumerate(dataset.names)})


def find_groups(dataset: DataSet | None, column: str | None) -> dict[str, int] | None:
    """Name of an image → its group; None where there are no groups.

    Parameters
    ----------
    dataset : of the truth.
    column : of a table beside the images; by default "group", where there is one.

    Raises
    ------
    UserError : a column, but no data set.
    """
    if column and dataset is None:
        remedy = "Give the data set of the truth, with images/ and the table."
        raise UserError(
            "Groups must stand in a column of a CSV file beside the images.", repr(column), remedy
        )
    if dataset is None or not (column or any(e.columns.get("group") for e in dataset.entries)):
        return None
    return dict(zip(dataset.names, dataset.groups(column), strict=True))


def look_at(pixels: np.ndarray | io.StoredPixels) -> np.ndarray:
    """Labels in memory; of those in a file, the middle."""
    if not io.is_stored(pixels):
        return pixels
    middle = []
    for n in pixels.shape:
        start = max(n // 2 - SEEN // 2, 0)
        middle.append(slice(start, start + (SEEN if len(middle) else SEEN // pixels.ndim**3)))
    return pixels[tuple(middle)]


def count_masks(
    pairs: Iterable[tuple], *, result: str = "result"
) -> tuple[Iterator[tuple], Callable[[], list[Finding]]]:
    """The pairs, while masks among their labels are counted, and names of classes compared.

    Parameters
    ----------
    pairs : name, truth, and result or None.
    result : the result in words.

    Returns
    -------
    The pairs, and a function that describes the masks and the names once they were all read.
    """
    sides, names = (MaskCount("truth"), MaskCount(result)), ClassNames(result)

    def read() -> Iterator[tuple]:
        for name, *both in pairs:
            for side, one in zip(sides, both, strict=True):
                if isinstance(one, Labels):
                    side.add(look_at(one.image.select(T=0).pixels))
            names.add(*both)
            yield name, *both

    return read(), lambda: [found for one in (*sides, names) for found in one.describe()]
