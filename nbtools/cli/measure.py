"""`nbtools measure`: one row per nucleus."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

from nbtools import io, tasks
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.results import Labels
from nbtools.tasks.instances import remove_smaller_than
from nbtools.tasks.reading import require_existing


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
    labels = tasks.INSTANCES.read(args.labels, options=common.input_options(args))
    options = common.input_options(args)
    place = args.images and require_existing(args.images, "The image or folder")
    images = common.read_images(place and DataSet.open(place, options=options))
    say, rows, missing = common.make_reporter(args), [], []
    with (
        io.new_folder(args.spots, overwrite=args.overwrite, inputs=inputs)
        if args.spots
        else contextlib.nullcontext() as spots
    ):
        for name in labels.names:
            image = images(name)
            if args.images and image is None:
                missing.append(name)
            found = _measure_one(
                labels.read(name), image, args=args, spots=spots and spots / f"{name}.tif"
            )
            rows += to_rows(found)
            say(f"{name}: {len(next(iter(found.values()), ()))} nuclei")
    columns = list(dict.fromkeys(column for row in rows for column in row)) or ["image", "label"]
    io.write_csv(args.out, rows, columns=columns)
    io.add_to_mark(args.out.parent, [args.out])
    unreliable = sum(not row["reliable"] for row in rows)
    document = {
        "table": str(args.out),
        "images": len(labels.names),
        "nuclei": len(rows),
        "unreliable": unreliable,
        "columns": columns,
    }
    lines = _format_table(document, missing)
    return CommandResult(document | {"missing": missing}, lines, 1 if missing else 0)


def require_images(args: argparse.Namespace) -> None:
    """A UserError where images are missing that an option is about."""
    for name in ("texture", "chromocentres", "spots", "channel"):
        if getattr(args, name) and args.images is None:
            raise UserError(
                "Channels, texture and chromocentres are measured in the images.",
                f"--{name} without --images",
                f"Add --images FOLDER, or leave out --{name}.",
            )


def _measure_one(
    result: Labels, image: Image | None, *, args: argparse.Namespace, spots: Path | None
) -> dict[str, Sequence]:
    """The table of one image, with scores and classes where the nuclei have them.

    Columns that need the image are left out where there is none.
    """
    from nbtools import measure

    label = remove_smaller_than(result, args.min_size).image
    found = False
    if image is not None and (args.chromocentres or spots):
        found = measure.find_chromocentres(label, image)
        if spots:
            io.write_label(spots, found)
    texture = args.texture and image is not None
    table = measure.measure(label, image, texture=texture, chromocentres=found)
    for column, known in (("score", result.score), ("class", result.classes)):
        if known is not None:
            table[column] = [known.get(int(number)) for number in table["label"]]
    return table


def _format_table(document: dict, missing: list[str]) -> list[str]:
    lines = [f"{document['nuclei']} nuclei in {document['images']} images: {document['table']}"]
    if document["unreliable"]:
        share = (
            f"{document['unreliable']} of them have fewer than five pixels between centre and "
            "surface"
        )
        lines.append(f"{share}: their shape says little (column reliable).")
    return lines + ([f"No image for: {', '.join(missing)}"] if missing else [])


def to_rows(table: dict[str, Sequence]) -> list[dict]:
    """A table of columns as a list of rows."""
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


COMMAND = Command(
    "measure", "measure every nucleus, in µm where the pixel size is known", run, declare
)
