"""What is asked once and then remembered: how the images of a data set are to be read, in its
dataset.toml.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from nbtools import io
from nbtools.data.layout import TOML, read_meta
from nbtools.data.sample import InputOptions
from nbtools.data.writing import format_toml, name_spacing
from nbtools.errors import UserError


def save_input_options(folder: str | Path, options: InputOptions) -> Path:
    """Write the axes and the spacing of these options into dataset.toml; other lines and comments
    stay.

    Only where the user asks for it: nothing else here writes into a data set.

    Returns
    -------
    The file.

    Raises
    ------
    UserError : neither axes nor spacing are given, or the folder is none.

    Examples
    --------
    >>> save_input_options("my_stacks", InputOptions(axes="ZYX", spacing=(0.5, 0.2, 0.2)))
    """
    folder = Path(folder)
    given = ({"axes": options.axes.upper()} if options.axes else {}) | name_spacing(
        options.spacing, options.unit
    )
    if not given:
        raise UserError(
            "What is to be remembered must be given.",
            "neither axes nor spacing",
            "Add --axes ZYX or --spacing Z,Y,X.",
        )
    if not folder.is_dir():
        raise UserError(
            "A data set that remembers is a folder.",
            folder,
            "Put the images into a folder images/, and name its parent.",
        )
    path, old = folder / TOML, read_meta(folder)
    gone = {"axes"} & set(given) | ({"spacing", "spacing_um", "unit"} if options.spacing else set())
    new = given | {k: v for k, v in old.items() if k not in gone}
    text = path.read_text("utf-8-sig") if path.is_file() else ""
    text = format_toml(given) + _without(text, gone)
    io.write_text(path, text if _says(text, new) else format_toml(new))
    return path


def _without(text: str, names: set[str]) -> str:
    """The lines of a TOML file but for the assignments to these names above its first table."""
    head, mark, rest = text.partition("\n[")
    kept = [
        line
        for line in head.split("\n")
        if not any(re.match(rf"\s*{name}\s*=", line) for name in names)
    ]
    return "\n".join(kept) + mark + rest


def _says(text: str, values: dict) -> bool:
    try:
        return tomllib.loads(text) == values
    except tomllib.TOMLDecodeError:  # a value of several lines was cut
        return False
