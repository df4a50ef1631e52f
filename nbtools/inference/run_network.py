"""Run a network of Keras on one tile, or on several at once."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from nbtools.inference.base import Maps


def run_network(model: keras.Model, pixels: np.ndarray) -> Maps:
    """Run a network on one tile, or on several at once.

    Parameters
    ----------
    model : of (B, *space, C).
    pixels : (*tile, C), or (B, *tile, C).

    Returns
    -------
    Output with the same axes in front; one array per output where there are several.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> image = keras.Input((None, None, 1))
    >>> model = keras.Model(image, keras.layers.Conv2D(2, 3, padding="same")(image))
    >>> run_network(model, np.zeros((8, 8, 1))).shape
    (8, 8, 2)
    >>> run_network(model, np.zeros((5, 8, 8, 1))).shape
    (5, 8, 8, 2)
    """
    single = pixels.ndim == len(model.inputs[0].shape) - 1
    output = model.predict_on_batch(pixels[None] if single else pixels)
    if isinstance(output, Mapping):
        return {name: _first(values, single) for name, values in output.items()}
    return _first(output, single)


def _first(values: np.ndarray, single: bool) -> np.ndarray:
    """Values of the only tile where there is one, of all tiles otherwise."""
    return np.asarray(values)[0] if single else np.asarray(values)
