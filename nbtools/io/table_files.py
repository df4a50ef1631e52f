"""Tables for spreadsheets of any language, for OMERO, and as Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbtools import runtime
from nbtools.errors import UserError, require_choice
from nbtools.io.files import atomic_write, write_text

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
DECIMALS = {"point": ".", "comma": ","}
NAMES = {"image", "name", "class", "group"}  # columns of words, whatever they look like
IMAGE_NAME = {"image": "Image Name", "name": "Image Name"}
TABLES = ("nuclei.csv", "objects.csv", "classes.csv")  # of a result, the first that is there


def find_table(place: Path) -> Path:
    """Find the table of a result: measurements, else objects or classes; or a CSV file itself.

    Parameters
    ----------
    place : folder or file.

    Raises
    ------
    UserError : there is none.
    """
    for path in (place, *(place / name for name in TABLES)):
        if path.suffix.lower() == ".csv" and path.is_file():
            return path
    raise UserError(
        "A table is exported from a CSV file, or from a result that has one.",
        place,
        "Measure first: nbtools measure RESULT --out RESULT/nuclei.csv",
    )


def type_columns(rows: Sequence[dict[str, str]]) -> dict[str, list]:
    """Columns of a table with numbers as numbers, and empty cells as None.

    Parameters
    ----------
    rows : of text, as `read_csv` reads them.

    Examples
    --------
    >>> type_columns([{"image": "01", "label": "1", "area": "2.5"}])
    {'image': ['01'], 'label': [1], 'area': [2.5]}
    >>> type_columns([{"area": ""}, {"area": "3.5"}])
    {'area': [None, 3.5]}
    """
    names = list(rows[0]) if rows else []
    columns: dict[str, list] = {}
    for name in names:
        cells = [row[name] for row in rows]
        kinds = (str,) if name in NAMES else (int, float, str)
        columns[name] = next(filter(None, (_convert(cells, kind) for kind in kinds)))
    return columns


def _convert(cells: list[str], kind: Callable[[str], Any]) -> list | None:
    """All cells as numbers or text; None where one cannot be."""
    try:
        return [None if cell == "" else kind(cell) for cell in cells]
    except ValueError:
        return None


def write_parquet(path: Path, columns: dict[str, list]) -> None:
    """Write a table as Parquet.

    Parameters
    ----------
    path : of the file; written whole or not at all.
    columns : name → values; None is null.

    Raises
    ------
    UserError : pyarrow is not installed.
    """
    why = "Parquet files are written by a package of its own."
    arrow = runtime.require_package("pyarrow", extra="tables", why=why)
    parquet = runtime.require_package("pyarrow.parquet", extra="tables", why=why)
    with atomic_write(path) as temporary:
        parquet.write_table(arrow.table(columns), temporary)


def write_spreadsheet(
    path: Path, columns: dict[str, list], *, separator: str = "semicolon", decimal: str = "comma"
) -> None:
    """Write a table as CSV for a spreadsheet of another language.

    Parameters
    ----------
    path : of the file; written whole or not at all.
    columns : name → values; None is an empty cell.
    separator : "comma", "semicolon" or "tab".
    decimal : "point" or "comma".

    Raises
    ------
    UserError : an unknown word, or a comma for both.
    """
    require_choice(separator, SEPARATORS, rule="Cells are separated by a known sign.")
    require_choice(decimal, DECIMALS, rule="Decimals stand behind a known sign.")
    if separator == decimal:
        raise UserError(
            "Cells and decimals need different signs.",
            "a comma for both",
            "Use --separator semicolon.",
        )
    out = io.StringIO()
    writer = csv.writer(out, delimiter=SEPARATORS[separator], lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_format(value, DECIMALS[decimal]) for value in row])
    write_text(path, out.getvalue())


def write_omero(path: Path, columns: dict[str, list], *, files: Mapping[str, str]) -> None:
    """Write a table that `omero metadata populate` attaches to a data set of OMERO.

    The first line tells the type of each column: s text, l whole numbers, d numbers. Images are
    found by "Image Name", which in OMERO is the name of their file.

    Parameters
    ----------
    path : of the file; written whole or not at all.
    columns : name → values; None is an empty cell, which asks for its option --allow_nan.
    files : name of an image → name of its file, where it is known.

    References
    ----------
    https://github.com/ome/omero-metadata, its README.
    """
    named = {IMAGE_NAME.get(name, name): values for name, values in columns.items()}
    if "Image Name" in named:
        named["Image Name"] = [files.get(name, name) for name in named["Image Name"]]
    out = io.StringIO()
    out.write(f"# header {','.join(map(_find_omero_type, named.values()))}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(named)
    for row in zip(*named.values(), strict=True):
        writer.writerow([_format(value, ".") for value in row])
    write_text(path, out.getvalue())


def _find_omero_type(values: list) -> str:
    """ "l" and "d" of numbers, "s" of text; OMERO has no whole number that is missing."""
    if any(isinstance(value, str) for value in values):
        return "s"
    return "l" if all(isinstance(value, int) for value in values) else "d"


def _format(value: object, decimal: str) -> str:
    if value is None:
        return ""
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)


TABLE_FORMATS = {"parquet": ".parquet", "csv": ".csv", "omero": ".csv"}
