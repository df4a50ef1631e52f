"""Tables of nuclei: read from files, and of several images combined into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.errors import UserError


def stack(tables: Iterable[Mapping]) -> dict[str, np.ndarray]:
    """Stack tables below each other; images without nuclei add no row.

    Parameters
    ----------
    tables : column to values; a single value, such as the plant of an image, is repeated for each
        of its nuclei.

    Returns
    -------
    One table with the columns of all.

    Raises
    ------
    UserError : no tables, or tables with different columns, for example with and without a pixel
        size.

    Examples
    --------
    >>> stack([{"label": [1, 2], "plant": "a"}, {"label": [1], "plant": "b"}])["plant"].tolist()
    ['a', 'a', 'b']
    """
    complete = [_repeat(table) for table in tables]
    if not complete:
        raise UserError("At least one table is needed to stack.", "none", "Measure an image first.")
    for table in complete:
        if odd := set(table) ^ set(complete[0]):
            raise UserError(
                "Tables to stack must have the same columns.",
                f"{', '.join(sorted(odd))} in some of them",
                (
                    "Measure all images with the same options and channels, and all with a pixel "
                    "size in µm or all without."
                ),
            )
    return {name: np.concatenate([table[name] for table in complete]) for name in complete[0]}


def read_table(path: str | Path) -> dict[str, np.ndarray]:
    """Read a table of nuclei, as of `nbtools measure`, for the statistics of `metrics`.

    Parameters
    ----------
    path : of a CSV file, also one that a German or French Excel has written: with semicolons, and
        commas for decimals.

    Returns
    -------
    Column → values (n,): float where all cells are numbers or empty (NaN), bool where they are
    True or False, else text. Columns that name images, groups and classes are text.

    Raises
    ------
    UserError : the file cannot be read.

    Examples
    --------
    >>> Path("nuclei.csv").write_text("plant;area_um2\\nA;20,5\\nB;\\n") and None
    >>> read_table("nuclei.csv")["area_um2"].tolist()
    [20.5, nan]
    """
    rows = io.read_csv(path)
    names = io.read_header(path)
    columns = {name: [row.get(name, "") for row in rows] for name in names}
    return {
        name: np.array(cells, object) if name.lower() in io.NAMES else _type_column(cells)
        for name, cells in columns.items()
    }


def _type_column(cells: list[str]) -> np.ndarray:
    if cells and set(cells) <= {"True", "False"}:
        return np.array([cell == "True" for cell in cells])
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return np.array(cells, object)


def choose(table: Mapping, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Select rows of a table.

    Parameters
    ----------
    table : column to values (n,).
    rows : (n,) bool, or row numbers.

    Returns
    -------
    The table of these rows.

    Examples
    --------
    >>> choose({"label": [4, 7], "reliable": [True, False]}, np.array([True, False]))
    {'label': array([4]), 'reliable': array([ True])}
    """
    return {name: np.asarray(column)[rows] for name, column in table.items()}


def _repeat(table: Mapping) -> dict[str, np.ndarray]:
    count = max((len(column) for column in table.values() if np.ndim(column)), default=1)
    return {
        name: np.asarray(column) if np.ndim(column) else np.full(count, column)
        for name, column in table.items()
    }
