"""Verbs that do something once more: decode (other thresholds, no network), rerun (a recorded
training).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import config, io
from nbtools.cli import frame, learn, results
from nbtools.cli.frame import Answer, Verb
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.image import Image

MAPS = ".maps.tif"


def declare_decode(parser: argparse.ArgumentParser) -> None:
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
    frame.add_settings(parser)


def run_decode(args: argparse.Namespace) -> Answer:
    told, say, out = read_result(args.result), frame.progress(args), args.out or args.result
    values = told["decoding"] | read_values(args.settings, told)
    decide, images = find_decoder(told, values), find_images(told, say)
    if args.out:
        io.require_new_folder(args.out, overwrite=args.overwrite)
    with io.new_folder(out, overwrite=args.out is None or args.overwrite) as folder:
        rows = [
            decode_one(row, args.result, folder=folder, decide=decide, told=told, images=images)
            for row in told["images"]
        ]
        keep_rest(args.result, folder)
        results.write_summary(folder, rows)
        document = told | {
            "decoding": values,
            "images": rows,
            "decoded_by": frame.say_command(args),
        }
        io.write_json(folder / "result.json", document)
    lines = [
        *frame.tabulate(rows, results.shown_columns(rows)),
        f"Decoded with {say_values(values)}: {out}",
    ]
    return Answer(document | {"folder": str(out)}, lines)


def read_result(folder: Path) -> dict:
    """What result.json says of a result that kept its maps; a UserError where it did not."""
    path = frame.existing(folder, "The result") / "result.json"
    remedy = "Give a folder that nbtools predict --raw wrote."
    if not path.is_file():
        raise UserError("Decoding again needs a result of nbtools predict.", folder, remedy)
    told = json.loads(path.read_text("utf-8"))
    missing = [
        row["name"]
        for row in told.get("images", ())
        if not (folder / "raw" / (row["name"] + MAPS)).is_file()
    ]
    if missing or not told.get("images"):
        raise UserError(
            "Decoding again needs the maps of the network.",
            f"{folder} without raw/ of {', '.join(missing[:3])}",
            remedy,
        )
    return told


def read_values(pairs: list[str], told: dict) -> dict:
    """The decoding values given as name=value, checked against those the result was made with; no
    method is loaded for that.
    """
    found = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals or name not in told["decoding"]:
            known = ", ".join(f"{k}={v}" for k, v in told["decoding"].items()) or "none"
            raise UserError(
                "A decoding value is given as name=value.",
                repr(pair),
                f"Known, as they are now: {known}.",
            )
        low, high = told.get("limits", {}).get(name, (None, None))
        found[name] = _to_number(name, text, whole=isinstance(told["decoding"][name], int))
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


def find_decoder(told: dict, values: dict) -> Callable[[np.ndarray, Image], np.ndarray]:
    """(maps, image) → labels on its grid: by the function that stands in the table, else by the
    method, with its libraries.

    An adapter to another package needs its model to decode; our own methods need no weights.
    """
    from nbtools import methods
    from nbtools.methods import _rescale
    from nbtools.methods.domain import Domain

    row = methods.row(told["method"])
    if row.decoder:
        decode = row.load_decoder(told["settings"])
        return lambda maps, image: _rescale.decode_maps(
            lambda m: decode(m, **values), maps, like=image
        )
    if row.trained and row.built_on:
        method = methods.load(expand(told["model"]))
    else:
        cls = methods.get(row.name)
        method = cls(cls.Settings.from_dict(told["settings"]))
        method.domain = Domain.from_dict(told["domain"])
    return lambda maps, image: method.decode_maps(maps, image, **values).labels.pixels


def find_images(told: dict, say: Callable[[str], None]) -> Callable[[str], Image | None]:
    """A function from a name to the image it was predicted from, for the overlay; None where it is
    no longer there.
    """
    from nbtools.data import DataSet, InputOptions

    source = Path(expand(told["source"]))
    if not source.exists():
        say(f"The images are no longer at {source}: no overlays.")
        return lambda name: None
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in told.get("input", {}).items()}
    dataset = DataSet.open(source, options=InputOptions(**options))
    places = {name: i for i, name in enumerate(dataset.names)}
    return lambda name: dataset.image(places[name]) if name in places else None


def decode_one(
    row: dict, result: Path, *, folder: Path, decide: Callable, told: dict, images: Callable
) -> dict:
    """Decode the maps of one image into `folder`; returns its new line of the summary."""
    started, name = time.perf_counter(), row["name"]
    maps, before = (
        io.read_image(result / "raw" / (name + MAPS)),
        io.read_label(result / f"{name}.tif"),
    )
    axes = before.axes + "C"
    label = before.replace(pixels=decide(maps.to(axes).pixels, before).astype(np.int32), name=name)
    seconds = time.perf_counter() - started
    label = results.drop_small(label, told.get("min_size_um"))
    results.write_labels(images(name), label, folder=folder, roi=(result / "rois").is_dir())
    if told.get("class_channels") and "T" not in axes:
        decode_classes(label, maps.to(axes).pixels, folder=folder, told=told)
    return row | results.measure_sizes(label) | {"seconds": round(seconds, 3)}


def decode_classes(label: Image, maps: np.ndarray, *, folder: Path, told: dict) -> None:
    """Write the class of each nucleus anew."""
    from nbtools.targets import classes

    share = maps[..., slice(*told["class_channels"])]
    found, probability = classes.decode(label.pixels, share, names=told["domain"]["classes"])
    results.write_nucleus_classes(folder, label, classes=found, probability=probability)


def keep_rest(result: Path, folder: Path) -> None:
    """Carry over the maps, and whatever else a user has put beside the result; a report of the old
    labels stays behind.
    """
    for path in result.iterdir():
        made_anew = (
            (folder / path.name).exists()
            or path.name.startswith("report.")
            or path.name in ("overlays", "rois")
        )
        if path.is_dir() and not made_anew:
            shutil.copytree(path, folder / path.name, copy_function=link_file)
        elif not made_anew:
            link_file(path, folder / path.name)


def link_file(source: str | Path, target: str | Path) -> None:
    """The same file in another folder, without a copy of its bytes where the disk allows."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def say_values(values: dict) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def declare_rerun(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe",
        type=Path,
        metavar="RECIPE",
        help="recipe.json of a model, or the folder of the model",
    )
    frame.add_out(parser, "MODEL", help="folder of the model that is trained again")


