"""Weights set aside: the best so far, and the running mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    from nbtools.training import Trainer


class Best:
    """Keeps the weights of the epoch with the lowest validation loss."""

    def __init__(self, trainer: Trainer):
        self.trainer, self.weights, self.value = trainer, [], np.inf

    def offer(self, row: dict) -> None:
        value = row.get("val_loss", -row["epoch"])  # without validation images the last epoch is the best
        if value <= self.value or not self.weights or not np.isfinite(self.value):
            self.value = value
            self.weights = [keras.ops.convert_to_numpy(v).copy() for v in self.trainer.model.weights]
            self.trainer.history.best = {k: row[k] for k in ("epoch", "val_loss") if k in row}

    def restore(self) -> None:
        self.weights = self.trainer.resumed_best
        self.value = self.trainer.history.best.get("val_loss", np.inf)

    def load(self) -> None:
        if self.weights:
            set_weights(self.trainer.model, self.weights)


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
    """Put arrays, in the order of model.weights, into a model."""
    for variable, value in zip(model.weights, weights, strict=True):
        variable.assign(value)
