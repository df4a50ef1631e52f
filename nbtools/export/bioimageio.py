"""A model as a package of bioimage.io: weights for Keras and ONNX, and all that using them needs.

References
----------
Ouyang et al. 2022, doi:10.1101/2022.06.07.495102 (BioImage Model Zoo); the description is that of
https://bioimage-io.github.io/spec-bioimage-io, model 0.5.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nbtools import data, io, methods, runtime
from nbtools.errors import UserError
from nbtools.export.model_card import ModelCard, draw_cover, write_readme
from nbtools.export.onnx_file import OPSET, SIDE, write_onnx
from nbtools.export.stock_layers import adds_steps, build_graph, find_own_layers
from nbtools.inference.onnx_session import WHY
from nbtools.io.folders import hash_file
from nbtools.methods.keras_method import KerasMethod
from nbtools.normalize import MIN_MAX, MOMENTS, PERCENTILES, ROBUST
from nbtools.normalize.robust import HIGHEST

VERSION = "0.5.12"  # of the description
EPSILON = 1e-6  # what the format adds to a factor of the grey scale
INPUT, OUTPUT = "image", "maps"
FOREIGN = re.compile(r"[^A-Za-z0-9_+\- ()]")  # what the name of a package may not hold
MARGIN = (
    "Programs may mirror a margin as wide as the halo around an image before they scale its grey "
    "values (bioimageio.core does from 0.11 on); nbtools adds none. Maps then differ, most of all "
    "near the border of the image: in bioimageio.core skip_input_padding and skip_output_cropping "
    "leave the margin away."
)
PERCENT = {PERCENTILES: (1.0, 99.8), ROBUST: (1.0, 99.8), MIN_MAX: (0.0, 100.0)}


@dataclass(frozen=True)
class Exported:
    """The network of a package, and what it gives for one image.

    Parameters
    ----------
    method : trained.
    graph : (B, *space, C) → (B, *space, K).
    image : (1, *space, C) float32 grey values.
    maps : (1, *space, K) float32 of that image, scaled as the package declares.
    difference : largest one between these maps and those of nbtools' own grey scale.
    """

    method: KerasMethod
    graph: keras.Model
    image: np.ndarray
    maps: np.ndarray
    difference: float

    @property
    def axes(self) -> str:
        """Spatial axes of the network, in small letters: y and x where a flat one sees planes."""
        return self.method.domain.axes.lower()[-(self.image.ndim - 2) :]

    @property
    def grid(self) -> tuple[int, ...]:
        """Steps of the sizes that the network takes, along each of its axes."""
        return self.method.field.grid[-len(self.axes) :]

    @property
    def stride(self) -> tuple[int, ...]:
        """Pixels of the image per pixel of the maps, along each axis."""
        sizes = zip(self.image.shape[1:-1], self.maps.shape[1:-1], strict=True)
        return tuple(inside // outside for inside, outside in sizes)


def write_package(method: KerasMethod, path: Path, *, card: ModelCard | None = None) -> None:
    """Write a package of bioimage.io: a zip with rdf.yaml, weights, test arrays and documentation.

    Parameters
    ----------
    method : trained, with one network from an image to maps on a grid.
    path : of the zip; it is written in place.
    card : what only its authors know.

    Raises
    ------
    UserError : packages of the extra "export" are missing, or the format cannot hold the network.
    """
    write_files(run_example(method), path, card=card or ModelCard(), style=STYLE)


@dataclass(frozen=True)
class Style:
    """What differs between packages for all programs, and those for one.

    Parameters
    ----------
    weights : writes the weights into a folder; returns their part of the description.
    adapt : changes the description.
    remarks : sentences on what the package cannot express.
    """

    weights: Callable[[Exported, Path], dict]
    adapt: Callable[[dict], dict]
    remarks: Callable[[Exported], list[str]]


def write_files(found: Exported, path: Path, *, card: ModelCard, style: Style) -> None:
    """Write the files of a package into a zip.

    Parameters
    ----------
    found : the network and what it gives for one image.
    path : of the zip; it is written in place.
    card : what only its authors know.
    style : for which programs it is.

    Raises
    ------
    UserError : packages of the extra "export" are missing.
    """
    yaml = runtime.require_package("yaml", extra="export", why=WHY)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        weights = style.weights(found, folder)
        np.save(folder / "input.npy", found.image)
        np.save(folder / "output.npy", found.maps)
        (folder / "cover.png").write_bytes(draw_cover(found.image, found.maps))
        write_readme(folder / "README.md", found.method, card=card, remarks=style.remarks(found))
        about = style.adapt(describe(found, card=card)) | {"weights": weights}
        text = yaml.safe_dump(io.files.to_plain(about), sort_keys=False, allow_unicode=True)
        io.write_text(folder / "rdf.yaml", text)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)


def run_example(method: KerasMethod) -> Exported:
    """Build the network of a package, and run it on an image of the samples.

    Parameters
    ----------
    method : trained.

    Raises
    ------
    UserError : the network is not one of an image to maps on a grid.
    """
    graph = build_graph(method)
    fixed = graph.inputs[0].shape[1:-1]
    space, least = len(fixed), _least_sizes(method)[-len(fixed) :]
    if isinstance(graph.output, dict | list) or not 2 <= space <= method.domain.ndim:
        raise _refuse(method)
    sizes = [known or low for known, low in zip(fixed, least, strict=True)]
    grey = take_example(tuple(sizes), channels=graph.inputs[0].shape[-1])
    scaled = np.asarray(graph(preprocess(method, grey)[None]))
    if len(scaled.shape) != space + 2:
        raise _refuse(method)
    own = grey if method.scale is not None else method.normalise(grey)
    own = own if isinstance(own, np.ndarray) else own[1].apply(own[0])
    difference = float(np.abs(np.asarray(graph(own[None])) - scaled).max())
    return Exported(method, graph, grey[None], scaled, difference)


def _refuse(method: KerasMethod) -> UserError:
    return UserError(
        "A package of bioimage.io holds a network of one image and one grid of maps.",
        f"{method.name}, whose network is another",
        "Export it with --format onnx or keras.",
    )


def _least_sizes(method: KerasMethod) -> list[int]:
    """The smallest sizes that leave something of a tile when its halo is cut off."""
    halo = find_halo(method) or (0,) * method.domain.ndim
    least = [max(SIDE, 2 * one + 1) for one in halo]
    return [-(-one // cell) * cell for one, cell in zip(least, method.field.grid, strict=True)]


def find_halo(method: KerasMethod) -> tuple[int, ...] | None:
    """Pixels at each border of a tile that the border changes: a multiple of the grid, or None.

    Parameters
    ----------
    method : trained.

    Returns
    -------
    Along each axis; None where the network depends on all of an image.
    """
    field = method.field
    if field.radius is None:
        return None
    pairs = zip(field.radius, field.grid, strict=True)
    return tuple(int(-(-radius // cell) * cell) for radius, cell in pairs)


def take_example(space: tuple[int, ...], *, channels: int) -> np.ndarray:
    """A simulated image of the samples, mirrored where it is too small.

    Parameters
    ----------
    space : spatial shape.
    channels : each the same.

    Returns
    -------
    (*space, channels) float32 grey values.
    """
    image = data.samples(f"simulated{len(space)}d").image(0)
    pixels = image.to("ZYX"[-len(space) :]).pixels.astype(np.float32)
    pairs = zip(space, pixels.shape, strict=True)
    missing = [(0, max(0, wanted - size)) for wanted, size in pairs]
    pixels = np.pad(pixels, missing, mode="symmetric")[tuple(map(slice, space))]
    return np.repeat(pixels[..., None], channels, axis=-1)


def preprocess(method: KerasMethod, grey: np.ndarray) -> np.ndarray:
    """Scale grey values as a package declares it.

    Parameters
    ----------
    method : trained.
    grey : (*space, C).

    Returns
    -------
    (*space, C) float32; unchanged where the network scales them itself.
    """
    if method.scale is not None:
        return grey
    space = tuple(range(grey.ndim - 1))
    if method.normalization is MOMENTS:
        scaled = (grey - grey.mean(space)) / (grey.std(space) + EPSILON)
        return scaled.astype(np.float32)
    limits = np.percentile(grey, PERCENT[method.normalization], axis=space)
    return spread(method, grey, limits=limits)


def spread(method: KerasMethod, grey: np.ndarray, *, limits: np.ndarray) -> np.ndarray:
    """Scale grey values to 0 … 1 between two limits, and clip them where the method does.

    Parameters
    ----------
    method : trained.
    grey : (*space, C).
    limits : lower and upper, of each channel or of all.

    Returns
    -------
    (*space, C) float32.
    """
    low, high = limits
    scaled = (grey - low) / (high - low + EPSILON)
    most = HIGHEST if method.normalization is ROBUST else None
    return np.clip(scaled, None, most).astype(np.float32)


def describe_preprocessing(found: Exported) -> list[dict]:
    """The same as the description has it, one step after the other."""
    method = found.method
    if method.scale is not None:
        return []
    about = {"axes": [*found.axes], "eps": EPSILON}
    if method.normalization is MOMENTS:
        return [{"id": "zero_mean_unit_variance", "kwargs": about}]
    low, high = PERCENT[method.normalization]
    about |= {"min_percentile": low, "max_percentile": high}
    steps = [{"id": "scale_range", "kwargs": about}]
    if method.normalization is ROBUST:
        steps.append({"id": "clip", "kwargs": {"max": HIGHEST}})
    return steps


def list_remarks(found: Exported) -> list[str]:
    """Sentences on what the package cannot express, with what was measured.

    Parameters
    ----------
    found : the network and what it gives for one image.
    """
    remarks, method = [], found.method
    if method.scale is None and method.normalization.beside:
        remarks.append(
            f"nbtools does more with grey values, which the format cannot say: "
            f"{method.normalization.beside}. Largest difference of the maps on the test image: "
            f"{found.difference:.2g}."
        )
    if len(found.axes) < method.domain.ndim:
        remarks.append(
            "The network sees planes. nbtools scales the whole volume, runs it over the planes "
            "across each axis at cubic voxels, and averages what they say; this package is of one "
            "plane."
        )
    if adds_steps(method):
        remarks.append("The network alone: what the method does with its output is left out.")
    if any(find_halo(method) or ()):
        remarks.append(MARGIN)
    if method.field.radius is None:
        remarks.append("The network depends on all of an image: tiles differ from the whole.")
    if own := find_own_layers(found.graph):
        remarks.append(f"Weights are ONNX only: {', '.join(own)} are no layers of Keras.")
    return remarks


def describe(found: Exported, *, card: ModelCard) -> dict:
    """All of rdf.yaml but the weights, as plain values."""
    row = methods.row(found.method.name)
    paper = {"text": f"{row.paper.title} ({row.paper.year})", "doi": row.paper.doi}
    about = {
        "type": "model",
        "format_version": VERSION,
        "name": FOREIGN.sub("", card.name or row.title)[:128],
        "description": card.description or f"{row.title}, trained with nbtools.",
        "authors": [{"name": name} for name in card.authors],
        "license": card.licence or None,
        "cite": [paper],
        "tags": ["nucleus", "nbtools", f"{len(found.axes)}d", row.task],
        "covers": [{"source": "cover.png"}],
        "documentation": {"source": "README.md"},
        "inputs": [_describe_input(found)],
        "outputs": [_describe_output(found)],
    }
    return {key: value for key, value in about.items() if value}


def _describe_input(found: Exported) -> dict:
    method, fixed = found.method, found.graph.inputs[0].shape[1:-1]
    space = []
    for number, axis in enumerate(found.axes):
        size = {"min": found.image.shape[number + 1], "step": found.grid[number]}
        space.append(_describe_axis(found, number) | {"size": fixed[number] or size, "id": axis})
    channels = found.image.shape[-1]
    names = method.domain.channel_names
    names = list(names) if len(names) == channels else _number("intensity", channels)
    return {
        "id": INPUT,
        "description": "Grey values.",
        "axes": [{"type": "batch"}, *space, {"type": "channel", "channel_names": names}],
        "test_tensor": {"source": "input.npy"},
        "data": {"type": "float32"},
        "preprocessing": describe_preprocessing(found),
    }


def _describe_output(found: Exported) -> dict:
    halo = (find_halo(found.method) or ())[-len(found.axes) :]
    space = []
    for number, axis in enumerate(found.axes):
        stride = found.stride[number]
        one = _describe_axis(found, number, stride=stride)
        one |= {"id": axis, "size": {"tensor_id": INPUT, "axis_id": axis}}
        one |= {"halo": -(-halo[number] // stride)} if halo and halo[number] else {}
        space.append(one)
    names = name_channels(found.method, found.maps.shape[-1])
    return {
        "id": OUTPUT,
        "description": f"Maps of the network: {', '.join(names[:4])}.",
        "axes": [{"type": "batch"}, *space, {"type": "channel", "channel_names": names}],
        "test_tensor": {"source": "output.npy"},
        "data": {"type": "float32"},
    }


def _describe_axis(found: Exported, number: int, *, stride: int = 1) -> dict:
    """Type, scale and unit; µm where the pixel size of the training images is known."""
    domain = found.method.domain
    if not domain.spacing or domain.unit != "um":
        return {"type": "space", "scale": float(stride)}
    return {
        "type": "space",
        "scale": float(domain.spacing[-len(found.axes) :][number] * stride),
        "unit": "micrometer",
    }


def name_channels(method: KerasMethod, count: int) -> list[str]:
    """Names of the channels of the maps, as the target of a method has them.

    Parameters
    ----------
    method : trained.
    count : of the channels.
    """
    found = []
    for name, channels in method.target().outputs.items():
        found += _number(name, channels)
    return found if len(found) == count else _number(OUTPUT, count)


def _number(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}_{number}" for number in range(count)]


def _write_weights(found: Exported, folder: Path) -> dict[str, Any]:
    """Write the weights in both formats; ONNX alone where layers are not those of Keras."""
    write_onnx(found.graph, folder / "weights.onnx", grid=found.grid)
    point = partial(point_to, folder)
    # without a parent in the package ONNX is the first of the weights
    onnx = point("weights.onnx") | {"opset_version": OPSET}
    if find_own_layers(found.graph):
        return {"onnx": onnx}
    found.graph.save(folder / "weights.keras")
    versions = runtime.versions()
    backend = keras.backend.backend()
    about = {"keras_version": keras.__version__, "backend": [backend, versions[backend]]}
    return {"keras_v3": point("weights.keras") | about, "onnx": onnx | {"parent": "keras_v3"}}


def point_to(folder: Path, name: str) -> dict[str, str]:
    """Source and SHA-256 of a file of the package.

    Parameters
    ----------
    folder : of the package.
    name : of the file.
    """
    return {"source": name, "sha256": hash_file(folder / name)}


STYLE = Style(_write_weights, dict, list_remarks)
