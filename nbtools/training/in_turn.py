"""A step in which the parts of a network learn one after the other, each from its own batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras

from nbtools.training.settings import TrainingSettings
from nbtools.training.step import Batch, Supervised


class InTurn:
    """Each part of a network learns from a loss of its own, and changes no other part.

    A batch is ({name of a part: images}, {name of a part: truth}).

    Parameters
    ----------
    model : the whole network.
    parts : name → network from the image to the output of the part, and the prefix of the layers
        that learn. It may run through other parts, which stay as they are.
    losses : name of a part → its loss.
    settings : learning rate and weight decay, of all.

    References
    ----------
    Prakash et al. 2020, doi:10.48550/arXiv.1911.12239 (denoising before segmentation).
    """

    def __init__(
        self,
        model: keras.Model,
        parts: Mapping[str, tuple[keras.Model, str]],
        *,
        losses: Mapping[str, Callable],
        settings: TrainingSettings,
    ):
        self.model, self.steps = model, {}
        for name, (network, prefix) in parts.items():
            part = _Part(network.input, network.output, name=network.name)
            part.prefix = prefix
            self.steps[name] = Supervised(part, losses[name], settings)

    def __call__(self, batch: Batch) -> dict[str, float]:
        """One step of each part; the loss that is told is the sum."""
        images, truth = batch
        logs = {name: step((images[name], truth[name])) for name, step in self.steps.items()}
        return _add(logs)

    def validate(self, batch: Batch) -> dict[str, float]:
        """The sum of the losses, without learning."""
        images, truth = batch
        found = {k: step.validate((images[k], truth[k])) for k, step in self.steps.items()}
        return _add(found)

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step, of all parts."""
        for step in self.steps.values():
            step.set_learning_rate(rate)

    def state(self) -> list:
        """Variables of the whole network, and the memory of each part's optimizer."""
        memory = [v for step in self.steps.values() for v in step.model.optimizer.variables]
        return [*self.model.variables, *memory]


class _Part(keras.Model):
    """A network of which only the layers with a prefix learn."""

    prefix = ""

    @property
    def trainable_weights(self) -> list:
        own = [layer for layer in self.layers if layer.name.startswith(self.prefix)]
        return [weight for layer in own for weight in layer.trainable_weights]


def _add(logs: Mapping[str, dict[str, float]]) -> dict[str, float]:
    """The losses by name of their part, and their sum."""
    each = {f"{name}_loss": one["loss"] for name, one in logs.items()}
    return {"loss": sum(each.values())} | each
