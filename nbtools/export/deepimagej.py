"""A model as a package of bioimage.io that DeepImageJ reads in ImageJ and Fiji.

DeepImageJ runs ONNX and TensorFlow through JDLL, which takes less than the description allows:
weights are ONNX of operator sets 8 to 18 or a SavedModel in tf_weights.zip; the inputs and outputs
of its signature have the names of the tensors; a percentile is the grey value at that rank, without
interpolation; steps of the grey scale name no axes, and a clip has both limits; the model has an
id; cover and documentation are names of files, as they were up to description 0.5.10. All of this
was read in the source of JDLL; no package was run in ImageJ.

References
----------
Gómez-de-Mariscal et al. 2021, doi:10.1038/s41592-021-01262-9 (DeepImageJ); its reader is JDLL,
https://github.com/bioimage-io/JDLL.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np

from nbtools import runtime
from nbtools.errors import UserError
from nbtools.export.bioimageio import (
    OPSET,
    OUTPUT,
    PERCENT,
    Exported,
    Style,
    list_remarks,
    point_to,
    run_example,
    spread,
    write_files,
)
from nbtools.export.model_card import ModelCard
from nbtools.export.onnx_file import write_onnx
from nbtools.export.saved_model import pack_saved_model, write_saved_model
from nbtools.methods.keras_method import KerasMethod
from nbtools.normalize import MOMENTS

WEIGHTS = "tf_weights.zip"  # the name that its reader looks for
VERSION = "0.5.10"  # of the description: the last one with cover and documentation as plain names
LEAST = -1e6  # of a clip, which must have a lower limit: below every scaled grey value


def write_package(method: KerasMethod, path: Path, *, card: ModelCard | None = None) -> None:
    """Write a package for DeepImageJ: a zip, installed there with "DeepImageJ Install Model".

    Parameters
    ----------
    method : trained, with one network from an image to maps on a grid.
    path : of the zip; it is written in place.
    card : what only its authors know.

    Raises
    ------
    UserError : packages of the extra "export" are missing, or DeepImageJ cannot scale the grey
        values as the network needs them.
    """
    found = run_example(method)
    require_scale(found)
    write_files(found, path, card=card or ModelCard(), style=STYLE)


def require_scale(found: Exported) -> None:
    """Refuse several channels that are scaled one by one.

    Parameters
    ----------
    found : the network and what it gives for one image.

    Raises
    ------
    UserError : its reader scales all channels of an image together.
    """
    channels = found.image.shape[-1]
    if found.method.scale is None and channels > 1:
        raise UserError(
            "DeepImageJ scales the channels of an image together, or has one channel.",
            f"a model of {channels} channels, each with a grey scale of its own",
            "Export it with --format bioimageio, and run it with bioimageio.core.",
        )


def adapt(about: dict) -> dict:
    """The description as its reader takes it.

    Parameters
    ----------
    about : all of rdf.yaml but the weights.
    """
    about = about | {"format_version": VERSION, "documentation": about["documentation"]["source"]}
    about["covers"] = [cover["source"] for cover in about["covers"]]
    about["inputs"] = [
        one | {"preprocessing": [_adapt_step(step) for step in one["preprocessing"]]}
        for one in about["inputs"]
    ]
    name = re.sub(r"[^a-z0-9]+", "-", about["name"].lower()).strip("-")
    # without an id, and settings of any program, its reader stops
    return about | {"id": f"nbtools-{name}", "config": {"nbtools": {"made_for": "DeepImageJ"}}}


def _adapt_step(step: dict) -> dict:
    """A step that names no axes, all of an image, and a clip with both limits."""
    values = {key: value for key, value in step["kwargs"].items() if key != "axes"}
    if step["id"] == "clip":
        values = {"min": LEAST} | values
    return step | {"kwargs": values}


def list_its_remarks(found: Exported) -> list[str]:
    """Sentences on what DeepImageJ does otherwise, with what was measured.

    Parameters
    ----------
    found : the network and what it gives for one image.
    """
    remarks = [one for one in list_remarks(found) if not one.startswith("Weights are ONNX")]
    if found.method.scale is None and found.method.normalization is not MOMENTS:
        maps = np.asarray(found.graph(scale_by_rank(found)))
        apart = float(np.abs(maps - found.maps).max())
        remarks.append(
            "DeepImageJ takes the grey value at the rank of a percentile, and does not interpolate:"
            f" largest difference of the maps on the test image {apart:.2g}."
        )
    remarks.append("Labels are made in ImageJ from the maps, by a threshold; nbtools does more.")
    return remarks


def scale_by_rank(found: Exported) -> np.ndarray:
    """The test image, scaled by percentiles as JDLL finds them.

    Parameters
    ----------
    found : the network and what it gives for one image.

    Returns
    -------
    (1, *space, C) float32.
    """
    ordered = np.sort(found.image, axis=None)
    shares = np.array(PERCENT[found.method.normalization]) / 100
    ranks = np.minimum((ordered.size * shares).astype(int), ordered.size - 1)
    return spread(found.method, found.image, limits=ordered[ranks])


def _write_weights(found: Exported, folder: Path) -> dict:
    """A SavedModel in a zip, and ONNX."""
    grid = found.grid
    write_onnx(found.graph, folder / "weights.onnx", grid=grid)
    with tempfile.TemporaryDirectory() as place:
        write_saved_model(found.graph, place, grid=grid, output=OUTPUT)
        pack_saved_model(Path(place), folder / WEIGHTS)
    first, versions = "tensorflow_saved_model_bundle", runtime.versions()
    return {
        first: point_to(folder, WEIGHTS) | {"tensorflow_version": versions["tensorflow"]},
        "onnx": point_to(folder, "weights.onnx") | {"opset_version": OPSET, "parent": first},
    }


STYLE = Style(_write_weights, adapt, list_its_remarks)
