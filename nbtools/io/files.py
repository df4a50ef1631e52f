"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from nbtools.errors import UserError

DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?")
NAMES = ("name", "image", "file", "group", "plant", "class")  # columns of words, never of numbers


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary file beside `path`, which is renamed to `path` at the end.

    Where the writing fails, `path` stays as it was.

    Parameters
    ----------
    path : of the file to write; folders that are missing are made.

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
    temporary = path.parent / f".{uuid.uuid4().hex[:12]}.{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


class new_folder:
    """A result folder that appears whole or not at all.

    Parameters
    ----------
    path : where the folder shall be; an empty folder there is used.
    overwrite : replace a folder that has content.

    Raises
    ------
    UserError : the path is a file, or has content and `overwrite` is False.

    Examples
    --------
    >>> with new_folder("runs/one", overwrite=True) as folder:
    ...     write_text(folder / "note.txt", "done")
    """

    def __init__(self, path: str | Path, overwrite: bool = False):
        self.path = Path(os.path.abspath(path))
        self.overwrite = overwrite

    def __enter__(self) -> Path:
        require_new_folder(self.path, overwrite=self.overwrite)
        self._temporary = self.path.parent / f".{uuid.uuid4().hex[:12]}.{self.path.name}"
        try:
            self._temporary.mkdir(parents=True)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return self._temporary

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                require_new_folder(self.path, overwrite=self.overwrite)
                _move_folder(self._temporary, self.path)
        except OSError as problem:
            raise _unwritable(self.path, problem) from problem
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)


def require_new_folder(path: str | Path, *, overwrite: bool = False) -> None:
    """Require that no result is at `path` yet; call it before long work starts.

    Parameters
    ----------
    path : of a result folder.
    overwrite : a folder with content may be replaced.

    Raises
    ------
    UserError : the path is a file, has content, or holds the current or the home folder.
    """
    path = Path(os.path.abspath(path))
    if path.exists() and not path.is_dir():
        raise UserError(
            "A result folder must be a folder.", f"the file {path}", "Give another name."
        )
    if not path.is_dir() or not any(path.iterdir()):
        return
    if not overwrite:
        raise UserError(
            "An existing result is not overwritten.",
            f"{path}, which has content",
            "Give another folder, or add --overwrite.",
        )
    if any(place.is_relative_to(path) for place in (Path.cwd(), Path.home())):
        raise UserError(
            "A folder you are in cannot be replaced.", path, "Give a new folder inside it."
        )


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
    writer.writerows({name: to_plain(value) for name, value in row.items()} for row in rows)
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
    try:
        lines = decode_text(Path(path).read_bytes()).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "A table must be a readable CSV file in UTF-8.",
            f"{path} ({error})",
            "Save it as CSV UTF-8.",
        ) from error
    if lines and lines[0].lower().startswith("sep="):  # Excel's own line about the separator
        lines = lines[1:]
    if not lines:
        return []
    rows = csv.DictReader(lines, delimiter=find_delimiter(lines[0]), skipinitialspace=True)
    return [_clean_row(row) for row in rows]


def read_header(path: str | Path) -> list[str]:
    """Names of the columns of a CSV file, also of one without rows.

    Parameters
    ----------
    path : of a file as `read_csv` reads it.
    """
    lines = [line for line in decode_text(Path(path).read_bytes()).splitlines() if line]
    lines = lines[1:] if lines and lines[0].lower().startswith("sep=") else lines
    if not lines:
        return []
    cells = next(csv.reader(lines[:1], delimiter=find_delimiter(lines[0]), skipinitialspace=True))
    return [cell.strip() for cell in cells]


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


def _clean_row(row: Mapping) -> dict[str, str]:
    """A row without spaces around its cells, with points for decimals."""
    cells = {str(k).strip(): (v or "").strip() for k, v in row.items() if k is not None}
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


def _move_folder(source: Path, target: Path) -> None:
    """Move `source` to `target`; a folder there is deleted only after the new one is in place."""
    if target.is_dir() and not any(target.iterdir()):
        # Moved into, not replaced: the folder may be mounted, or be the one that the user's shell
        # stands in.
        for child in source.iterdir():
            os.replace(child, target / child.name)
        return
    aside = source.with_name(source.name + ".old")
    if target.exists():
        os.replace(target, aside)
    try:
        os.replace(source, target)
    except OSError:
        if aside.exists():
            os.replace(aside, target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> UserError:
    reason = error.strerror or type(error).__name__
    return UserError(
        "The result must be writable.",
        f"{path} ({reason})",
        "Choose another folder, or check its permissions and space.",
    )
