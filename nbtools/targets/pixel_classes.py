"""A class per pixel: the label images hold the numbers of classes, not those of nuclei."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbtools.config import Settings
from nbtools.image import Image
from nbtools.patches import Example
from nbtools.results import ClassMap
from nbtools.targets.base import Target, softmax
from nbtools.targets.border import BorderTarget

if TYPE_CHECKING:
    from nbtools.methods.domain import Domain

LEARNS = ("nuclei", "classes")  # what the numbers of a label image are


def encode(label: np.ndarray, *, count: int) -> np.ndarray:
    """Encode the number of each pixel's class as one channel per class.

    Parameters
    ----------
    label : (*space) numbers of classes, 0 … count - 1; negative ones are not labelled.
    count : of the classes.

    Returns
    -------
    (*space, count) float32: 1 for the class of the pixel; 0 in all where it is not labelled.

    Examples
    --------
    >>> encode(np.array([0, 2, -1]), count=3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    return (label[..., None] == np.arange(count)).astype(np.float32)


@dataclass(frozen=True)
class PixelClassTarget(Target):
    """One of several classes per pixel; `classes` are their names, the background first."""

    per_patch: ClassVar = True

    @property
    def outputs(self) -> dict[str, int]:
        return dict.fromkeys(self.classes, 1)

    def encode(self, example: Example) -> np.ndarray:
        """(*space, K), see `encode`."""
        return encode(example.label, count=len(self.classes))

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """(*space, K) logits → probabilities, in sum 1."""
        return softmax(raw, ops)

    def decode(self, maps: np.ndarray) -> ClassMap:
        """(*space, K) probabilities → the most probable class of each pixel."""
        best = Image(maps.argmax(axis=-1).astype(np.int32), self.axes)
        return ClassMap(best, self.classes)


@dataclass(frozen=True)
class PixelTarget(BorderTarget):
    """Nuclei by their borders, or classes of pixels, as the setting `learns` says."""

    @classmethod
    def configure(cls, domain: Domain, settings: Settings | Mapping, **further: object) -> Target:
        """The target that the settings ask for.

        Parameters
        ----------
        domain, settings, further : as for `Target.configure`.
        """
        known = dict(settings.to_dict() if isinstance(settings, Settings) else settings)
        if known.get("learns") == LEARNS[1]:
            return PixelClassTarget.configure(domain, known, **further)
        return super().configure(domain, known, **further)
