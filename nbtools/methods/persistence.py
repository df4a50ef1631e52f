"""What a model says of itself: model.json, beside the files that a method writes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from nbtools import documents, io, runtime
from nbtools.errors import UserError
from nbtools.methods.domain import Domain


def write_about(folder: Path, about: dict, *, domain: Domain) -> None:
    """Write model.json.

    Parameters
    ----------
    folder : of the model; exists.
    about : plain JSON values: method, settings, decoding values that were tuned, and what else the
        method has to remember.
    domain : what the model was trained on.
    """
    known = {**asdict(domain), "axes": domain.axes, "versions": runtime.versions()}
    io.write_json(folder / "model.json", known | about)


def read_about(folder: Path) -> dict:
    """What model.json says; a UserError where it says what no model can be."""
    return documents.read_document(folder / "model.json")


def require_part(about: dict, key: str, *, folder: Path, holds: str = "") -> dict:
    """A part of model.json that a method cannot do without.

    Parameters
    ----------
    about : model.json.
    key : of the part.
    folder : of the model, for the message.
    holds : a key that the part must have.

    Raises
    ------
    UserError : it is missing, or a sentence stands in its place.
    """
    part = about.get(key)
    if not isinstance(part, dict) or (holds and part.get(holds) is None):
        raise UserError(
            f"model.json of this method must have the key {'.'.join(filter(None, (key, holds)))}.",
            folder / "model.json",
            "Copy the whole folder of the model again, or train again.",
        )
    return part
