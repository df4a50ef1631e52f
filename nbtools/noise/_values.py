"""What both kinds of noise model share."""

from __future__ import annotations

from dataclasses import fields

import numpy as np


class Density:
    """A noise model; its fields are Python floats, which tensors take, or arrays."""

    def __post_init__(self):
        for field in fields(self):
            value = np.asarray(getattr(self, field.name), float)
            object.__setattr__(self, field.name, value if value.ndim else float(value))

    def likelihood(self, noisy: np.ndarray, signal: np.ndarray) -> np.ndarray:
        """p(noisy | signal), a density per grey value; the two are broadcast."""
        return np.exp(self.log_likelihood(noisy, signal))


def subsample(rng: np.random.Generator, places: np.ndarray, *, most: int) -> np.ndarray:
    """At most `most` of the indices, drawn without repetition."""
    return places if len(places) <= most else rng.choice(places, most, replace=False)
