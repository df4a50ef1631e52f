"""What one batch does: the training steps that the loop in `trainer` repeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Protocol

import keras
import numpy as np

from nbtools import io
from nbtools.errors import UserError
from nbtools.training.settings import TrainingSettings

OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError", "XlaRuntimeError")
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

    parts = 1  # that a batch is cut into, one after the other, where memory is short

    def __init__(self, model: keras.Model, loss: Callable | Mapping, settings: TrainingSettings):
        self.model, self.loss, self.settings = model, loss, settings
        self._compile()

    def _compile(self) -> None:
        optimizer = keras.optimizers.AdamW(
            self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
            clipnorm=1.0,
            gradient_accumulation_steps=self.parts if self.parts > 1 else None,
        )
        # on two cores XLA costs TensorFlow more to start than its slightly faster steps bring back;
        # JAX is nothing without it
        jit = False if keras.backend.backend() == "tensorflow" else "auto"
        self.model.compile(optimizer=optimizer, loss=self.loss, jit_compile=jit)
        optimizer.build(self.model.trainable_variables)

    def __call__(self, batch: Batch) -> dict[str, float]:
        """Learn from one batch (x, y); out of memory, from its halves, with their mean gradient.

        Raises
        ------
        UserError : not even a single patch fits into the memory.
        """
        before = [keras.ops.convert_to_numpy(v) for v in self.state()] if self.parts > 1 else None
        try:
            return self._learn(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if before is not None:  # some parts of the batch have been learned from
                _assign(self.state(), before)
            if 2 * self.parts > count_patches(batch):
                raise UserError(
                    "A patch must fit into the memory for training.",
                    io.find_reason(error),
                    "Set a smaller patch_size or preset, or close other programs.",
                ) from error
        self.divide(2 * self.parts)
        return self(batch)

    def _learn(self, batch: Batch) -> dict[str, float]:
        logs = []
        for part in cut_batch(batch, self.parts):
            # Keras before 3.15 would average the loss with those of all batches before
            self.model.reset_metrics()
            logs.append(_to_floats(self.model.train_on_batch(*part, return_dict=True)))
        return {name: float(np.mean([one[name] for one in logs])) for name in logs[0]}

    def divide(self, parts: int) -> None:
        """Learn from each batch in parts from now on; the optimizer keeps its memory.

        Parameters
        ----------
        parts : of a batch.
        """
        if parts == self.parts:
            return
        memory = [keras.ops.convert_to_numpy(v) for v in self.state()]
        rate = float(self.model.optimizer.learning_rate)
        done = int(self.model.optimizer.iterations)
        self.parts = parts
        self._compile()
        _assign(self.state(), memory)
        self.model.optimizer._iterations.assign(done * parts)  # Keras counts parts
        self.set_learning_rate(rate)

    def validate(self, batch: Batch) -> dict[str, float]:
        """The loss of one batch (x, y) alone."""
        self.model.reset_metrics()
        return _to_floats(self.model.test_on_batch(*batch, return_dict=True))

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        self.model.optimizer.learning_rate.assign(rate)

    def state(self) -> list:
        """Weights, seeds of dropout layers, and the optimizer's memory.

        Sums of gradients, which are 0 between two batches, are left out.
        """
        return [*self.model.variables, *self.memory()]

    def memory(self) -> list:
        """What the optimizer remembers between two batches."""
        optimizer = self.model.optimizer
        sums = {id(v) for v in getattr(optimizer, "_accumulated_gradients", ())}
        return [v for v in optimizer.variables if id(v) not in sums]


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
        self.divide(self.parts)
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
        return [*self.model.variables, *self.generator.memory(), *self.discriminator.state()]

    @property
    def parts(self) -> int:
        """That a batch is cut into, where memory is short for one of the two."""
        return max(self.generator.parts, self.discriminator.parts)

    def divide(self, parts: int) -> None:
        """As of `Supervised`, of both networks."""
        for one in (self.generator, self.discriminator):
            one.divide(parts)

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


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of any backend says that memory was short."""
    if isinstance(error, MemoryError) or type(error).__name__ in OUT_OF_MEMORY:
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


def count_patches(batch: Batch) -> int:
    """Patches of a batch, whose arrays may stand by name."""
    image = batch[0]
    return len(next(iter(image.values())) if isinstance(image, Mapping) else image)


def cut_batch(batch: Batch, parts: int) -> list[Batch]:
    """Parts of a batch, as equal as may be; fewer where it has fewer patches.

    Parameters
    ----------
    batch : (x, y).
    parts : how many.
    """
    edges = np.linspace(0, count_patches(batch), parts + 1).round().astype(int)
    return [tuple(_take(side, low, high) for side in batch) for low, high in pairwise(edges)]


def _take(arrays: Arrays, low: int, high: int) -> Arrays:
    if isinstance(arrays, Mapping):
        return {name: array[low:high] for name, array in arrays.items()}
    return arrays[low:high]


def _assign(variables: list, values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _to_floats(logs: Mapping[str, object]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}
