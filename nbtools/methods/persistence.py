"""Models on disk: model.json, and the files that a method writes beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io, runtime
from nbtools.methods.domain import Domain

if TYPE_CHECKING:
    from nbtools.methods import Method


def save(method: Method, folder: Path) -> None:
    """Write a method into a folder: model.json, and its weights beside it.

    Parameters
    ----------
    method : trained.
    folder : exists.
    """
    about = {
        "method": method.name,
        "settings": method.settings.to_dict(),
        "tuned": method.tuned,
        **asdict(method.domain),
        "axes": method.domain.axes,
        "versions": runtime.versions(),
    }
    io.write_json(folder / "model.json", about | method.describe_model())
    method.save_weights(folder)


def load(cls: type[Method], folder: Path, *, weights: str | None = None) -> Method:
    """Load a method of a class from its folder; no code from the files runs.

    Parameters
    ----------
    cls : class of the method.
    folder : of the model.
    weights : "best" or "last", where other weights are wanted than those that training chose.

    Raises
    ------
    UserError : files are missing, damaged, or of another network; or these weights were not kept.
    """
    about = read_about(folder)
    method = cls(cls.Settings.from_dict(about["settings"]))
    method.domain, method.tuned = Domain.from_dict(about), about.get("tuned", {})
    method.load_weights(folder)
    if weights is not None:
        method.change_weights(folder, weights)
    return method


def read_about(folder: Path) -> dict:
    """What model.json says."""
    return json.loads((folder / "model.json").read_text("utf-8"))
