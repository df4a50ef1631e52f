"""Run a model on a folder of images, with the flags that BIAFLOWS and BIOMERO give a workflow."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from nbtools import io, methods
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.export.biaflows import SERVER, list_inputs
from nbtools.methods.method import Method
from nbtools.tasks.reading import require_existing

LOG = logging.getLogger("nbtools.workflow")
TRUTH = "_lbl"  # ends the names of label images that lie among the images


def main(words: Sequence[str], model: str | Path) -> int:
    """Predict every image of a folder, and write label images of the same names.

    Parameters
    ----------
    words : of the command line: --infolder, --outfolder, and a flag per input of the descriptor.
    model : its folder, or the name of shipped weights.

    Returns
    -------
    0; 1 where an image could not be predicted; 2 where the flags or folders do not fit.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        method = methods.load(model)
        given = _make_parser(method).parse_args([word for word in words if word])
        set_values(method, given)
        if not given.infolder or not given.outfolder:
            raise UserError(
                "This workflow works on folders, and exchanges nothing with a server.",
                "no --infolder or no --outfolder",
                "Give both: --infolder IMAGES --outfolder RESULT --local",
            )
        failed = predict_folder(method, given.infolder, out=given.outfolder)
    except UserError as error:
        LOG.error("%s", error)
        return 2
    return 1 if failed else 0


def _make_parser(method: Method) -> argparse.ArgumentParser:
    """Flags of the descriptor, and those by which a run on folders is asked for."""
    parser = argparse.ArgumentParser(prog="wrapper.py", allow_abbrev=False)
    for name in ("infolder", "outfolder", "gtfolder"):
        parser.add_argument(f"--{name}", type=Path)
    text = "on folders, without a server; always so, and metrics are not computed here"
    parser.add_argument("--local", action="store_true", help=text)
    parser.add_argument("-nmc", "--nometrics", action="store_true", help="no metrics; always so")
    for key in SERVER:
        parser.add_argument(f"--{key}", help=argparse.SUPPRESS)
    for name, (declared, value) in list_inputs(method).items():
        parser.add_argument(f"--{name}", help=f"{declared.help} (default {value})")
    return parser


def set_values(method: Method, given: argparse.Namespace) -> None:
    """Set the decoding values of the command line in place of those of the model.

    Parameters
    ----------
    method : of the workflow.
    given : parsed command line.

    Raises
    ------
    UserError : a value that is none, or beyond its range.
    """
    texts = {name: getattr(given, name) for name in list_inputs(method)}
    values = method.settings.parse([f"{name}={text}" for name, text in texts.items() if text])
    method.settings = method.settings.replace(**values)
    for name, value in values.items():
        LOG.info("%s = %s", name, value)


def predict_folder(method: Method, folder: Path, *, out: Path) -> list[str]:
    """Write a label image for each image of a folder.

    Parameters
    ----------
    method : of segmentation.
    folder : of images; those whose names end with _lbl are truth, and are left out.
    out : folder of the label images; it may be there.

    Returns
    -------
    Names of images that could not be predicted; a message tells why.

    Raises
    ------
    UserError : no such folder, no images in it, or a file of the user where labels belong.
    """
    dataset, failed = DataSet.open(require_existing(folder, "The folder of images")), []
    places = {name: out / f"{name}.tif" for name in dataset.names if not name.endswith(TRUTH)}
    if not places:
        raise UserError("There must be images.", f"none in {folder}", "Give a folder of TIFF.")
    for place in places.values():
        if os.path.lexists(place) and not io.is_written_by_us(place):
            raise UserError("Files of yours are not replaced.", place, "Give another folder.")
    for name, place in places.items():
        try:
            found = method.predict(dataset.image(dataset.names.index(name)))
        except UserError as error:
            LOG.error("%s: left out. %s", name, error)
            failed.append(name)
            continue
        io.write_label(place, found.labels)
        io.add_to_mark(out, [place])
        LOG.info("%s: done in %.1f s", name, found.seconds)
    return failed
