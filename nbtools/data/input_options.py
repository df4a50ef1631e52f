"""Input options (axes and spacing) that are given once and kept in dataset.toml."""

from __future__ import annotations

import re
from pathlib import Path

from nbtools import documents, io
from nbtools.data.layout import TOML, read_meta
from nbtools.data.sample import InputOptions
from nbtools.data.writing import format_toml, name_spacing
from nbtools.errors import UserError


def save_input_options(folder: str | Path, options: InputOptions) -> Path:
    """Write axes and spacing into dataset.toml; its other lines and comments stay.

    Only call it where the user asks for it: nothing else writes into a data set.

    Parameters
    ----------
    folder : of the data set.
    options : axes, spacing and unit are written, others are not.

    Returns
    -------
    Path : of dataset.toml.

    Raises
    ------
    UserError : neither axes nor spacing is given, or there is no such folder.

    Examples
    --------
    >>> Path("my_stacks").mkdir()
    >>> path = save_input_options("my_stacks", InputOptions(axes="ZYX", spacing=(0.5, 0.2, 0.2)))
    >>> print(path.read_text())
    axes = "ZYX"
    spacing_um = [0.5, 0.2, 0.2]
    <BLANKLINE>
    """
    folder = Path(folder)
    given = {"axes": options.axes.upper()} if options.axes else {}
    given |= name_spacing(options.spacing, options.unit)
    if not given:
        raise UserError(
            "Axes or spacing must be given.",
            "neither",
            "Add --axes ZYX or --spacing Z,Y,X.",
        )
    if not folder.is_dir():
        raise UserError(
            "Axes and spacing are kept in the folder of a data set.",
            folder,
            "Put the images into a folder images/, and name its parent.",
        )
    path = folder / TOML
    old = read_meta(folder)
    gone = {"axes"} & set(given) | ({"spacing", "spacing_um", "unit"} if options.spacing else set())
    new = given | {k: v for k, v in old.items() if k not in gone}
    text = path.read_text("utf-8-sig") if path.is_file() else ""
    text = format_toml(given) + _without(text, gone)
    io.write_text(path, text if _holds(text, new) else format_toml(new))
    return path


def _without(text: str, names: set[str]) -> str:
    """The lines of a TOML file, without the top-level assignments to these names."""
    head, mark, rest = text.partition("\n[")
    kept = [
        line
        for line in head.split("\n")
        if not any(re.match(rf"\s*{name}\s*=", line) for name in names)
    ]
    return "\n".join(kept) + mark + rest


def _holds(text: str, values: dict) -> bool:
    try:
        return documents.parse_toml(text, TOML) == values
    except UserError:  # a value of several lines was cut
        return False
