"""A network as a SavedModel of TensorFlow, which TensorFlow runs without Keras and without nbtools.

References
----------
https://www.tensorflow.org/guide/saved_model
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from nbtools import runtime
from nbtools.errors import UserError
from nbtools.export.onnx_file import CLOSE, NAME, compare_runs, flatten

SIGNATURE = "serving_default"  # which programs that serve models look for


def write_saved_model(
    graph: keras.Model, folder: str | Path, *, grid: tuple[int, ...], output: str = "output"
) -> float:
    """Write a network as a folder of TensorFlow, and compare what both predict.

    Parameters
    ----------
    graph : of one input (B, *space, C), and any number of outputs.
    folder : of the SavedModel, with saved_model.pb and variables/; it is written in place.
    grid : steps of the sizes that the network takes, in pixels along each axis.
    output : name of the output in the signature, where the network has one only.

    Returns
    -------
    Largest difference between the outputs of both on random images of several sizes, over the
    largest value beyond 1.

    Raises
    ------
    UserError : Keras runs on another backend than TensorFlow, or the folder predicts something else
        than the network.
    """
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            "A SavedModel is written with TensorFlow behind Keras.",
            f"the backend {keras.backend.backend()}",
            "Set the environment variable KERAS_BACKEND=tensorflow, and start again.",
        )
    tensorflow = runtime.load_quietly("tensorflow")
    shape = (None, *graph.inputs[0].shape[1:])
    image = tensorflow.TensorSpec(shape, "float32", name=NAME)

    def predict(image: object) -> dict:
        named = flatten(graph(image))
        return {output if name == "output" else name: maps for name, maps in named.items()}

    holder = tensorflow.Module()
    holder.weights = [variable.value for variable in graph.variables]
    holder.predict = tensorflow.function(predict, input_signature=[image])
    tensorflow.saved_model.save(holder, str(folder), signatures={SIGNATURE: holder.predict})
    difference = compare_runs(graph, open_saved_model(folder), grid=grid)
    if not difference <= CLOSE:
        raise UserError(
            f"A SavedModel predicts what its network does, to {CLOSE}.",
            f"a difference of {difference:.2g}",
            "Export it with --format keras.",
        )
    return difference


def open_saved_model(folder: str | Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Open a SavedModel as a function of an image.

    Parameters
    ----------
    folder : with saved_model.pb and variables/.

    Returns
    -------
    (B, *space, C) float32 → its outputs in the order of their names.
    """
    tensorflow = runtime.load_quietly("tensorflow")
    loaded = tensorflow.saved_model.load(str(folder))
    run = loaded.signatures[SIGNATURE]

    def predict(image: np.ndarray) -> list[np.ndarray]:
        outputs = run(**{NAME: tensorflow.constant(image)})
        return [outputs[name].numpy() for name in sorted(outputs)]

    predict.keeps = loaded  # the weights live as long as what holds them
    return predict


def pack_saved_model(folder: Path, path: Path) -> None:
    """Pack a SavedModel into a zip, with saved_model.pb and variables/ at its top.

    Parameters
    ----------
    folder : of the SavedModel.
    path : of the zip.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
