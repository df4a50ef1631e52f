"""Results of several images for another program: a file for each, or one for all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nbtools import io
from nbtools.errors import UserError

Write = Callable[[Path, Any], object]


def in_one_file(write: Write) -> Write:
    """Mark a function that writes the results of all images into one file.

    Parameters
    ----------
    write : (path, name → function that gives a result).
    """
    write.takes_all = True
    return write


def write_each(
    results: Mapping[str, Callable[[], Any]], path: Path, *, suffix: str, write: Write
) -> list[Path]:
    """Write the results of images.

    Parameters
    ----------
    results : name → function that gives a result.
    path : of the file, where it holds all images or there is one image; else of a folder.
    suffix : of the files.
    write : (path, result); or one that is `in_one_file`.

    Returns
    -------
    Paths of the files.

    Raises
    ------
    UserError : a file of the user has the name of one that belongs into the folder.
    """
    if getattr(write, "takes_all", False):
        write(path, results)
        return [path]
    if len(results) == 1 and suffix and path.name.lower().endswith(suffix):
        write(path, next(iter(results.values()))())
        return [path]
    files = {path / f"{name}{suffix}": read for name, read in results.items()}
    for file in files:  # nobody named them one by one
        if os.path.lexists(file) and not io.is_written_by_us(file):
            raise UserError("Files of yours are not replaced.", file, "Give another folder.")
    for file, read in files.items():
        write(file, read())
    io.add_to_mark(path, [file for file in files if file.is_file()])
    return list(files)
