"""`nbtools measure`: one row per nucleus."""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nbtools import io, tasks
from nbtools.cli import common, movies
from nbtools.cli.common import Command, CommandResult
from nbtools.data import DataSet, InputOptions
from nbtools.data.calibration import join_spacing
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.results import Labels
from nbtools.tasks.instances import FOLDERS, remove_smaller_than
from nbtools.tasks.reading import read_input, require_existing

AGAIN = (
    "If they are, add --axes {axes} to predict and measure; if they are time points, all is well, "
    "and --time N measures one alone."
)

REMEDY = "Give the right one with --spacing Z,Y,X in µm."


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools measure` to its parser."""
    parser.add_argument(
        "labels", type=Path, metavar="LABELS", help="label image, result folder or data set"
    )
    parser.add_argument(
        "--images", type=Path, metavar="IMAGES", help="the images, to measure brightness too"
    )
    parser.add_argument(
        "--texture", action="store_true", help="measure the texture of each channel too"
    )
    text = (
        "measure the channels also in a ring of this width around each nucleus, which ends where "
        "a neighbour's begins; in µm, in pixels where their size is unknown"
    )
    parser.add_argument("--ring", type=float, metavar="WIDTH", help=text)
    text = "find chromocentres in the first channel (or --channel) and measure them"
    parser.add_argument("--chromocentres", action="store_true", help=text)
    text = (
        "write the chromocentres that were found as label images, to look at them; implies "
        "--chromocentres"
    )
    parser.add_argument("--spots", type=Path, metavar="FOLDER", help=text)
    common.add_out(parser, "nuclei.csv", help="the table, one row per nucleus")
    common.add_min_size(common.add_input_options(parser))


def run(args: argparse.Namespace) -> CommandResult:
    """Measure each nucleus of label images, and write a table with a row per nucleus.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : the table exists already, or texture or chromocentres are to be measured without
        images.
    """
    inputs = tuple(filter(None, (args.labels, args.images)))
    io.require_new_file(args.out, overwrite=args.overwrite, inputs=inputs)
    require_images(args)
    options = find_options(args)
    labels = tasks.INSTANCES.read(args.labels, options=options)
    place = args.images and require_existing(args.images, "The image or folder")
    images = common.read_images(place and DataSet.open(place, options=options), stored=True)
    say, rows, missing, found, warnings = common.make_reporter(args), [], [], [], []
    with (
        io.new_folder(args.spots, overwrite=args.overwrite, inputs=inputs)
        if args.spots
        else contextlib.nullcontext() as spots
    ):
        for name in labels.names:
            image, result = images(name), labels.read(name, stored=True)
            if args.images and image is None:
                missing.append(name)
            result, sentences = _join_spacing(result, image, args=args)
            warnings += sentences
            spots_file = spots and spots / f"{name}.tif"
            one = _measure_one(result, image, args=args, spots=spots_file, time=options.time)
            rows += to_rows(one)
            found.append(movies.find_movie(image, result.image))
            say(f"{name}: {len(one['label'])} nuclei")
    document = describe_table(args, rows, names=labels.names)
    moving = list(filter(None, found))
    document["movies"] = [movie.to_dict() for movie in moving]
    warnings += _judge_sizes(args, options)
    document |= {"missing": missing, "notes": labels.notes(), "warnings": warnings}
    lines = _format_table(document)
    lines += movies.describe(moving, done="measured", again=AGAIN)
    lines += [f"Attention: {text}" for text in document["warnings"]]
    write_table(args.out, rows, columns=document["columns"])
    return CommandResult(document, lines, 1 if missing else 0)


def describe_table(args: argparse.Namespace, rows: list[dict], *, names: list[str]) -> dict:
    """The document: table, numbers of images and rows, and the columns.

    Parameters
    ----------
    args : parsed command line.
    rows : one per nucleus, of a movie one per nucleus and time point.
    names : of the label images.
    """
    return {
        "table": str(args.out),
        "images": len(names),
        "nuclei": len(rows),
        "unreliable": sum(not row["reliable"] for row in rows),
        "may_be_off": dict(Counter(" ".join(row["unreliable"] for row in rows).split())),
        "columns": order_columns(rows),
    }


def _join_spacing(
    result: Labels, image: Image | None, *, args: argparse.Namespace
) -> tuple[Labels, list[str]]:
    """Labels with the pixel size that counts, and a warning where their image states another."""
    if image is None or args.spacing is not None:
        return result, []
    joined, sentence = join_spacing(result.image, image)
    warnings = [f"{image.name}: {sentence} {REMEDY}"] if sentence else []
    return replace(result, image=joined), warnings


def _judge_sizes(args: argparse.Namespace, options: InputOptions) -> list[str]:
    """What `check` knows of the pixel sizes of the files that were measured."""
    from nbtools import checks

    found = []
    for place in filter(None, (args.images, args.labels)):
        inner = next((place / n for n in FOLDERS if (place / n).is_dir()), place)
        dataset = DataSet.open(place, options=options)
        if not len(dataset) and inner != place:
            dataset = DataSet.open(inner, options=options)
        found = checks.check_pixel_sizes(dataset)
        if checks.are_calibrated(dataset):
            break  # these sizes count; those of the labels are told where they differ
    return [f"{f.file + ': ' if f.file else ''}{f.message} {f.remedy}" for f in found]


def find_options(args: argparse.Namespace) -> InputOptions:
    """How labels and images are read: as given, else as the result says that its images were.

    All time points of a movie are measured where none is chosen; each has a column with its number.

    Parameters
    ----------
    args : parsed command line.
    """
    options, recorded = common.input_options(args), read_input(args.labels)
    time = recorded.time if options.time in (None, "all") else options.time
    return replace(
        options,
        axes=options.axes or recorded.axes,
        time=None if time == "all" else time,
        series=recorded.series if options.series is None else options.series,
        level=options.level or recorded.level,
    )


def order_columns(rows: list[dict]) -> list[str]:
    """The columns of all rows, those that name a nucleus first."""
    known = dict.fromkeys(column for row in rows for column in row)
    first = [name for name in ("image", "frame", "time_s", "label") if name in known]
    return list(dict.fromkeys((*first, *known))) or ["image", "label"]


def require_images(args: argparse.Namespace) -> None:
    """A UserError where images are missing that an option is about."""
    for name in ("texture", "ring", "chromocentres", "spots", "channel"):
        given = getattr(args, name)
        if args.images is None and given is not None and given is not False:
            raise UserError(
                "Channels, texture, rings and chromocentres are measured in the images.",
                f"--{name} without --images",
                f"Add --images FOLDER, or leave out --{name}.",
            )


def _measure_one(
    result: Labels,
    image: Image | None,
    *,
    args: argparse.Namespace,
    spots: Path | None,
    time: int | None,
) -> dict[str, Sequence]:
    """The table of one image, with scores and classes where the nuclei have them.

    Columns that need the image are left out where there is none; `time` is that of a chosen time
    point.
    """
    from nbtools import measure

    result = remove_smaller_than(result, args.min_size)
    label = result.image
    if image is not None and label.interval_s is None and "T" in label.axes:
        label = label.replace(interval_s=image.interval_s)
    found = False
    if image is not None and (args.chromocentres or spots):
        found = measure.find_chromocentres(label, image)
        if spots:
            io.write_label(spots, found)
    texture = args.texture and image is not None
    ring = None if image is None else args.ring
    table = measure.measure(label, image, texture=texture, chromocentres=found, ring=ring)
    for column, known in (("score", result.score), ("class", result.classes)):
        if known is not None:
            table[column] = [known.get(key) for key in _name_nuclei(table)]
    return table if time is None else measure.name_time(table, None, frame=time)


def write_table(path: Path, rows: list[dict], *, columns: list[str]) -> None:
    """Write a table, and note that it is ours to replace."""
    io.write_csv(path, rows, columns=columns)
    io.add_to_mark(path.parent, [path])


def _name_nuclei(table: dict[str, Sequence]) -> list:
    """Key of each nucleus in `Labels`: its label, of a movie (frame, label)."""
    labels = [int(number) for number in table["label"]]
    if "frame" not in table:
        return labels
    return list(zip(map(int, table["frame"]), labels, strict=True))


def _format_table(document: dict) -> list[str]:
    each = " (a row per nucleus and time point)" if document["movies"] else ""
    count = f"{document['nuclei']} {'rows' if each else 'nuclei'}{each}"
    lines = [f"{count} in {document['images']} images: {document['table']}"]
    if document["unreliable"]:
        names = ", ".join(f"{name} of {count}" for name, count in document["may_be_off"].items())
        lines.append(
            f"{document['unreliable']} of them have too few pixels for their shape; more than 5 % "
            f"off may be {names} (columns reliable and unreliable)."
        )
    lines += document["notes"]
    missing = document["missing"]
    return lines + ([f"No image for: {', '.join(missing)}"] if missing else [])


def to_rows(table: dict[str, Sequence]) -> list[dict]:
    """A table of columns as a list of rows."""
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


COMMAND = Command(
    "measure", "measure every nucleus, in µm where the pixel size is known", run, declare
)
