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


class Adversarial:
    """A generator and a discriminator learn in turn (Goodfellow et al. 2014, arXiv:1406.2661).

    A batch is (images, {"real": images of the other kind, ...}); further entries are what the
    generator's own outputs of these names are to be, as in pix2pix or CycleGAN.

    Parameters
    ----------
    generator : a network with the output "generated", and others for the losses of their names.
    discriminator : image → logit of being real, per image or per patch of it.
    losses : name of a further output of the generator → its loss.
    settings : learning rate and weight decay, of both.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        losses: Mapping[str, Callable],
        settings: TrainingSettings,
    ):
        self.model = generator
        judge = keras.losses.BinaryCrossentropy(from_logits=True)
        self.discriminator = Supervised(discriminator, judge, settings)
        outputs = dict(generator.output)
        outputs["judged"] = discriminator(outputs.pop("generated"))
        through = _GeneratorOnly(generator.input, outputs, name="generator_and_judge")
        through.changed = generator
        self.generator = Supervised(through, {**losses, "judged": judge}, settings)

    def __call__(self, batch: Batch) -> dict[str, float]:
        """One step of the discriminator on real and generated images, one of the generator."""
        images, truth = batch
        generated = np.asarray(self.model.predict_on_batch(images)["generated"])
        both = np.concatenate([truth["real"], generated])
        judged = self.discriminator((both, self._answers(both, real=len(truth["real"]))))
        logs = self.generator(self._generator_batch(batch))
        return logs | {"discriminator_loss": judged["loss"]}

    def validate(self, batch: Batch) -> dict[str, float]:
        """Losses of the generator."""
        return self.generator.validate(self._generator_batch(batch))

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step, of both networks."""
        for part in (self.generator, self.discriminator):
            part.set_learning_rate(rate)

    def state(self) -> list:
        """Weights of both networks and the memory of both optimizers."""
        judge = self.discriminator
        return [*self.model.variables, *self.generator.model.optimizer.variables, *judge.state()]

    def _generator_batch(self, batch: Batch) -> Batch:
        """The generator is right where the discriminator takes all its images for real."""
        images, truth = batch
        wanted = {name: array for name, array in truth.items() if name != "real"}
        return images, wanted | {"judged": self._answers(truth["real"], real=len(truth["real"]))}

    def _answers(self, images: np.ndarray, *, real: int) -> np.ndarray:
        """1 for the first images, which are real, else 0; in the shape of the discriminator."""
        shape = self.discriminator.model.compute_output_shape(images.shape)
        answers = np.zeros(shape, np.float32)
        answers[:real] = 1
        return answers


class _GeneratorOnly(keras.Model):
    """A generator behind which a discriminator judges, of which only the generator learns."""

    changed: keras.Model | None = None

    @property
    def trainable_weights(self) -> list:
        return (self.changed or super()).trainable_weights


def _to_floats(logs: Mapping[str, object]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}
