"""Models for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbtools import io, runtime
from nbtools.errors import UserError, require_choice


def write_model(method: Any, path: str | Path, *, format: str = "keras") -> Path:
    """Write the network of a trained method for another program, whole or not at all.

    Parameters
    ----------
    method : a trained method with a Keras network.
    path : of the file; the suffix of the format is added where it is missing.
    format : "keras": one .keras file, uncompiled, which keras.saving.load_model(path,
        safe_mode=True) reads, without nbtools where `stock_layers.find_own_layers` names none.

    Returns
    -------
    Path : of the file.

    Raises
    ------
    UserError : an unknown format, or a method that has no network.
    """
    require_choice(format, FORMATS, rule="A model is exported in a known format.")
    if getattr(method, "model", None) is None:
        raise UserError(
            "Only a trained network can be exported.",
            f"{getattr(method, 'name', method)}, which has none",
            "Train a method with a network first: nbtools methods lists them.",
        )
    suffix, write = FORMATS[format]
    path = Path(path)
    path = path if path.name.endswith(suffix) else path.with_name(path.name + suffix)
    with io.atomic_write(path) as temporary:
        write(method, temporary)
    return path


def _write_keras(method: Any, path: Path) -> None:
    # without optimizer and loss, which belong to the backend and the package of the training
    runtime.load_quietly("nbtools.export.stock_layers").build_graph(method).save(path)


FORMATS: dict[str, tuple[str, Callable[[Any, Path], None]]] = {"keras": (".keras", _write_keras)}
