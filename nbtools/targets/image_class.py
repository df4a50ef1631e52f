"""The class of an image as a whole: one number per class."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from nbtools.patches import Example
from nbtools.results import Classes
from nbtools.targets.base import Maps, Parameter, Target, softmax

TEMPERATURE = Parameter(
    "temperature",
    1.0,
    (),
    0.05,
    50.0,
    help="Divides the logits: above 1 makes probabilities less sure; chosen on validation images, "
    "so that they are right as often as they say, if empty.",
)
LEAST = 1e-6  # probability below which logarithms are cut off


@dataclass(frozen=True)
class ImageClassTarget(Target):
    """1 for the class of the image, 0 for the others."""

    per_patch: ClassVar[bool] = True
    parameters: ClassVar[tuple[Parameter, ...]] = (TEMPERATURE,)

    @property
    def outputs(self) -> dict[str, int]:
        return {"classes": count_outputs(self.classes)}

    def encode(self, example: Example) -> np.ndarray:
        """(K,) float32, 1 at the class of the example."""
        return np.eye(count_outputs(self.classes), dtype=np.float32)[example.class_index]

    def activate(self, raw: Maps, ops: ModuleType = np) -> Maps:
        """(..., K) logits → probabilities, in sum 1."""
        return softmax(raw, ops)

    def decode(self, maps: np.ndarray, *, temperature: float = TEMPERATURE.default) -> Classes:
        """(K,) probabilities of an image → its classes, the temperature applied."""
        return Classes(self.classes, temper(maps[None], temperature))


def count_outputs(classes: tuple[str, ...]) -> int:
    """Channels of the network: one per class, and two where no class is known yet."""
    return max(2, len(classes))


def temper(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Make probabilities more or less sure; the order of the classes stays.

    Parameters
    ----------
    probability : (..., K), in sum 1.
    temperature : 1 leaves them, more brings them closer to each other.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599.

    Examples
    --------
    >>> temper(np.array([0.8, 0.2]), 2.0).round(3).tolist()
    [0.667, 0.333]
    """
    return softmax(np.log(np.maximum(probability, LEAST)) / temperature)


def find_temperature(probability: np.ndarray, truth: np.ndarray) -> float:
    """The temperature at which probabilities fit validation images best, by their likelihood.

    Parameters
    ----------
    probability : (n, K) of images that were not learned from.
    truth : (n,) number of the class of each.

    Returns
    -------
    Between 0.05 and 50; 1 for fewer than two images.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599.

    Examples
    --------
    >>> sure = np.tile([0.99, 0.01], (10, 1))
    >>> right = np.arange(10) >= 8  # of ten answers, eight are class 0
    >>> tempered = temper(sure, find_temperature(sure, right.astype(int)))
    >>> round(float(tempered[0, 0]), 2)
    0.8
    """
    from scipy.optimize import minimize_scalar

    if len(truth) < 2:
        return TEMPERATURE.default
    rows, bounds = np.arange(len(truth)), np.log([TEMPERATURE.min, TEMPERATURE.max])

    def cost(logarithm: float) -> float:
        told = temper(probability, float(np.exp(logarithm)))
        return float(-np.log(np.maximum(told[rows, truth], LEAST)).mean())

    found = minimize_scalar(cost, bounds=tuple(bounds), method="bounded")
    return round(float(np.exp(found.x)), 4)
