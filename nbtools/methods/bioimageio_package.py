"""What a package of bioimage.io says of its network: descriptions 0.4 and 0.5, brought to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.folders import hash_file
from nbtools.methods.declared_steps import require_step

FILES = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
TO_UM = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3}
BORDERS = ("border", "bound", "edge", "membrane", "contour")


@dataclass(frozen=True)
class Tensor:
    """The input or the output of a network.

    Parameters
    ----------
    axes : one letter each of b, c, z, y, x.
    steps : before or behind the network.
    channels : their number.
    names : of the channels; () where they have none.
    least, step, halo : pixels along each spatial axis, in the order z, y, x; () where the input has
        a fixed size, and the output another size than the input.
    spacing : in µm along each spatial axis; None where it is unknown.
    """

    axes: str
    steps: tuple[dict, ...] = ()
    channels: int = 1
    names: tuple[str, ...] = ()
    least: tuple[int, ...] = ()
    step: tuple[int, ...] = ()
    halo: tuple[int, ...] = ()
    spacing: tuple[float, ...] | None = None

    @property
    def space(self) -> str:
        """Letters of the spatial axes, in the order z, y, x."""
        return "".join(letter for letter in "zyx" if letter in self.axes)


@dataclass(frozen=True)
class Package:
    """A package with one network of one image and one output.

    Parameters
    ----------
    name, licence : of the package.
    weights : path of the ONNX file.
    given, found : input and output.
    """

    name: str
    licence: str
    weights: Path
    given: Tensor
    found: Tensor


def read_package(folder: Path) -> Package:
    """Read the description in an unpacked package.

    Parameters
    ----------
    folder : with rdf.yaml.

    Raises
    ------
    UserError : no description, no ONNX weights, several inputs or outputs, a fixed size, or a step
        that is not known here.
    """
    path = next((folder / name for name in FILES if (folder / name).is_file()), folder / FILES[0])
    about = documents.read_yaml(path, remedy="Download the package again.")
    if not isinstance(about, dict) or about.get("type", "model") != "model":
        raise _refuse("is a model", path)
    inputs, outputs = (about.get(key) for key in ("inputs", "outputs"))
    for tensors in (inputs, outputs):
        if not isinstance(tensors, list) or len(tensors) != 1 or not isinstance(tensors[0], dict):
            raise _refuse("has one input and one output", path)
    try:
        given, found = _read_input(inputs[0]), _read_output(outputs[0])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _refuse(f"describes its axes ({documents.shorten(error)})", path) from error
    if not given.least or not found.halo:
        raise _refuse("takes images of many sizes, and gives maps of these sizes", path)
    if given.space != found.space or given.space not in ("yx", "zyx"):
        raise _refuse("maps a plane to a plane, or a volume to a volume", path)
    if unknown := sorted((set(given.axes) | set(found.axes)) - set("bczyx")):
        raise _refuse(f"has no axis {', '.join(unknown)}", path)
    for step in (*given.steps, *found.steps):
        require_step(step)
    name = str(about.get("name") or folder.name)
    weights = _find_weights(about, folder, path)
    return Package(name, str(about.get("license") or ""), weights, given, found)


def _refuse(what: str, path: Path) -> UserError:
    return UserError(
        f"A package that is imported {what}.",
        path,
        "Use the program it is made for, such as bioimageio.core or DeepImageJ.",
    )


def _find_weights(about: dict, folder: Path, path: Path) -> Path:
    """Path of the ONNX weights, which must be the very file that the description names."""
    weights = about.get("weights")
    entry = weights.get("onnx") if isinstance(weights, dict) else None
    if not isinstance(entry, dict):
        known = ", ".join(weights) if isinstance(weights, dict) else "none"
        raise UserError(
            "A package that is imported has ONNX weights: no code of it is run.",
            f"{path}, whose weights are {known}",
            "Ask its authors for ONNX weights, or use the program it is made for.",
        )
    name = str(entry.get("source") or "")
    if not documents.is_plain_name(name) or not (folder / name).is_file():
        raise _refuse("holds its weights as a file beside the description", path)
    wanted = entry.get("sha256")
    if wanted and hash_file(folder / name) != wanted:
        raise UserError(
            "Weights must be those that the package names.",
            f"{name}, whose SHA-256 is another",
            "Download the package again.",
        )
    return folder / name


def _read_input(tensor: Mapping) -> Tensor:
    axes, steps = tensor["axes"], tuple(tensor.get("preprocessing") or ())
    if isinstance(axes, str):
        shape = tensor["shape"]
        least, step = (shape["min"], shape["step"]) if isinstance(shape, Mapping) else (shape, None)
        channels = least[axes.index("c")] if "c" in axes else 1
        if step is None or not all(step[axes.index(one)] for one in _space(axes)):
            return Tensor(axes, steps, channels)
        pick = _pick(axes)
        return Tensor(axes, steps, channels, least=pick(least), step=pick(step))
    letters, by_letter = _read_axes(axes)
    sizes = [by_letter[one].get("size") for one in _space(letters)]
    names = _read_names(by_letter)
    about = {"spacing": _read_spacing(letters, by_letter)}
    if all(isinstance(size, Mapping) and "min" in size for size in sizes):
        least, step = (tuple(int(size[key]) for size in sizes) for key in ("min", "step"))
        about |= {"least": least, "step": step}
    return Tensor(letters, steps, max(1, len(names)), names, **about)


def _read_output(tensor: Mapping) -> Tensor:
    axes, steps = tensor["axes"], tuple(tensor.get("postprocessing") or ())
    if isinstance(axes, str):
        shape, halo = tensor["shape"], tensor.get("halo") or [0] * len(axes)
        if isinstance(shape, Mapping) and not all(
            shape["scale"][axes.index(one)] == 1 for one in _space(axes)
        ):
            return Tensor(axes, steps)
        return Tensor(axes, steps, halo=_pick(axes)(halo))
    letters, by_letter = _read_axes(axes)
    halo = tuple(int(by_letter[one].get("halo") or 0) for one in _space(letters))
    return Tensor(letters, steps, names=_read_names(by_letter), halo=halo)


def _space(axes: str) -> str:
    return "".join(letter for letter in "zyx" if letter in axes)


def _pick(axes: str) -> Any:
    """Function that takes the values of the spatial axes out of a list with one per axis."""
    return lambda values: tuple(int(values[axes.index(one)]) for one in _space(axes))


def _read_axes(axes: list) -> tuple[str, dict[str, Mapping]]:
    """Letters of the axes of a description 0.5, and each by its letter."""
    found = {}
    for axis in axes:
        space = axis["type"] == "space"
        found[str(axis["id"]) if space else str(axis["type"])[0]] = axis
    return "".join(found), found


def _read_names(by_letter: Mapping[str, Mapping]) -> tuple[str, ...]:
    return tuple(map(str, by_letter.get("c", {}).get("channel_names") or ()))


def _read_spacing(letters: str, by_letter: Mapping[str, Mapping]) -> tuple[float, ...] | None:
    axes = [by_letter[one] for one in _space(letters)]
    if not all(axis.get("unit") in TO_UM for axis in axes):
        return None
    return tuple(float(axis.get("scale", 1)) * TO_UM[axis["unit"]] for axis in axes)


def find_channels(names: tuple[str, ...]) -> tuple[int, int | None]:
    """Which channel of the output is the foreground, and which the border.

    Parameters
    ----------
    names : of the channels; () where they have none.

    Returns
    -------
    Numbers of both from 0; None for no border.

    Examples
    --------
    >>> find_channels(("background", "foreground", "boundary"))
    (1, 2)
    >>> find_channels(("maps",))
    (0, None)
    """
    lower = [name.lower() for name in names]
    borders = [n for n, name in enumerate(lower) if any(word in name for word in BORDERS)]
    insides = [n for n, name in enumerate(lower) if "foreground" in name or "nucle" in name]
    inside = next((n for n in insides if n not in borders), 0)
    return inside, next((n for n in borders if n != inside), None)
