"""Weights set aside: the best so far, the running mean, and the files that hold them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from nbtools import documents, io
from nbtools.errors import UserError
from nbtools.training.settings import History


class Best:
    """Keeps the weights of the epoch with the lowest validation loss."""

    def __init__(self, model: keras.Model, history: History):
        self.model, self.history, self.weights, self.value = model, history, [], np.inf

    def offer(self, row: dict) -> None:
        """Keep the weights of the model if this epoch is the best so far.

        Parameters
        ----------
        row : of the history, with "epoch" and "val_loss"; without a validation loss the last epoch
            is the best.
        """
        value = row.get(
            "val_loss", -row["epoch"]
        )  # without validation images the last epoch is the best
        if value <= self.value or not self.weights or not np.isfinite(self.value):
            self.value = value
            self.weights = [keras.ops.convert_to_numpy(v).copy() for v in self.model.weights]
            self.history.best = {k: row[k] for k in ("epoch", "val_loss") if k in row}

    def restore(self, weights: list[np.ndarray], history: History) -> None:
        """Continue with the best weights and the history of a checkpoint."""
        self.weights, self.history = weights, history
        self.value = self.history.best.get("val_loss", np.inf)


class Swapped:
    """Context in which a model holds other weights; its own come back at the end."""

    def __init__(self, model: keras.Model, weights: list[np.ndarray] | None):
        self.model, self.weights = model, weights

    def __enter__(self) -> None:
        self.kept = [keras.ops.convert_to_numpy(v).copy() for v in self.model.weights]
        if self.weights is not None:
            set_weights(self.model, self.weights)

    def __exit__(self, *_) -> None:
        set_weights(self.model, self.kept)


def set_weights(model: keras.Model, weights: list[np.ndarray]) -> None:
    """Put arrays into a model.

    Parameters
    ----------
    model : is changed in place.
    weights : arrays in the order of `model.weights`.
    """
    for variable, value in zip(model.weights, weights, strict=True):
        variable.assign(value)


def write_weights(
    model: keras.Model, folder: Path, *, others: dict[str, list[np.ndarray]] | None = None
) -> None:
    """Write weights.npz: the arrays of a network, in its order.

    Parameters
    ----------
    model : whose weights are written.
    folder : of the model.
    others : name → further weights of the network, each written as weights_NAME.npz.
    """
    arrays = {"weights": [keras.ops.convert_to_numpy(v) for v in model.weights]}
    arrays |= {f"weights_{name}": further for name, further in (others or {}).items()}
    for name, values in arrays.items():
        with io.atomic_write(folder / f"{name}.npz") as temporary:
            np.savez_compressed(
                temporary,
                **{
                    f"{i:04d}:{v.path}": a
                    for i, (v, a) in enumerate(zip(model.weights, values, strict=True))
                },
            )


def read_weights(model: keras.Model, folder: Path, *, which: str | None = None) -> None:
    """Load the arrays of weights.npz into a network.

    Parameters
    ----------
    model : is changed in place.
    folder : of the model.
    which : name of further weights that `write_weights` wrote, to be loaded instead.

    Raises
    ------
    UserError : the file is missing or damaged, or belongs to another network.
    """
    name = f"weights_{which}.npz" if which else "weights.npz"
    if which and not (folder / name).is_file():
        raise UserError(
            "A model must have kept the weights asked for.",
            f"{folder} without {name}",
            "Leave out --weights, or train again.",
        )
    shapes = [tuple(v.shape) for v in model.weights]
    arrays = documents.WEIGHTS.read(folder / name, shapes=shapes)
    set_weights(model, [arrays[key].astype(np.float32) for key in sorted(arrays)])
