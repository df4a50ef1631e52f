"""Models for other programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nbtools import io, runtime
from nbtools.errors import UserError, require_choice
from nbtools.export.model_card import ModelCard


def write_model(
    method: Any,
    path: str | Path,
    *,
    format: str = "keras",
    card: ModelCard | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a method, or its network, for another program, whole or not at all.

    Parameters
    ----------
    method : a trained method with a Keras network; for "biaflows" any that segments.
    path : of the file, or of a new folder; the suffix of the format is added where it is missing.
    format : "keras": one .keras file, uncompiled, which keras.saving.load_model(path,
        safe_mode=True) reads, without nbtools where `stock_layers.find_own_layers` names none;
        "onnx": a graph of stock operators with float32 weights, compared with the network;
        "bioimageio": a zip with both, and all that using them needs;
        "deepimagej": the same for DeepImageJ, with ONNX and a SavedModel;
        "savedmodel": a folder of TensorFlow, compared with the network;
        "biaflows": a folder with descriptor.json, wrapper.py, Dockerfile and the model.
    card : what only its authors know, for a package of bioimage.io or a workflow.
    overwrite : a folder that nbtools wrote is replaced; a file is replaced in any case.

    Returns
    -------
    Path : of the file or folder.

    Raises
    ------
    UserError : an unknown format, a method that has no network or one of two stages, or packages
        that are missing.
    """
    require_choice(format, FORMATS, rule="A model is exported in a known format.")
    if format not in WHOLE:
        _require_graph(method)
    suffix, write = FORMATS[format]
    write = partial(write, card=card) if card else write
    path = Path(path)
    path = path if path.name.endswith(suffix) else path.with_name(path.name + suffix)
    place = io.atomic_write(path) if suffix else io.new_folder(path, overwrite=overwrite)
    with place as temporary:
        write(method, temporary)
    return path


def _require_graph(method: Any) -> None:
    """A UserError where a method has no network, or one of two stages."""
    if getattr(method, "model", None) is None:
        raise UserError(
            "Only a trained network can be exported.",
            f"{getattr(method, 'name', method)}, which has none",
            "Train a method with a network first: nbtools methods lists them.",
        )
    if not getattr(method, "is_one_graph", True):
        raise UserError(
            "A network that is exported is one graph from image to maps.",
            f"{method.name}, which has two stages with a decision between them",
            "Train retinanet or yolo, or export the boxes of a result.",
        )


def _write_keras(method: Any, path: Path) -> None:
    # without optimizer and loss, which belong to the backend and the package of the training
    runtime.load_quietly("nbtools.export.stock_layers").build_graph(method).save(path)


def _write_onnx(method: Any, path: Path) -> None:
    graph = runtime.load_quietly("nbtools.export.stock_layers").build_graph(method)
    about = {"method": method.name, "axes": method.domain.axes} | method.describe_scaling()
    onnx_file = runtime.load_quietly("nbtools.export.onnx_file")
    onnx_file.write_onnx(graph, path, grid=method.field.grid, about=about)


def _write_bioimageio(method: Any, path: Path, *, card: ModelCard | None = None) -> None:
    package = runtime.load_quietly("nbtools.export.bioimageio")
    package.write_package(method, path, card=card)


def _write_deepimagej(method: Any, path: Path, *, card: ModelCard | None = None) -> None:
    package = runtime.load_quietly("nbtools.export.deepimagej")
    package.write_package(method, path, card=card)


def _write_saved_model(method: Any, path: Path) -> None:
    graph = runtime.load_quietly("nbtools.export.stock_layers").build_graph(method)
    saved_model = runtime.load_quietly("nbtools.export.saved_model")
    saved_model.write_saved_model(graph, path, grid=method.field.grid)


def _write_biaflows(method: Any, path: Path, *, card: ModelCard | None = None) -> None:
    workflow = runtime.load_quietly("nbtools.export.biaflows")
    workflow.write_workflow(method, path, card=card)


# suffix, "" of a folder
FORMATS: dict[str, tuple[str, Callable[..., None]]] = {
    "keras": (".keras", _write_keras),
    "onnx": (".onnx", _write_onnx),
    "bioimageio": (".zip", _write_bioimageio),
    "deepimagej": (".zip", _write_deepimagej),
    "savedmodel": ("", _write_saved_model),
    "biaflows": ("", _write_biaflows),
}
PACKAGES = ("bioimageio", "deepimagej")  # of bioimage.io
WHOLE = ("biaflows",)  # formats that hold the method, not its network alone
CARDED = (*PACKAGES, *WHOLE)  # formats that hold a card
