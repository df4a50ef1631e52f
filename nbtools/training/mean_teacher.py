"""A step in which a network also learns from images without labels: from its own average.

Tarvainen & Valpola 2017, arXiv:1703.01780.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from nbtools.losses import Tensor
from nbtools.training.settings import TrainingSettings
from nbtools.training.step import Batch, Supervised

STUDENT, TEACHER = "student", "teacher"  # the two views of a patch


class MeanTeacher:
    """A student learns from labels, and to find what its teacher finds in another view.

    The teacher is the running average of the student. A batch is ({"student", "teacher": views of
    the same patches}, truth), where truth says itself which pixels are labelled.

    Parameters
    ----------
    model : the student, of one output (B, *space, K).
    loss : (truth, output) → one number per image, as of `Supervised`.
    activate : (output, ops) → what student and teacher are compared by, as probabilities.
    weights : of the mean squared difference between the two; steps until that weight is reached,
        since at first the teacher knows nothing; and memory of the teacher, the share of its
        weights that stays in a step.
    settings : learning rate and weight decay.

    References
    ----------
    Tarvainen & Valpola 2017, arXiv:1703.01780.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: Callable,
        *,
        activate: Callable,
        weights: tuple[float, int, float],
        settings: TrainingSettings,
    ):
        self.model, self.activate = model, activate
        self.consistency, self.ramp, self.memory = weights
        self.teacher = keras.models.clone_model(model)
        self.teacher.set_weights(model.get_weights())
        self.teacher.jit_compile = model.jit_compile
        self.count = keras.Variable(0, dtype="int32", trainable=False, name="steps")
        self.inner = Supervised(model, add_consistency(loss, activate), settings)

    def __call__(self, batch: Batch) -> dict[str, float]:
        """Learn from one batch, and let the teacher follow."""
        images, truth = batch
        raw = np.asarray(self.teacher.predict_on_batch(images[TEACHER]))
        found = np.asarray(self.activate(raw, np), np.float32)
        logs = self.inner((images[STUDENT], join(truth, found, weight=self.weigh())))
        self.count.assign(int(self.count) + 1)
        memory = min(self.memory, 1 - 1 / (1 + int(self.count)))
        for slow, fast in zip(self.teacher.weights, self.model.weights, strict=True):
            before, now = (ops.convert_to_numpy(weight) for weight in (slow, fast))
            slow.assign(memory * before + (1 - memory) * now)
        return logs

    def weigh(self) -> float:
        """Weight of the difference to the teacher in this step: it grows along a Gaussian."""
        done = min(1.0, int(self.count) / max(1, self.ramp))
        return self.consistency * float(np.exp(-5 * (1 - done) ** 2))

    def validate(self, batch: Batch) -> dict[str, float]:
        """The loss of the labels alone, on the view that is not varied."""
        images, truth = batch
        shape = self.model.compute_output_shape(images[TEACHER].shape)
        blank = np.zeros((len(truth), *shape[1:]), np.float32)
        return self.inner.validate((images[TEACHER], join(truth, blank, weight=0.0)))

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        self.inner.set_learning_rate(rate)

    def state(self) -> list:
        """Weights of both, the optimizer's memory, and how many steps were made."""
        return [*self.inner.state(), *self.teacher.weights, self.count]


def join(truth: np.ndarray, found: np.ndarray, *, weight: float) -> np.ndarray:
    """Truth for the loss of `add_consistency`.

    Parameters
    ----------
    truth : (B, *space, T).
    found : (B, *space, K) by the teacher.
    weight : of the difference to it.

    Returns
    -------
    (B, *space, T + K + 1) float32.
    """
    weights = np.full((*truth.shape[:-1], 1), weight, np.float32)
    return np.concatenate([truth, found, weights], axis=-1)


def add_consistency(loss: Callable, activate: Callable) -> Callable:
    """Add to a loss the mean squared difference to what a teacher finds.

    Parameters
    ----------
    loss : (truth, output) → (B,).
    activate : (output, ops) → probabilities.

    Returns
    -------
    Callable : truth (B, *space, T + K + 1) of `join`, output (B, *space, K) → (B,).
    """

    def total(truth: Tensor, output: Tensor) -> Tensor:
        count = output.shape[-1]
        known, found = truth[..., : -count - 1], truth[..., -count - 1 : -1]
        off = ops.mean(ops.square(activate(output, ops) - found), axis=-1) * truth[..., -1]
        return loss(known, output) + ops.mean(off, axis=tuple(range(1, len(off.shape))))

    return total
