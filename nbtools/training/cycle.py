"""A step of two translators that invert each other, and of two judges of what they make.

Zhu et al. 2017, doi:10.1109/ICCV.2017.244; the network that brings generated images back to the
masks they came from: Fu et al. 2018, arXiv:1801.07198. The images that generators made
in earlier steps are not kept for the judges, so that a step depends on its batch alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import ops

from nbtools.losses import Tensor
from nbtools.targets.translated import HERE, THERE
from nbtools.training.settings import TrainingSettings
from nbtools.training.step import Batch, Supervised


class Cycle:
    """Two generators, two judges and, where wanted, a network that finds the input again.

    A batch is ({"here", "there": patches of two kinds}, the same).

    Parameters
    ----------
    model : generator from here to there, the network that is kept.
    back : generator from there to here.
    judges : "here" and "there" → image → logit of being real, per patch.
    finder : image from there → image from here, which looks for the input in what was generated;
        None without.
    weights : of "cycle" and "spatial" in the loss; being taken for real weighs 1.
    settings : learning rate and weight decay, of all.
    """

    def __init__(
        self,
        model: keras.Model,
        back: keras.Model,
        *,
        judges: Mapping[str, keras.Model],
        finder: keras.Model | None,
        weights: Mapping[str, float],
        settings: TrainingSettings,
    ):
        self.model, self.back, self.finder = model, back, finder
        self.judges = {k: Supervised(judge, squared, settings) for k, judge in judges.items()}
        channels = model.output.shape[-1]
        space = model.inputs[0].shape[1:-1]
        inputs = {k: keras.Input((*space, channels), name=k) for k in (HERE, THERE)}
        outputs = self._connect(inputs, judges)
        through = _GeneratorsOnly(inputs, outputs, name="generators_and_judges")
        through.learning = [one for one in (model, back, finder) if one is not None]
        losses = {name: _weigh(name, weights) for name in outputs}
        self.generators = Supervised(through, losses, settings)

    def _connect(self, inputs: dict, judges: Mapping[str, keras.Model]) -> dict[str, Tensor]:
        """What the generators are judged by, by name."""
        made = {THERE: self.model(inputs[HERE]), HERE: self.back(inputs[THERE])}
        found = {f"judged_{k}": judges[k](made[k]) for k in (HERE, THERE)}
        found[f"cycle_{HERE}"] = self.back(made[THERE])
        found[f"cycle_{THERE}"] = self.model(made[HERE])
        if self.finder is not None:
            found["spatial"] = self.finder(made[THERE])
        return {k: keras.layers.Identity(name=k)(x) for k, x in found.items()}

    def __call__(self, batch: Batch) -> dict[str, float]:
        """One step of each judge on real and generated images, then one of the generators."""
        images, _ = batch
        made = {THERE: self.model, HERE: self.back}
        given = {THERE: images[HERE], HERE: images[THERE]}
        cost = 0.0
        for kind, judge in self.judges.items():
            generated = np.asarray(made[kind].predict_on_batch(given[kind]))
            both = np.concatenate([images[kind], generated])
            cost += judge((both, self._answer(kind, both, real=len(images[kind]))))["loss"]
        return self.generators(self._wanted(batch)) | {"discriminator_loss": cost}

    def validate(self, batch: Batch) -> dict[str, float]:
        """Losses of the generators."""
        return self.generators.validate(self._wanted(batch))

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step, of all networks."""
        for step in (self.generators, *self.judges.values()):
            step.set_learning_rate(rate)

    def state(self) -> list:
        """Weights of all networks and the memory of all optimizers."""
        networks = [one for one in (self.model, self.back, self.finder) if one is not None]
        found = [v for network in networks for v in network.variables]
        found += self.generators.model.optimizer.variables
        return found + [v for judge in self.judges.values() for v in judge.state()]

    def _wanted(self, batch: Batch) -> Batch:
        """What the generators are to reach: taken for real, and the input back again."""
        images, _ = batch
        found = {
            f"judged_{k}": self._answer(k, images[k], real=len(images[k])) for k in (HERE, THERE)
        }
        found |= {f"cycle_{k}": images[k] for k in (HERE, THERE)}
        if self.finder is not None:
            found["spatial"] = images[HERE]
        return images, found

    def _answer(self, kind: str, images: np.ndarray, *, real: int) -> np.ndarray:
        """1 for the first images, which are to be real, else 0, in the shape of a judge."""
        answers = np.zeros(self.judges[kind].model.compute_output_shape(images.shape), np.float32)
        answers[:real] = 1
        return answers


def squared(truth: Tensor, output: Tensor) -> Tensor:
    """Mean squared error of each image: the loss of least-squares judges."""
    return ops.mean(ops.square(truth - output), axis=tuple(range(1, len(output.shape))))


def absolute(truth: Tensor, output: Tensor) -> Tensor:
    """Mean absolute error of each image."""
    return ops.mean(ops.abs(truth - output), axis=tuple(range(1, len(output.shape))))


def _weigh(name: str, weights: Mapping[str, float]) -> Callable:
    """The loss of an output, with its weight."""
    kind = name.partition("_")[0]
    loss, weight = (absolute if kind == "cycle" else squared), weights.get(kind, 1.0)

    def weighted(truth: Tensor, output: Tensor) -> Tensor:
        return weight * loss(truth, output)

    return weighted


class _GeneratorsOnly(keras.Model):
    """Generators behind which judges sit, of which only the generators learn."""

    learning = ()

    @property
    def trainable_weights(self) -> list:
        return [weight for network in self.learning for weight in network.trainable_weights]
