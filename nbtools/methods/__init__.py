"""Every method by name: their common interface, and the table that lists them without Keras."""

from __future__ import annotations

from pathlib import Path

from nbtools import runtime, tasks
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import registry
from nbtools.methods.method import Method, Prediction
from nbtools.methods.persistence import read_about
from nbtools.methods.registry import Row, find_row

__all__ = [
    "Method",
    "Prediction",
    "Row",
    "describe",
    "find_folder",
    "get",
    "list_weights",
    "load",
    "names",
    "row",
    "suggest_weights",
]

CHECKSUMS = "checksums.sha256"  # of shipped weights, beside their folders


def names(task: str | None = None) -> list[str]:
    """Names of the methods, of one task of `nbtools.tasks` or of all.

    Methods of another task whose results serve this one, too, are the last.

    Parameters
    ----------
    task : of the vocabulary; None for all.
    """
    if task is None:
        return [r.name for r in registry.ROWS]
    wanted = tasks.get(task).name
    own = [r.name for r in registry.ROWS if r.task == wanted]
    return own + [r.name for r in registry.ROWS if wanted in r.also]


def row(name: str) -> Row:
    """What the table says of a method; UserError with the known names if there is none."""
    return find_row(name)


def get(name: str) -> type[Method]:
    """The class of a method; this is where its libraries are loaded."""
    module, _, cls = row(name).path.partition(":")
    method = getattr(runtime.load_quietly(module), cls)
    method.name = row(name).name
    return method


def describe(name: str, task: str | None = None) -> dict:
    """A method's passport as plain values, as `nbtools methods` prints it.

    Parameters
    ----------
    name : of the method.
    task : for which it is told, where its results serve several; None for its own.
    """
    return row(name).describe(task)


def suggest_weights(image: Image) -> str:
    """Name the shipped weights for an image: of volumes, of stained tissue, or of fluorescence.

    Parameters
    ----------
    image : an image of any axes.

    Examples
    --------
    >>> import numpy as np
    >>> suggest_weights(Image(np.zeros((5, 32, 32), np.uint8), "ZYX"))
    'nuclei3d'
    """
    if image.size("Z") > 1:
        return "nuclei3d"
    return "nuclei2d_histology" if image.is_rgb else "nuclei2d"


def list_weights(image: Image) -> list[str]:
    """Names of the shipped weights that label nuclei in images like this one.

    Parameters
    ----------
    image : an image of any axes; its dimension and its channels decide.

    Examples
    --------
    >>> import numpy as np
    >>> "nuclei2d" in list_weights(Image(np.zeros((32, 32), np.uint8), "YX"))
    True
    """
    from nbtools import data

    found = []
    for path in sorted(data.packaged_path("weights").glob("*/model.json")):
        about = read_about(path.parent)
        shape = (len(image.spatial), image.size("C"))
        fits = (about["ndim"], about["channels"]) == shape
        if fits and row(about["method"]).task == tasks.INSTANCES.name:
            found.append(path.parent.name)
    return found


def load(source: str | Path, *, weights: str | None = None) -> Method:
    """Load a trained method, or make one that needs no training.

    Parameters
    ----------
    source : folder of a model, name of shipped weights, or name of a method that needs no training.
    weights : "best" or "last", where other weights are wanted than those that training kept by
        default; None for these.

    Raises
    ------
    UserError : there is no such model or method, its folder is damaged, it did not keep these
        weights, or shipped weights were changed.
    """
    folder = find_folder(source)
    if folder is None:
        method = get(str(source))()
        if weights is not None:
            method.change_weights(Path(source), weights)
        return method
    check_shipped(folder)
    return get(read_about(folder)["method"]).load(folder, weights=weights)


def find_folder(source: str | Path) -> Path | None:
    """Find the folder of a model or of shipped weights.

    Parameters
    ----------
    source : folder, name of shipped weights, or name of a method that needs no training.

    Returns
    -------
    Folder with model.json; None for a method that needs no training.

    Raises
    ------
    UserError : it is none of these.
    """
    from nbtools import data

    for folder in (Path(source), data.packaged_path("weights", str(source))):
        if (folder / "model.json").is_file():
            return folder
    if str(source) in names() and row(str(source)).classical:
        return None
    shipped = sorted(p.parent.name for p in data.packaged_path("weights").glob("*/model.json"))
    free = [r.name for r in registry.ROWS if r.classical]
    known = f"Shipped weights: {', '.join(shipped) or 'none'}; without training: {', '.join(free)}."
    raise UserError(
        "A model is a folder that `nbtools train` wrote, or the name of shipped weights.",
        repr(str(source)),
        known,
    )


def check_shipped(folder: Path) -> None:
    """Check that shipped weights are unchanged, by the SHA-256 sums in `checksums.sha256`.

    Parameters
    ----------
    folder : of a model; one that is not among the shipped weights has no sums, and passes.

    Raises
    ------
    UserError : a file of shipped weights has changed.
    """
    from nbtools import data

    if folder.parent != data.packaged_path("weights"):
        return
    hash_file = runtime.load_quietly("nbtools.training").hash_file
    for line in (folder.parent / CHECKSUMS).read_text("utf-8").splitlines():
        known, name = line.split("  ", 1)
        if name.startswith(f"{folder.name}/") and hash_file(folder.parent / name) != known:
            raise UserError(
                "Shipped weights must be those of the toolkit.",
                f"{name}, changed or damaged",
                "Install nbtools again.",
            )


def __getattr__(name: str) -> type[Method] | tuple[Row, ...]:
    """The table, and classes by their name, loaded when used: `methods.FastNuclei`."""
    if name == "ROWS":
        return registry.ROWS
    for candidate in registry.ROWS:
        if candidate.path.endswith(f":{name}"):
            return get(candidate.name)
    raise AttributeError(f"module 'nbtools.methods' has no attribute {name!r}")
