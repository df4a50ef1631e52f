"""What can be refused before a network is loaded: headers and model.json are enough for it."""

from __future__ import annotations

import argparse

from nbtools.checks.large import SMALL_FILE
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.axes import require_memory as require_pixels

WHOLE = ("raw", "markers", "roi")  # options of `predict` that need an image in one piece


def require_sizes(*datasets: DataSet | None) -> None:
    """A UserError where an image to learn from does not fit into the memory that is free.

    Parameters
    ----------
    datasets : whose headers are read; those of small files are left out.
    """
    for dataset in filter(None, datasets):
        for index, entry in enumerate(dataset.entries):
            path = entry.files.get("images")
            if path is None or not path.is_file() or path.stat().st_size < SMALL_FILE:
                continue
            try:
                pixels = dataset.header(index).pixels
            except UserError:
                continue  # it is told of where the image is read
            require_pixels(pixels.shape, pixels.dtype, path=path)


def require_options(header: Image, args: argparse.Namespace) -> None:
    """A UserError where an option needs what is not there of an image that is predicted in blocks.

    Parameters
    ----------
    header : of the image.
    args : parsed command line of `predict`.
    """
    for name in WHOLE:
        if getattr(args, name):
            raise UserError(
                f"--{name} needs an image that fits into memory.",
                f"{header.name} of {' x '.join(map(str, header.shape))}",
                f"Leave out --{name}, or use a machine with more memory.",
            )


def require_memory(dataset: DataSet, args: argparse.Namespace) -> None:
    """A UserError where none of the images can be predicted, in one piece or in blocks.

    Parameters
    ----------
    dataset : the images, whose headers are read until one of them fits.
    args : parsed command line of `predict`.
    """
    from nbtools import methods
    from nbtools.methods import outline

    known = outline.read_outline(methods.find_folder(args.model))
    if known is None or args.task is not None or (args.resume and args.out.is_dir()):
        return
    refused = None
    for index in range(len(dataset)):
        try:
            header = dataset.header(index)
        except UserError:
            return  # it is told of where the image is read
        try:
            about = {"tile": args.tile, "diameter": args.diameter}
            if outline.require_memory(known, header, **about):
                require_options(header, args)
        except UserError as error:
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused
