"""What both kinds of noise model share."""

from __future__ import annotations

from dataclasses import fields

import numpy as np


def convert_fields(model: object) -> None:
    """Convert the fields of a frozen model to Python floats, which tensors take, or arrays."""
    for field in fields(model):
        value = np.asarray(getattr(model, field.name), float)
        object.__setattr__(model, field.name, value if value.ndim else float(value))


def subsample(rng: np.random.Generator, places: np.ndarray, *, most: int) -> np.ndarray:
    """At most `most` of the indices, drawn without repetition."""
    return places if len(places) <= most else rng.choice(places, most, replace=False)
