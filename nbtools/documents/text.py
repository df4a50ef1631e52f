"""Text, JSON, TOML and YAML, read within limits: size, depth, and what can be text at all."""

from __future__ import annotations

import datetime
import json
import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbtools.documents.places import require_plain_file
from nbtools.errors import UserError

MB = 2**20
MOST_BYTES = 64 * MB  # of a document of ours
MOST_BYTES_FOREIGN = 1024 * MB  # of annotations that other programs wrote
MOST_BYTES_TOML = 4 * MB
DEEPEST = 48  # levels of lists and tables inside each other
LARGEST = 2**64  # whole numbers; no setting, size or seed comes near
SHOWN = 60  # letters of a value that a message shows


def read_text(path: str | Path, *, most: int = MOST_BYTES) -> str:
    """Read a file of text in UTF-8, with or without a byte-order mark.

    Parameters
    ----------
    path : of the file.
    most : bytes; a larger file is refused before it is read.

    Raises
    ------
    UserError : no such file, a pipe or device, too large, or no text.
    """
    try:
        text = read_bytes(path, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refuse_text(path, shorten(error)) from error
    if "\0" in text:
        raise _refuse_text(path, "bytes of zero")
    return text


def read_bytes(path: str | Path, *, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file that holds text of any kind.

    Parameters
    ----------
    path : of the file.
    most : bytes; a larger file is refused before it is read.

    Raises
    ------
    UserError : no such file, a pipe or device, or too large.
    """
    path = Path(path)
    require_plain_file(path)
    try:
        size = path.stat().st_size
        if size > most:
            raise UserError(
                f"A document has at most {most / MB:g} MB.",
                f"{path} with {size / MB:.0f} MB",
                "Give the file that the program wrote, or split it.",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _refuse_text(path, shorten(getattr(error, "strerror", None) or error)) from error


def _refuse_text(path: str | Path, reason: str) -> UserError:
    return UserError(
        "A document must be a readable file of text in UTF-8.",
        f"{path} ({reason})",
        "Copy the whole folder again, or save the file as UTF-8.",
    )


def parse_json(text: str | bytes, source: object, *, remedy: str = "") -> Any:
    """The values of a JSON text.

    Parameters
    ----------
    text : of a document, or of a note in an image file.
    source : the file, for the message.
    remedy : in place of the usual one.

    Raises
    ------
    UserError : no JSON, nested too deeply, or with values that no program of ours can use.
    """
    return _parse(json.loads, "JSON", text=text, source=source, remedy=remedy)


def parse_toml(text: str, source: object, *, remedy: str = "") -> dict[str, Any]:
    """The values of a TOML text, as `parse_json` does it."""
    return _parse(tomllib.loads, "TOML", text=text, source=source, remedy=remedy)


def read_yaml(path: str | Path, *, most: int = MOST_BYTES, remedy: str = "") -> Any:
    """The values of a YAML file that another program wrote, in plain types alone.

    Parameters
    ----------
    path : of the file.
    most : bytes.
    remedy : in place of the usual one.

    Raises
    ------
    UserError : as of `read_text` and `parse_json`; or PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise UserError(
            "YAML files are read by a package of its own.",
            "a Python without PyYAML",
            "Type: pip install pyyaml.",
        ) from error

    remedy = remedy or "Copy the whole folder again, or write the file anew."
    text = read_text(path, most=most)
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise yaml.YAMLError("an alias, of which a few lines can stand for all memory")
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = shorten(error, most=120)
        rule = f"{Path(path).name} must be a valid YAML file."
        raise UserError(rule, f"{path} ({reason})", remedy) from error
    return _parse(_without_dates, "YAML", text=value, source=path, remedy=remedy)


def _without_dates(value: Any) -> Any:
    """The same with dates as text."""
    if isinstance(value, dict):
        return {str(key): _without_dates(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_dates(one) for one in value]
    return str(value) if isinstance(value, datetime.date) else value


def read_json(path: str | Path, *, most: int = MOST_BYTES_FOREIGN, remedy: str = "") -> Any:
    """The values of a JSON file that another program wrote; see `read_document` for ours.

    Parameters
    ----------
    path : of the file.
    most : bytes.
    remedy : in place of the usual one.

    Raises
    ------
    UserError : as of `read_text` and `parse_json`.
    """
    return parse_json(read_text(path, most=most), path, remedy=remedy)


def shorten(value: object, *, most: int = SHOWN) -> str:
    """A value in one line of at most `most` letters."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _parse(read: Any, kind: str, *, text: str | bytes, source: object, remedy: str) -> Any:
    rule = f"{Path(str(source)).name} must be a valid {kind} file."
    remedy = remedy or "Copy the whole folder again, or write the file anew."
    try:
        value = read(text)
    except (ValueError, TypeError) as error:
        raise UserError(rule, f"{source} ({shorten(error, most=120)})", remedy) from error
    except RecursionError:
        raise UserError(rule, f"{source}, nested without end", remedy) from None
    if problem := _find_problem(value):
        raise UserError(rule, f"{source}, {problem}", remedy)
    return value


def _find_problem(value: object) -> str:
    """What is wrong with the values of a document, whatever it is of; "" where nothing is."""
    level: Iterable[object] = [value]
    for _ in range(DEEPEST):
        level = list(level)
        if problem := next(filter(None, map(_judge, level)), ""):
            return problem
        level = [inner for outer in level for inner in _list_inner(outer)]
        if not level:
            return ""
    return f"nested more than {DEEPEST} levels deep"


def _list_inner(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _judge(value: object) -> str:
    if isinstance(value, str):
        if "\0" in value:
            return "with a zero in a text"
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return "with half a letter in a text"
    elif isinstance(value, float) and not math.isfinite(value):
        return "with a number that is not finite"
    elif isinstance(value, int) and abs(value) > LARGEST:
        return f"with a number beyond {LARGEST:.0e}"
    return ""
