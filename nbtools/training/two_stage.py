"""A step of two stages that learn together: the second from what the first proposes in the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np

from nbtools.training.settings import TrainingSettings
from nbtools.training.step import Batch, Supervised


class TwoStage:
    """The first stage proposes regions, and both learn: Ren et al. 2015, its joint training.

    A batch is (images, {name of an output of the first stage: truth, and what `given` names}).

    Parameters
    ----------
    model : of the inputs "image" and "boxes" and all outputs; its layer "first" is the first stage.
    propose : output of the first stage for one image → regions.
    sample : regions, {name of `given`: truth of the image} → regions to learn from, and name of
        an output of the second stage → what it is to make of them.
    given : names of truth that belongs to no output: true boxes, where nobody has looked.
    losses : name of an output → its loss.
    settings : learning rate and weight decay.

    References
    ----------
    Ren et al. 2015, doi:10.1109/TPAMI.2016.2577031 (approximate joint training).
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        propose: Callable,
        sample: Callable,
        losses: Mapping[str, Callable],
        settings: TrainingSettings,
        given: tuple[str, ...] = ("boxes", "void"),
    ):
        self.model, self.propose, self.sample, self.given = model, propose, sample, given
        self.inner = Supervised(model, dict(losses), settings)

    def __call__(self, batch: Batch) -> dict[str, float]:
        """Learn from one batch."""
        return self.inner(self.add_regions(batch))

    def validate(self, batch: Batch) -> dict[str, float]:
        """The loss of one batch, without learning from it."""
        return self.inner.validate(self.add_regions(batch))

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        self.inner.set_learning_rate(rate)

    def state(self) -> list:
        """Weights of both stages, and the optimizer's memory."""
        return self.inner.state()

    @property
    def parts(self) -> int:
        """That a batch is cut into, where memory is short."""
        return self.inner.parts

    def divide(self, parts: int) -> None:
        """As of `Supervised`."""
        self.inner.divide(parts)

    def add_regions(self, batch: Batch) -> Batch:
        """The batch with the regions that the first stage proposes now.

        Parameters
        ----------
        batch : images and truth.

        Returns
        -------
        ({"image", "boxes": regions}, {outputs of both stages}).
        """
        images, truth = batch
        output = self.model.get_layer("first").predict_on_batch(images)
        regions, second = [], []
        for i in range(len(images)):
            proposed = self.propose({name: np.asarray(o[i]) for name, o in output.items()})
            chosen, wanted = self.sample(proposed, {name: truth[name][i] for name in self.given})
            regions.append(chosen)
            second.append(wanted)
        wanted = {name: array for name, array in truth.items() if name not in self.given}
        inputs = {"image": images, "boxes": np.stack(regions)}
        found = {name: np.stack([part[name] for part in second]) for name in second[0]}
        return inputs, wanted | found
