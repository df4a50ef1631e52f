"""A method on its way to another process: the files of its model, and nothing that can run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import runtime
from nbtools.methods.registry import find_row

if TYPE_CHECKING:
    from nbtools.methods.method import Method


def read_files(save: Callable[[Path], None]) -> dict[str, bytes]:
    """The files of a model by name, as they would lie in its folder.

    Parameters
    ----------
    save : writes the model into a folder.
    """
    with tempfile.TemporaryDirectory(prefix="nbtools-") as text:
        folder = Path(text)
        save(folder)
        places = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in places}


def unpack(name: str, files: dict[str, bytes], *, turned: str | None) -> Method:
    """The method whose files these are.

    Parameters
    ----------
    name : of the method.
    files : of its model.
    turned : task that it was turned to; None for its own.
    """
    module, _, kind = find_row(name).path.partition(":")
    method = getattr(runtime.load_quietly(module), kind)
    method.name = name
    with tempfile.TemporaryDirectory(prefix="nbtools-") as text:
        folder = Path(text)
        for inner, content in files.items():
            (folder / inner).parent.mkdir(parents=True, exist_ok=True)
            (folder / inner).write_bytes(content)
        found = method.load(folder)
    if turned is not None:
        found.turn_to(turned)
    return found
