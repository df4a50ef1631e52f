"""Steps in which a translator learns to make images of masks, and a segmenter learns from them."""

from __future__ import annotations

import numpy as np

from nbtools.targets.synthesis import SEGMENT
from nbtools.targets.translated import HERE
from nbtools.training.cycle import Cycle
from nbtools.training.step import Adversarial, Batch, Supervised, TrainStep


class TranslatorAndSegmenter:
    """What the steps share whose segmenter learns from what a translator makes.

    Parameters
    ----------
    translator : its step.
    segmenter : step of the network that is kept.
    """

    def __init__(self, translator: TrainStep, segmenter: Supervised):
        self.translator, self.segmenter = translator, segmenter
        self.model = segmenter.model

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the next step, of all networks."""
        self.translator.set_learning_rate(rate)
        self.segmenter.set_learning_rate(rate)

    def state(self) -> list:
        """Variables of all networks, and the memory of all optimizers."""
        return [*self.segmenter.state(), *self.translator.state()]


class Synthesis(TranslatorAndSegmenter):
    """First the translator learns, then the segmenter, from what was made of the same masks.

    A batch is ({"here": masks, "there": real images}, {"segment": truth of the masks}).

    Parameters
    ----------
    translator : its step.
    segmenter : step of the network that is kept.
    """

    translator: Cycle

    def __call__(self, batch: Batch) -> dict[str, float]:
        """One step of both."""
        made = self.translator((batch[0], batch[0]))
        logs = self.segmenter(self._make(batch))
        return logs | {"translation_loss": made["loss"]}

    def validate(self, batch: Batch) -> dict[str, float]:
        """The loss of the segmenter on images that are made of the masks."""
        return self.segmenter.validate(self._make(batch))

    def _make(self, batch: Batch) -> Batch:
        images, truth = batch
        made = self.translator.model.predict_on_batch(images[HERE])
        return np.asarray(made), truth[SEGMENT]


class PairedSynthesis(TranslatorAndSegmenter):
    """First the translator learns from pairs of mask and image, then the segmenter from both kinds.

    The segmenter is given the real images, and in the same step those that are made of the same
    masks in another style. A batch is ({"real": images, "own": masks in the style of these,
    "other": masks in the style to be made}, truth).

    Parameters
    ----------
    translator : its step, whose network makes {"near": image, ...} of a mask.
    segmenter : step of the network that is kept.
    """

    translator: Adversarial

    def __init__(self, translator: Adversarial, segmenter: Supervised):
        super().__init__(translator, segmenter)
        translator.model.jit_compile = self.model.jit_compile

    def __call__(self, batch: Batch) -> dict[str, float]:
        """One step of both."""
        images, truth = batch
        real = images["real"]
        both = np.concatenate([images["own"], real], axis=-1)
        told = self.translator((images["own"], {"near": real, "real": both}))
        made = np.asarray(self.translator.model.predict_on_batch(images["other"])["near"])
        logs = self.segmenter((np.concatenate([real, made]), np.concatenate([truth, truth])))
        return logs | {"translation_loss": told["loss"]}

    def validate(self, batch: Batch) -> dict[str, float]:
        """The loss of the segmenter on real images."""
        images, truth = batch
        return self.segmenter.validate((images["real"], truth))

    @property
    def parts(self) -> int:
        """That a batch is cut into, where memory is short for one of the networks."""
        return max(self.translator.parts, self.segmenter.parts)

    def divide(self, parts: int) -> None:
        """As of `Supervised`, of all networks."""
        self.translator.divide(parts)
        self.segmenter.divide(parts)
