"""Stored documents: one way to read each, for all that comes from a file is a stranger's.

Documents of ours are declared (`kinds`), read within limits (`text`, `arrays`, `xml`), and names
in them are no paths (`places`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbtools.documents.arrays import DAMAGES, WEIGHTS, ArrayFile, Damaged
from nbtools.documents.places import (
    is_plain_name,
    is_special,
    leaves_folder,
    require_plain_file,
)
from nbtools.documents.text import (
    MOST_BYTES,
    MOST_BYTES_TOML,
    parse_json,
    parse_toml,
    read_bytes,
    read_json,
    read_text,
    read_yaml,
    shorten,
)
from nbtools.documents.xml import parse_xml
from nbtools.errors import UserError

__all__ = [
    "DAMAGES",
    "WEIGHTS",
    "ArrayFile",
    "Damaged",
    "find_note",
    "is_plain_name",
    "is_special",
    "leaves_folder",
    "parse_json",
    "parse_toml",
    "parse_xml",
    "read_bytes",
    "read_document",
    "read_json",
    "read_text",
    "read_yaml",
    "require_document",
    "require_plain_file",
    "shorten",
]

REMEDIES = {
    "model.json": "Copy the whole folder of the model again, or train again.",
    "recipe.json": "Give the recipe.json in the folder of a model, as nbtools train wrote it.",
    "dataset.toml": 'Write lines such as: axes = "ZYX" and spacing_um = [0.5, 0.2, 0.2].',
    "config.json": "Give the folder that the stardist or csbdeep package wrote.",
    "thresholds.json": "Give the folder that the stardist package wrote.",
    "checkpoint": "Train anew into another folder.",
}
WORDS = {  # where those of pydantic would not be clear
    "too_short": "must have {min_length} values or more",
    "too_long": "must have {max_length} values at most",
    "string_pattern_mismatch": "must be a word of the right form",
    "extra_forbidden": "is not known",
    "model_type": "must hold keys with values",
    "dict_type": "must hold keys with values",
    "list_type": "must be a list",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
}
USUAL = "Copy the whole folder again, as nbtools wrote it."


def read_document(path: str | Path, kind: str = "") -> dict[str, Any]:
    """Read a document that the toolkit stored, as plain values that are what they should be.

    Parameters
    ----------
    path : of a JSON or TOML file.
    kind : one of `kinds.KINDS`; by default the name of the file.

    Raises
    ------
    UserError : no such file, too large, damaged, or a value of another type or out of its bounds;
        the message names the file and the key.
    """
    path, kind = Path(path), kind or Path(path).name
    remedy = REMEDIES.get(kind.split(" ")[0], USUAL)
    toml = path.suffix == ".toml"
    text = read_text(path, most=MOST_BYTES_TOML if toml else MOST_BYTES)
    values = (parse_toml if toml else parse_json)(text, path, remedy=remedy)
    return require_document(values, kind, source=path)


def require_document(values: object, kind: str, *, source: object) -> dict[str, Any]:
    """The values of a document, which must be what its declaration says.

    Parameters
    ----------
    values : as they were read.
    kind : one of `kinds.KINDS`.
    source : the file, for the message.

    Raises
    ------
    UserError : a value of another type, or out of its bounds; the message names the key.

    Examples
    --------
    >>> require_document({"shape": [8, 8], "unit": "um"}, "note", source="a.png")["shape"]
    [8, 8]
    """
    from pydantic import ValidationError

    from nbtools.documents.kinds import KINDS

    name = kind.split(" ")[0]
    if not isinstance(values, Mapping):
        received = f"{source}, which holds {shorten(repr(values))}"
        raise UserError(f"{name} holds keys with values.", received, REMEDIES.get(name, USUAL))
    try:
        KINDS[kind].model_validate(values)
    except ValidationError as error:
        raise UserError(
            f"{name} must hold values of the right kind.",
            f"{source}: {_describe(error.errors(include_url=False), values)}",
            REMEDIES.get(name, USUAL),
        ) from error
    return dict(values)


def find_note(text: object) -> dict[str, Any]:
    """Our note in an image file; {} where there is none, or somebody else's.

    Parameters
    ----------
    text : JSON text, or its values.
    """
    try:
        values = parse_json(text, "note") if isinstance(text, str) else text
        inner = values.get("nbtools", values) if isinstance(values, Mapping) else values
        return require_document(inner, "note", source="note")
    except UserError:
        return {}


def _describe(errors: Sequence[Mapping[str, Any]], values: object) -> str:
    """The first problem of a document: key, what it must be, and what it is.

    Of a value that may be of several types, the type that it comes closest to counts.
    """
    same = [one for one in errors if one["loc"][:1] == errors[0]["loc"][:1]]
    error = max(same, key=lambda one: len(_list_keys(one["loc"], values)))
    if error["type"] == "missing":
        return f"{'.'.join(map(str, error['loc']))} is missing"
    message = WORDS.get(error["type"], str(error["msg"]))
    message = message.removeprefix("Input ")
    message = message.format(**error.get("ctx", {})).replace("should be", "must be")
    message = message.partition(" or instance of ")[0]
    where = shorten(".".join(_list_keys(error["loc"], values)))
    return f"{where} {message}, not {shorten(repr(error['input']), most=40)}".strip()


def _list_keys(place: tuple, values: object) -> list[str]:
    """The keys of a place, without the names that pydantic gives to alternatives of a type."""
    keys = []
    for key in place:
        try:
            values = values[key]
        except (LookupError, TypeError):
            continue
        keys.append(str(key))
    return keys
