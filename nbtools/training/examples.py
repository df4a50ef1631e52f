"""Training images in memory, each prepared when it is first drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nbtools.data import Sample


@dataclass(frozen=True)
class Example:
    """One training image in memory: normalised, with its maps, ready to be cut."""

    image: np.ndarray  # (*space, C) float32
    label: np.ndarray | None  # (*space) int32
    maps: np.ndarray | None  # (*space, K) float32
    points: np.ndarray | None = None  # (n, ndim) a pixel of each nucleus
    classes: dict[int, int] | None = (
        None  # label → number of the class from 1, where classes are learned
    )


class Examples(Sequence):
    """Training images, each prepared when first drawn, so that training starts at once and memory
    holds only what is used.

    weights : how often each is drawn; an image of many nuclei more often than one of few, since
        each nucleus is to count.
    """

    def __init__(
        self, samples: Sequence, prepare: Callable[[Sample], Example], weights: np.ndarray
    ):
        self.samples, self.prepare = samples, prepare
        self.bounds = np.cumsum(weights / max(weights.sum(), 1e-9))
        self.ready: dict[int, Example] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def draw(self, rng: np.random.Generator) -> Example:
        return self[min(int(np.searchsorted(self.bounds, rng.random())), len(self) - 1)]

    def __getitem__(self, index: int) -> Example:
        index = int(index)
        if index not in self.ready:
            self.ready[index] = self.prepare(self.samples[index])
        return self.ready[index]
