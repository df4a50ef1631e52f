"""Tables of several images combined into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

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