def run_rerun(args: argparse.Namespace) -> Answer:
    from nbtools import cli

    io.require_new_folder(args.out, overwrite=args.overwrite)
    path = frame.existing(args.recipe, "The recipe")
    path = path / "recipe.json" if path.is_dir() else path
    recipe = read_recipe(path)
    check_inputs(recipe)
    old = cli.parse(shlex.split(expand(recipe["command"]))[1:])
    old.settings = [f"{k}={to_word(v)}" for k, v in recipe["settings"].items()]
    old.out, old.overwrite, old.resume, old.seed = args.out, args.overwrite, False, recipe["seed"]
    old.minutes, old.schedule = None, tuple(recipe["schedule"]) or None
    old.json, old.quiet, old.debug, old.command = (
        args.json,
        args.quiet,
        args.debug,
        shlex.split(recipe["command"]),
    )
    answer = learn.run_train(old)
    same = compare_weights(path.parent, args.out)
    lines = {
        True: "The weights are the same, bit for bit.",
        False: "The weights differ from those of the first run.",
        None: "",
    }[same]
    return Answer(answer.document | {"same_weights": same}, [*answer.lines, *filter(None, [lines])])


def read_recipe(path: Path) -> dict:
    """A recipe that `nbtools train` wrote, or a UserError."""
    remedy = "Give the recipe.json in the folder of a model."
    try:
        recipe = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(
            "A recipe must be a file that nbtools train wrote.", path, remedy
        ) from error
    lacking = [k for k in ("command", "settings", "seed", "schedule", "inputs") if k not in recipe]
    if lacking or shlex.split(recipe["command"])[:2] != ["nbtools", "train"]:
        received = (
            f"{path}, {'without ' + ', '.join(lacking) if lacking else 'of ' + recipe['command']}"
        )
        raise UserError("A recipe must be a file that nbtools train wrote.", received, remedy)
    return recipe


def check_inputs(recipe: dict) -> None:
    """A UserError where an input of the run is gone or is no longer what it was."""
    from nbtools import training

    inputs = [(expand(one["file"]), one["sha256"]) for one in recipe["inputs"]]
    gone = [file for file, _ in inputs if not Path(file).is_file()]
    if gone:
        received = f"{len(gone)} of {len(inputs)} files missing, {gone[0]} among them"
        raise UserError(
            "The images of the run must be where they were.",
            received,
            "Put them back, or go to the folder of the run.",
        )
    if changed := [file for file, known in inputs if training.hash_file(file) != known]:
        received = f"{len(changed)} of {len(inputs)} files changed, {changed[0]} among them"
        raise UserError(
            "The images of the run must be what they were.",
            received,
            "Use the original files, or train anew.",
        )


def compare_weights(first: Path, second: Path) -> bool | None:
    """Whether two models have the same weights; None where one has none."""
    files = [Path(folder) / "weights.npz" for folder in (first, second)]
    if not all(f.is_file() for f in files):
        return None
    with np.load(files[0], allow_pickle=False) as a, np.load(files[1], allow_pickle=False) as b:
        return sorted(a.files) == sorted(b.files) and all(
            np.array_equal(a[k], b[k]) for k in a.files
        )


def expand(text: str) -> str:
    """A recorded path or command with the folder of data sets as it is on this machine."""
    folder = config.environment("NBTOOLS_DATA")
    if "$NBTOOLS_DATA" in text and not folder:
        raise UserError(
            "NBTOOLS_DATA must name the folder of data sets.",
            text,
            "Set it: export NBTOOLS_DATA=FOLDER.",
        )
    return text.replace("$NBTOOLS_DATA", folder.rstrip("/"))


def to_word(value: object) -> str:
    """A setting's plain value as it is written on the command line."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


VERBS = (
    Verb(
        "decode",
        "move the thresholds of a result again, without the network",
        declare_decode,
        run_decode,
    ),
    Verb(
        "rerun",
        "train again from a recipe, on the same images, with the same settings and seed",
        declare_rerun,
        run_rerun,
    ),
)
