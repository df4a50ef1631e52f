"""Cells of a table as numbers and names: decimal commas, and cells in which nothing stands."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from nbtools.errors import UserError

# What spreadsheets, R and pandas write where nothing is known. "none" and "null" are not among
# them: an untreated control and a mutant are called so.
EMPTY = frozenset({"", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaT"})
GROUPED = re.compile(r"[+-]?\d{1,3}([.,])\d{3}(\1\d{3})*")  # 1,234 and 1.234.567


def find_missing(cells: object) -> np.ndarray:
    """Find the cells in which nothing stands.

    Parameters
    ----------
    cells : (n,) of a table: names, numbers, None, NaN.

    Returns
    -------
    (n,) bool.

    Examples
    --------
    >>> find_missing(["a", "", None, float("nan"), "NA", "none"]).tolist()
    [False, True, True, True, True, False]
    """
    texts = ["" if cell is None else str(cell).strip() for cell in np.asarray(cells, object)]
    return np.array([text in EMPTY for text in texts], bool)


def read_names(cells: object) -> np.ndarray:
    """Names (n,) as text, without blanks around them, so that "wt " and "wt" are one."""
    return np.array([str(cell).strip() for cell in np.asarray(cells, object)], str)


def read_numbers(table: Mapping, column: str) -> np.ndarray:
    """Read the numbers of a column; text with decimal commas is understood.

    Parameters
    ----------
    table : column to cells (n,).
    column : its name.

    Returns
    -------
    (n,) float, NaN where nothing stands.

    Raises
    ------
    UserError : a cell is no number, or a comma may stand for thousands as well as for decimals.

    Examples
    --------
    >>> read_numbers({"volume": ["3,5", "1.204,25", ""]}, "volume").tolist()
    [3.5, 1204.25, nan]
    """
    cells = np.asarray(table[column])
    if cells.dtype.kind in "fiub":
        return cells.astype(float)
    missing = find_missing(cells)
    texts = [str(cell).strip().replace("\u2212", "-") for cell in cells[~missing]]
    decimal = _find_decimal(texts, column)
    thousands = "," if decimal == "." else "."
    plain = [text.replace(thousands, "").replace(decimal, ".") for text in texts]
    numbers = np.full(len(cells), np.nan)
    for place, text, number in zip(np.flatnonzero(~missing), texts, plain, strict=True):
        try:
            numbers[place] = float(number)
        except ValueError as error:
            raise UserError(
                f"The column {column} must hold numbers.",
                repr(text),
                "Correct the cell, or leave it empty.",
            ) from error
    return numbers


def _find_decimal(texts: list[str], column: str) -> str:
    """Which sign stands before the decimals: "." or ","."""
    with_comma = [text for text in texts if "," in text]
    if not with_comma:
        return "."
    last = [max(text, key=lambda sign: text.rfind(sign) if sign in ".," else -1) for text in texts]
    mixed = {sign for text, sign in zip(texts, last, strict=True) if "," in text and "." in text}
    twice = {sign for text in texts for sign in ".," if text.count(sign) > 1}
    points = any("." in text and "," not in text and not GROUPED.fullmatch(text) for text in texts)
    commas = any("." not in text and not GROUPED.fullmatch(text) for text in with_comma)
    is_comma = commas or "," in mixed or "." in twice
    is_point = points or "." in mixed or "," in twice
    if is_comma != is_point:
        return "," if is_comma else "."
    raise UserError(
        f"In the column {column} a comma must stand either before decimals or before thousands.",
        ", ".join(with_comma[:3]),
        "Write decimals with a point, and thousands without a sign.",
    )
