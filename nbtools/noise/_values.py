"""What both kinds of noise model share."""

from __future__ import annotations

from dataclasses import fields

import numpy as np


def convert_fields(model: object) -> None:
    """Make a frozen model hold Python floats, since tensors take no other scalars, and arrays."""
    for field in fields(model):
        value = np.asarray(getattr(model, field.name), float)
        object.__setattr__(model, field.name, value if value.ndim else float(value))


def subsample(rng: np.random.Generator, places: np.ndarray, *, most: int) -> np.ndarray:
    """At most so many of the places, drawn without repetition."""
    return places if len(places) <= most else rng.choice(places, most, replace=False)
