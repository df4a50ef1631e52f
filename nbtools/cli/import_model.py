"""`nbtools import`: a model of others, for prediction here."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io, runtime
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.io import archive
from nbtools.tasks.reading import require_existing

if TYPE_CHECKING:
    from nbtools.methods import Method

TASKS = ("instances", "restoration")


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools import` to its parser."""
    text = (
        "folder or zip: a package of bioimage.io with ONNX weights, or a model of the stardist or "
        "csbdeep package (config.json, weights_best.h5)"
    )
    parser.add_argument("package", type=Path, metavar="PACKAGE", help=text)
    common.add_out(parser, "MODEL", help="folder of the model, for nbtools predict")
    text = "what its output is: nuclei, or an image (default: nuclei)"
    parser.add_argument("--task", choices=TASKS, help=text)
    text = "numbers of the output's channels, from 0: foreground, or foreground and border"
    parser.add_argument("--channels", type=channel_numbers, metavar="N,N", help=text)


def channel_numbers(text: str) -> tuple[int, ...]:
    """Numbers from 0, separated by commas.

    Parameters
    ----------
    text : as it stands on the command line.

    Examples
    --------
    >>> channel_numbers("0,2")
    (0, 2)
    """
    parts = text.split(",")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"one or two whole numbers from 0, not {text!r}")
    return tuple(map(int, parts))


def run(args: argparse.Namespace) -> CommandResult:
    """Write the folder of a model that `nbtools predict` takes; no code of the package is run.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : neither a package with ONNX weights nor a model of stardist or csbdeep, or it cannot
        be run.
    """
    require_existing(args.package, "The package")
    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.package])
    with open_package(args.package) as folder:
        model = read_model(folder, args)
        with io.new_folder(args.out, overwrite=args.overwrite, inputs=[args.package]) as temporary:
            model.save(temporary)
    licence = getattr(model, "licence", "")
    lines = [f"Model: {args.out}. It predicts: nbtools predict {args.out} IMAGES --out FOLDER"]
    lines.append(f"Licence of the package: {licence or 'not told; ask its authors'}.")
    document = {"model": str(args.out), "method": model.name, "licence": licence or None}
    return CommandResult(document, lines)


@contextlib.contextmanager
def open_package(place: Path) -> Iterator[Path]:
    """The folder that holds the files of a package; a zip is unpacked for a while.

    Parameters
    ----------
    place : folder or zip.
    """
    if place.is_dir():
        yield place
        return
    with tempfile.TemporaryDirectory() as temporary:
        archive.unpack(place, temporary)
        inside = list(Path(temporary).iterdir())
        alone = len(inside) == 1 and inside[0].is_dir()
        yield inside[0] if alone else Path(temporary)


def read_model(folder: Path, args: argparse.Namespace) -> Method:
    """The model in a folder, by what lies in it.

    Parameters
    ----------
    folder : of a package.
    args : parsed command line.
    """
    from nbtools import methods

    package = runtime.load_quietly("nbtools.methods.bioimageio_package")
    if any((folder / name).is_file() for name in package.FILES):
        task = args.task or "instances"
        name = {"instances": "imported_segmentation", "restoration": "imported_restoration"}[task]
        found = package.read_package(folder)
        return methods.get(name).import_package(found, channels=args.channels)
    if (folder / "config.json").is_file():
        if args.task or args.channels:
            raise UserError(
                "A model of StarDist or CARE says by itself what its output is.",
                "--task or --channels",
                "Leave them out.",
            )
        care = runtime.load_quietly("nbtools.methods.csbdeep_model").is_care(folder)
        return methods.get("imported_care" if care else "stardist").import_folder(folder)
    raise UserError(
        "A package has rdf.yaml (bioimage.io) or config.json (stardist, csbdeep).",
        args.package,
        "Give the folder or the zip as it was downloaded.",
    )


COMMAND = Command("import", "bring in a model of bioimage.io, stardist or csbdeep", run, declare)
