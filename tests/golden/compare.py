"""Differences between golden documents and those of today, where names may be translated."""

from __future__ import annotations

import fnmatch
import tomllib
from pathlib import Path

import numpy as np

RENAMES = tomllib.loads((Path(__file__).parent / "renames.toml").read_text("utf-8"))
VOLATILE = ("seconds", "versions", "command", "decoded_by", "sha256", "passport", "lesson")
PROSE = ("message", "remedy", "why", "help", "title", "note", "notes", "warnings", "size", "page")


def translate(word: object) -> tuple:
    """The word as it was, and what it is called today."""
    new = [RENAMES[table].get(word) for table in ("words", "keys", "options")]
    return (word, *(n for n in new if n is not None)) if isinstance(word, str) else (word,)


def mask(document: object) -> object:
    """The document without what differs from run to run, or with the wording."""
    if isinstance(document, list):
        return [mask(part) for part in document]
    if not isinstance(document, dict):
        return document
    skipped = (*VOLATILE, *PROSE)
    return {key: None if key in skipped else mask(value) for key, value in document.items()}


def find_differences(golden: object, found: object, where: str = "", *, exact: bool) -> list[str]:
    """A line for each thing that is lost or another; what is new beside the old is no difference.

    exact : numbers are compared, too, which only the same machine can promise.
    """
    if any(fnmatch.fnmatch(where, pattern) for pattern in RENAMES["changed"]):
        return []
    if isinstance(golden, dict) and isinstance(found, dict):
        return _compare_dicts(golden, found, where, exact=exact)
    if isinstance(golden, list) and isinstance(found, list):
        return _compare_lists(golden, found, where, exact=exact)
    if _is_number(golden) and _is_number(found):
        same = not exact or bool(np.isclose(golden, found, rtol=1e-5, atol=1e-8))
    else:
        same = found in translate(golden)
    return [] if same else [f"{where}: {golden!r} is now {found!r}"]


def _compare_dicts(golden: dict, found: dict, where: str, *, exact: bool) -> list[str]:
    lines = []
    for key, value in golden.items():
        today = next((k for k in translate(key) if k in found), None)
        if today is None:
            lines.append(f"{where}.{key}: lost")
        elif key not in (*VOLATILE, *PROSE):
            lines += find_differences(value, found[today], f"{where}.{key}", exact=exact)
    return lines


def _compare_lists(golden: list, found: list, where: str, *, exact: bool) -> list[str]:
    if golden and all(isinstance(row, dict) and "name" in row for row in [*golden, *found]):
        named = ({row["name"]: row for row in rows} for rows in (golden, found))
        return _compare_dicts(*named, where, exact=exact)
    if golden and all(isinstance(word, str) for word in golden):
        lost = [word for word in golden if not set(translate(word)) & set(found)]
        return [f"{where}: {word!r} is lost" for word in lost]
    if len(golden) != len(found):
        return [f"{where}: {len(golden)} entries are now {len(found)}"] if exact else []
    lines = []
    for i, (one, other) in enumerate(zip(golden, found, strict=True)):
        lines += find_differences(one, other, f"{where}.{i}", exact=exact)
    return lines


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
