"""What a model says of itself: model.json, beside the files that a method writes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from nbtools import io, runtime
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
    """What model.json says."""
    return json.loads((folder / "model.json").read_text("utf-8"))
