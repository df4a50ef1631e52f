"""A network as ONNX: a graph of stock operators, which runs without Keras and without nbtools."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nbtools import runtime
from nbtools.errors import UserError
from nbtools.inference.onnx_session import WHY, open_session

OPSET = 15  # which the programs that run models of bioimage.io know
TRIES = 3  # the converter goes through its graph in the order of sets, not always to a good end
CLOSE = 1e-4  # difference between both outputs, over the largest value beyond 1
SIDE = 16  # pixels of the smallest image that both are compared on, or the next multiple of a step
SIZES = 3  # images of different size that both are compared on
NAME = "image"  # of the input


def write_onnx(
    graph: keras.Model, path: str | Path, *, grid: tuple[int, ...], about: dict | None = None
) -> float:
    """Write a network as an ONNX file, and compare what both predict.

    Parameters
    ----------
    graph : of one input (B, *space, C), and any number of outputs; without layers that draw.
    path : of the file; it is written in place.
    grid : steps of the sizes that the network takes, in pixels along each axis.
    about : plain values that the file holds beside the graph, under the name "nbtools".

    Returns
    -------
    Largest difference between the outputs of ONNX Runtime and of Keras on random images of several
    sizes, over the largest value beyond 1.

    Raises
    ------
    UserError : packages of the extra "export" are missing; Keras runs on another backend than
        TensorFlow; or the file predicts something else than the network.

    References
    ----------
    Open Neural Network Exchange, https://onnx.ai; tf2onnx, https://github.com/onnx/tensorflow-onnx.

    Examples
    --------
    >>> import tempfile
    >>> x = keras.Input((None, None, 1))
    >>> net = keras.Model(x, keras.layers.Conv2D(2, 3, padding="same")(x))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_onnx(net, Path(folder) / "net.onnx", grid=(1, 1)) < CLOSE  # doctest: +SKIP
    True
    """
    for name in ("onnx", "tf2onnx", "onnxruntime"):
        runtime.require_package(name, extra="export", why=WHY)
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            "ONNX files are written with TensorFlow behind Keras.",
            f"the backend {keras.backend.backend()}",
            "Set the environment variable KERAS_BACKEND=tensorflow, and start again.",
        )
    shape = (None, *graph.inputs[0].shape[1:])
    image = keras.InputSpec(dtype="float32", shape=shape, name=NAME)
    for _ in range(TRIES):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a bridge of tf2onnx to NumPy 2
            graph.export(
                path, format="onnx", verbose=False, opset_version=OPSET, input_signature=[image]
            )
        _describe(graph, Path(path), about=about or {})
        difference = compare(graph, path, grid=grid)
        if difference <= CLOSE:
            break
    if not difference <= CLOSE:
        raise UserError(
            f"An ONNX file predicts what its network does, to {CLOSE}.",
            f"a difference of {difference:.2g}",
            "Export it with --format keras.",
        )
    return difference


def compare(graph: keras.Model, path: str | Path, *, grid: tuple[int, ...]) -> float:
    """Compare an ONNX file with the network it was written from.

    Parameters
    ----------
    graph : (B, *space, C) → one output or several.
    path : of the file.
    grid : steps of the sizes that the network takes, in pixels along each axis.

    Returns
    -------
    Largest difference of the outputs on random images, each one step larger than the one before,
    over the largest value beyond 1; infinite where a value is missing.
    """
    session = open_session(path)
    return compare_runs(graph, lambda image: session.run(None, {NAME: image}), grid=grid)


def compare_runs(
    graph: keras.Model,
    run: Callable[[np.ndarray], list[np.ndarray]],
    *,
    grid: tuple[int, ...],
) -> float:
    """Compare a network with what was written of it.

    Parameters
    ----------
    graph : (B, *space, C) → one output or several.
    run : the same, of another program; outputs in the order of their names.
    grid : steps of the sizes that the network takes, in pixels along each axis.

    Returns
    -------
    As `compare`.
    """
    rng, largest = np.random.default_rng(0), 0.0
    for space in list_sizes(graph, grid=grid):
        image = rng.random((1, *space, graph.inputs[0].shape[-1]), np.float32)
        wanted = flatten(graph(image))
        for found, one in zip(run(image), wanted.values(), strict=True):
            true = np.asarray(one)
            same = found.shape == true.shape and bool(np.isfinite(found).all())
            scale = max(1.0, float(np.abs(true).max()))
            apart = float(np.abs(found - true).max()) / scale if same else float("inf")
            largest = max(largest, apart)
    return largest


def list_sizes(
    graph: keras.Model, *, grid: tuple[int, ...], count: int = SIZES
) -> Iterator[tuple[int, ...]]:
    """Spatial shapes that a network takes: the smallest one to try, and further ones in steps.

    Parameters
    ----------
    graph : (B, *space, C) → maps.
    grid : steps of the sizes that the network takes, in pixels along each axis of the image; of a
        network of planes the last two count.
    count : of the shapes; one only, where the network has a fixed size.
    """
    fixed = graph.inputs[0].shape[1:-1]
    for step in range(count):
        sizes = [(-(-SIDE // cell) + step) * cell for cell in grid[-len(fixed) :]]
        yield tuple(known or size for known, size in zip(fixed, sizes, strict=True))
        if None not in fixed:
            return


def _describe(graph: keras.Model, path: Path, *, about: dict) -> None:
    """Name the outputs, and the axes of input and outputs, and add what is known beside."""
    onnx = runtime.require_package("onnx", extra="export", why=WHY)
    model = onnx.load(path)
    names = list(flatten(graph.output))
    given = {old.name: new for old, new in zip(model.graph.output, names, strict=True)}
    for node in model.graph.node:
        node.output[:] = [given.get(name, name) for name in node.output]
        node.input[:] = [given.get(name, name) for name in node.input]
    for value in model.graph.output:
        value.name = given[value.name]
    axes = ["batch", *"zyx"[-(len(graph.inputs[0].shape) - 2) :], "channel"]
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        # a coarser output has other sizes than the input, and a class of an image no space
        own = "" if value.name == NAME else f"{value.name}_"
        for dim, axis in zip(dims, axes, strict=False):
            if not dim.dim_value:
                dim.dim_param = axis if axis == "batch" else own + axis
    onnx.helper.set_model_props(model, {"nbtools": json.dumps(about)})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def flatten(outputs: Any) -> dict[str, Any]:
    """Outputs of a network by name, in the order of the file.

    Parameters
    ----------
    outputs : one, a list, or a dictionary by name.
    """
    if isinstance(outputs, dict):
        return {name: outputs[name] for name in sorted(outputs)}
    if isinstance(outputs, list | tuple) and len(outputs) > 1:
        return {f"output_{number}": one for number, one in enumerate(outputs)}
    return {"output": outputs[0] if isinstance(outputs, list | tuple) else outputs}
