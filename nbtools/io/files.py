"""Files that appear whole or not at all: text, JSON and tables."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import numpy as np

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.folders import sync_to_disk, temporary_path, unwritable

MOST_BYTES_TABLE = 2**30
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the start of a formula

DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?")
NAMES = ("name", "image", "file", "group", "plant", "class")  # columns of words, never of numbers


@contextmanager
def atomic_write(path: str | Path, *, sync: bool = False) -> Iterator[Path]:
    """A temporary file beside `path`, which is renamed to `path` at the end.

    Where the writing fails, `path` stays as it was.

    Parameters
    ----------
    path : of the file to write; folders that are missing are made.
    sync : wait until the file is on the disk, so that it outlives a loss of power.

    Raises
    ------
    UserError : the folder cannot be made or written.

    Examples
    --------
    >>> with atomic_write("runs/note.txt") as temporary:
    ...     _ = temporary.write_text("done")
    >>> Path("runs/note.txt").read_text()
    'done'
    """
    path = Path(path)
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if sync:
            sync_to_disk(temporary)
        os.replace(temporary, path)
        if sync:
            sync_to_disk(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):  # what was wrong is being told
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: object) -> None:
    """Write a value as JSON, whole or not at all.

    Parameters
    ----------
    path : of the file.
    value : plain values, NumPy numbers, arrays and paths; numbers that are not finite become null.
    """
    write_text(
        path, json.dumps(to_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )


def write_csv(
    path: str | Path,
    rows: Sequence[Mapping] | Mapping[str, Sequence],
    *,
    columns: Sequence[str] = (),
) -> None:
    """Write a table as CSV with a header line, whole or not at all.

    Parameters
    ----------
    path : of the file.
    rows : a list of dictionaries, or one dictionary of columns of equal length. None and numbers
        that are not finite become empty cells.
    columns : order of the columns; needed only for the header of an empty table.

    Examples
    --------
    >>> write_csv("nuclei.csv", [{"label": 1, "area": 20.5}, {"label": 2, "area": None}])
    >>> read_csv("nuclei.csv")
    [{'label': '1', 'area': '20.5'}, {'label': '2', 'area': ''}]
    """
    if isinstance(rows, Mapping):
        columns = columns or list(rows)
        rows = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    columns = list(columns) or list(dict.fromkeys(chain.from_iterable(rows)))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: to_cell(value) for name, value in row.items()} for row in rows)
    write_text(path, text.getvalue())


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file as text.

    Parameters
    ----------
    path : of a file in UTF-8, with or without a byte-order mark, in UTF-16 or in the encoding of
        Excel for Windows; separated by comma, semicolon or tab.

    Returns
    -------
    One dictionary per row, column → text without spaces around it. A number with a decimal comma,
    as a German or French Excel writes it, has a point instead; names of images, groups and classes
    stay as they are.

    Raises
    ------
    UserError : the file cannot be read.
    """
    with _said_of_tables(path):
        lines = _read_lines(path)
        if not lines:
            return []
        rows = csv.DictReader(lines, delimiter=find_delimiter(lines[0]), skipinitialspace=True)
        return [_clean_row(row) for row in rows]


def read_header(path: str | Path) -> list[str]:
    """Names of the columns of a CSV file, also of one without rows.

    Parameters
    ----------
    path : of a file as `read_csv` reads it.

    Raises
    ------
    UserError : the file cannot be read.
    """
    with _said_of_tables(path):
        lines = [line for line in _read_lines(path) if line][:1]
        if not lines:
            return []
        rows = csv.reader(lines, delimiter=find_delimiter(lines[0]), skipinitialspace=True)
        return [cell.strip() for cell in next(rows)]


@contextmanager
def _said_of_tables(path: str | Path) -> Iterator[None]:
    """What goes wrong with a table as a UserError."""
    try:
        yield
    except (UserError, UnicodeDecodeError, csv.Error) as error:
        received = getattr(error, "received", f"{path} ({error})")
        raise UserError(
            "A table must be a readable CSV file in UTF-8.", received, "Save it as CSV UTF-8."
        ) from error


def _read_lines(path: str | Path) -> list[str]:
    """The lines of a table, without Excel's own line about the separator."""
    lines = decode_text(documents.read_bytes(path, most=MOST_BYTES_TABLE)).splitlines()
    if lines and lines[0].lower().startswith("sep="):
        lines = lines[1:]
    _require_text(lines, path)
    return lines


def find_delimiter(header: str) -> str:
    """What separates the columns of a table: the most frequent of comma, semicolon and tab.

    Parameters
    ----------
    header : the first line.

    Examples
    --------
    >>> find_delimiter("name;group")
    ';'
    """
    return max(",;\t", key=header.count)


def decode_text(data: bytes) -> str:
    """The text of a table in UTF-8 or UTF-16, or as Excel for Windows writes it (Windows-1252).

    Parameters
    ----------
    data : content of the file.

    Raises
    ------
    UnicodeDecodeError : it is no text.

    Examples
    --------
    >>> decode_text("größe".encode("cp1252"))
    'größe'
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in data:  # no text at all
            raise
        return data.decode("cp1252")


def _require_text(lines: list[str], path: str | Path) -> None:
    if any("\0" in line for line in lines):
        raise UserError("A table must be text.", f"{path} (bytes of zero)", "Save it as CSV UTF-8.")


def _clean_row(row: Mapping) -> dict[str, str]:
    """A row without spaces around its cells, with points for decimals."""
    cells = {str(k).strip(): from_cell(v or "") for k, v in row.items() if k is not None}
    return {
        name: text if name.lower() in NAMES else with_decimal_point(text)
        for name, text in cells.items()
    }


def with_decimal_point(text: str) -> str:
    """A number with a decimal comma with a point instead; any other text as it is.

    Parameters
    ----------
    text : of a cell.

    Examples
    --------
    >>> with_decimal_point("0,25"), with_decimal_point("1.234,5"), with_decimal_point("a, b")
    ('0.25', '1234.5', 'a, b')
    """
    if not DECIMAL_COMMA.fullmatch(text):
        return text
    return text.replace(".", "").replace(",", ".")


def to_cell(value: object) -> object:
    """A value as a cell of a table, which no spreadsheet takes for a formula.

    Text that begins as a formula does gets an apostrophe, as a person would type it there; numbers
    stay as they are.

    Parameters
    ----------
    value : as of `to_plain`.

    Examples
    --------
    >>> to_cell("=1+1"), to_cell(-0.5), to_cell("-0.5")
    ("'=1+1", -0.5, '-0.5')
    """
    value = to_plain(value)
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def from_cell(text: str) -> str:
    """The text of a cell, without spaces around it and the apostrophe of `to_cell`.

    Parameters
    ----------
    text : as it stands in the file.

    Examples
    --------
    >>> from_cell(" '=1+1")
    '=1+1'
    """
    text = text.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def to_plain(value: object) -> object:
    """The value in types that JSON knows.

    Parameters
    ----------
    value : mappings, sequences, sets, NumPy arrays and numbers, paths; numbers that are not finite
        become None.

    Examples
    --------
    >>> to_plain({"size": np.array([2, 3]), "score": np.nan})
    {'size': [2, 3], 'score': None}
    """
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def find_reason(error: Exception, *, most: int = 120) -> str:
    """The message of an error in one line of at most `most` letters, or else its kind."""
    return " ".join(str(error).split())[:most] or type(error).__name__
