"""What one batch does: the training steps that the loop in `trainer` repeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import keras
import numpy as np

from nbtools.training.settings import TrainingSettings

Arrays = np.ndarray | Mapping[str, np.ndarray]
Batch = tuple[Arrays, Arrays]


class TrainStep(Protocol):
    """One step of a training, with the networks that it changes.

    Attributes
    ----------
    model : the network whose weights are averaged, kept and saved.
    """

    model: keras.Model

    def __call__(self, batch: Batch) -> dict[str, float]:
        """Learn from one batch; returns its losses, the one to be told as "loss"."""
        ...

    def validate(self, batch: Batch) -> dict[str, float]:
        """The losses of a batch, without learning from it."""
        ...

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        ...

    def state(self) -> list:
        """Every variable that decides the next step: what a checkpoint holds."""
        ...


class Supervised:
    """A network learns to predict what belongs to each patch.

    Parameters
    ----------
    model : one output or several.
    loss : (truth, output) → one number per image; of a model with several named outputs, name →
        loss.
    settings : learning rate and weight decay.
    """

    def __init__(self, model: keras.Model, loss: Callable | Mapping, settings: TrainingSettings):
        self.model = model
        optimizer = keras.optimizers.AdamW(
            settings.learning_rate, weight_decay=settings.weight_decay, clipnorm=1.0
        )
        # on two cores XLA costs TensorFlow more to start than its slightly faster steps bring back;
        # JAX is nothing without it
        jit = False if keras.backend.backend() == "tensorflow" else "auto"
        model.compile(optimizer=optimizer, loss=loss, jit_compile=jit)
        optimizer.build(model.trainable_variables)

    def __call__(self, batch: Batch) -> dict[str, float]:
        """Learn from one batch (x, y)."""
        # Keras before 3.15 would average the loss with those of all batches before
        self.model.reset_metrics()
        return _to_floats(self.model.train_on_batch(*batch, return_dict=True))

    def validate(self, batch: Batch) -> dict[str, float]:
        """The loss of one batch (x, y) alone."""
        self.model.reset_metrics()
        return _to_floats(self.model.test_on_batch(*batch, return_dict=True))

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        self.model.optimizer.learning_rate.assign(rate)

    def state(self) -> list:
        """Weights, seeds of dropout layers, and the optimizer's memory."""
        return [*self.model.variables, *self.model.optimizer.variables]


def _to_floats(logs: Mapping[str, object]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}
