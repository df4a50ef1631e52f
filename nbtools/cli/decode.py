"""`nbtools decode`: other thresholds for a result, without the network."""

from __future__ import annotations

import argparse
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import documents, io, tasks
from nbtools.cli import common, result_folder
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.io.folders import list_files, read_mark
from nbtools.results import Labels, Result
from nbtools.tasks.instances import remove_smaller_than
from nbtools.tasks.reading import require_existing
from nbtools.tasks.text import tabulate

if TYPE_CHECKING:
    from nbtools.image import Image


STALE = (
    "overlays/",
    "rois/",
    "scores/",
    "report.",
    "nuclei.csv",
)  # what was made of the old labels
MAPS = ".maps.tif"


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools decode` to its parser."""
    parser.add_argument(
        "result",
        type=Path,
        metavar="OUT",
        help="a result of nbtools predict --raw; it is changed, unless --out is given",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write another result, and leave OUT as it is"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing result")
    common.add_settings(parser)


def run(args: argparse.Namespace) -> CommandResult:
    """Decode a result of `nbtools predict --raw` again, with other thresholds.

    Values that are not given stay as `result.json` records them. Without `--out` the result itself
    is replaced, as a whole: it is never left half written.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    Content of the new `result.json`, and a table of the images.
    """
    about = read_result(args.result)
    say = common.make_reporter(args)
    out, task = args.out or args.result, tasks.get(about.get("task") or tasks.INSTANCES.name)
    values = about["decoding"] | read_values(args.settings, about)
    decide = find_decoder(about, values)
    images = find_images(about, say)
    here = {"keep": True, "renew": STALE}
    if args.out:
        inputs = [args.result, common.expand_path(about["source"])]
        here = {"overwrite": args.overwrite, "inputs": inputs}
        io.require_new_folder(args.out, **here)
    else:
        require_own(args.result, about)
    with io.new_folder(out, **here) as folder:
        rows = [
            decode_one(row, args.result, folder=folder, decide=decide, about=about, images=images)
            for row in about["images"]
        ]
        if args.out:
            keep_rest(args.result, folder)
        result_folder.write_tables(folder, rows, task=task)
        command = common.format_command(args)
        document = about | {"decoding": values, "images": rows, "decoded_by": command}
        io.write_json(folder / "result.json", document)
    columns = result_folder.list_known_columns(rows, task=task)
    lines = [*tabulate(rows, columns), f"Decoded with {format_values(values)}: {out}"]
    return CommandResult(document | {"folder": str(out)}, lines)


def read_result(folder: Path) -> dict:
    """What result.json says of a result that kept its maps; a UserError where it did not."""
    path = require_existing(folder, "The result") / "result.json"
    remedy = "Give a folder that nbtools predict --raw wrote."
    if not path.is_file():
        raise UserError("Decoding again needs a result of nbtools predict.", folder, remedy)
    about = documents.read_document(path, "result.json with maps")
    missing = [
        row["name"]
        for row in about.get("images", ())
        if not (folder / "raw" / (row["name"] + MAPS)).is_file()
    ]
    if about.get("markers"):
        raise UserError(
            "Nuclei that markers decided on are not decoded again.",
            f"{folder}, predicted with --markers {about['markers']}",
            "Predict again with --raw and without --markers, or with other markers.",
        )
    if missing or not about.get("images"):
        raise UserError(
            "Decoding again needs the maps of the network.",
            f"{folder} without raw/ of {', '.join(missing[:3])}",
            remedy,
        )
    return about


def require_own(folder: Path, about: dict) -> None:
    """A UserError, before any work, where a result holds labels or tables that are not ours.

    Parameters
    ----------
    folder : of the result, which is changed.
    about : result.json.
    """
    names = ["result.json", "summary.csv", *(f"{row['name']}.tif" for row in about["images"])]
    try:
        for name in names:
            io.require_new_file(folder / name, overwrite=True)
    except UserError as error:
        remedy = "Give a new folder with --out: files that changed since stay as they are."
        raise UserError(error.rule, error.received, remedy) from error


def read_values(pairs: list[str], about: dict) -> dict:
    """Decoding values given as name=value; no method is loaded for that.

    Parameters
    ----------
    pairs : words of the command line.
    about : result.json, with the values the result was made with and their limits.

    Raises
    ------
    UserError : an unknown name, no number, or one outside the limits.
    """
    found = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals or name not in about["decoding"]:
            known = ", ".join(f"{k}={v}" for k, v in about["decoding"].items()) or "none"
            raise UserError(
                "A decoding value is given as name=value.",
                repr(pair),
                f"Known, as they are now: {known}.",
            )
        low, high = about.get("limits", {}).get(name, (None, None))
        found[name] = _to_number(name, text, whole=isinstance(about["decoding"][name], int))
        if (low is not None and found[name] < low) or (high is not None and found[name] > high):
            raise UserError(
                f"Decoding value {name} must lie between {low} and {high}.",
                text,
                "Give a number in that range.",
            )
    return found


def _to_number(name: str, text: str, *, whole: bool) -> int | float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (whole and number != int(number)):
        raise UserError(
            f"Decoding value {name} must be a {'whole ' * whole}number.",
            repr(text),
            f"Example: --set {name}=1.",
        )
    return int(number) if whole else number


def find_decoder(about: dict, values: dict) -> Callable[..., Result]:
    """The function (maps, image, zoom) → labels or points that decodes a result.

    It is that of the target in the table, which loads no network, else that of the method. An
    adapter to another package needs its model to decode; the other methods need no weights.

    Parameters
    ----------
    about : result.json.
    values : decoding values.
    """
    from nbtools import methods
    from nbtools.inference.placing import place_results
    from nbtools.methods.domain import Domain

    row = methods.row(about["method"])
    if row.target:
        target = row.load_target(Domain.from_dict(about["domain"]), about["settings"])

        def decode(maps: np.ndarray, image: Image, zoom: tuple | None = None) -> Result:
            frames = maps if "T" in image.axes else maps[None]
            found = [target.decode(one, **values) for one in frames]
            found = place_results(found, image, zoom=zoom)
            return target.describe_frames(found, frames) if isinstance(found, Labels) else found

        return decode
    if row.trained and row.built_on:
        method = methods.load(common.expand_path(about["model"]))
    else:
        cls = methods.get(row.name)
        method = cls(cls.Settings.from_dict(about["settings"]))
        method.domain = Domain.from_dict(about["domain"])
    return lambda maps, image, zoom=None: (
        method.decode_maps(maps, image, zoom=zoom, **values).result
    )


def find_images(about: dict, say: Callable[[str], None]) -> Callable[[str], Image | None]:
    """A function from a name to the image it was predicted from, for the overlay.

    Parameters
    ----------
    about : result.json, with the place of the images.
    say : takes a message where they are no longer there; then the function returns None.
    """
    from nbtools.data import DataSet, InputOptions

    source = Path(common.expand_path(about["source"]))
    if not source.exists():
        say(f"The images are no longer at {source}: no overlays.")
        return lambda name: None
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in about.get("input", {}).items()}
    dataset = DataSet.open(source, options=InputOptions(**options))
    return common.read_images(dataset)


def decode_one(
    row: dict,
    result: Path,
    *,
    folder: Path,
    decide: Callable[..., Result],
    about: dict,
    images: Callable[[str], Image | None],
) -> dict:
    """Decode the maps of one image into `folder`; returns its new row of the summary."""
    started = time.perf_counter()
    name = row["name"]
    maps = io.read_image(result / "raw" / (name + MAPS))
    before = read_grid(name, result, images=images)
    maps = maps.to(before.axes + "C").pixels
    found = decide(maps, before, row.get("zoom") and tuple(row["zoom"]))
    seconds = time.perf_counter() - started
    if about.get("min_size_um") is not None:
        found = remove_smaller_than(found, about["min_size_um"])
    roi = (result / "rois").is_dir()
    new = result_folder.write_result(found, images(name), folder=folder, roi=roi)
    return row | new | {"seconds": round(seconds, 3)}


def read_grid(name: str, result: Path, *, images: Callable[[str], Image | None]) -> Image:
    """The labels of an image, or the image itself where the result is not labels: for its grid.

    Parameters
    ----------
    name : of the image.
    result : folder of the result.
    images : name → image; None where it is gone.

    Raises
    ------
    UserError : points whose image is no longer where it was.
    """
    if (result / f"{name}.tif").is_file():
        return io.read_label(result / f"{name}.tif").replace(name=name)
    image = images(name)
    if image is None:
        raise UserError(
            "Points are decoded again beside their image.",
            f"{name}, which is no longer where it was predicted from",
            "Put the images back, or predict again.",
        )
    axes = image.axes.replace("C", "")
    return image.select(C=0).to(axes) if "C" in image.axes else image


def keep_rest(result: Path, folder: Path) -> None:
    """Carry over the maps, and other files that we wrote; of the old labels nothing is made anew.

    Files of the user, who may have put notes beside a result, are not carried over.
    """
    mark = read_mark(result) or {}
    for name in list_files(result):
        source, target = result / name, folder / name
        ours = name in mark or (name.startswith("raw/") and not source.is_symlink())
        if ours and not name.startswith(STALE) and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def format_values(values: dict) -> str:
    """List decoding values in words.

    Parameters
    ----------
    values : name → number.

    Examples
    --------
    >>> format_values({"threshold": 0.5, "min_size": 20})
    'threshold 0.5, min_size 20'
    """
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


COMMAND = Command(
    "decode", "move the thresholds of a result again, without the network", run, declare
)
