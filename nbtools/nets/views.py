"""Three projections of a volume through one shared 2D network."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops

from nbtools.nets.pooled import pooled
from nbtools.nets.unet import image_input

Tensor = keras.KerasTensor
MOST_REPEATED = 8  # times that a coarse axis is repeated to be as fine as the others


@keras.saving.register_keras_serializable("nbtools")
class GlobalViews(layers.Layer):
    """Maximum and mean along each of three axes, through one 2D network, and averaged.

    Parameters
    ----------
    network : (B, Y, X, 2 C) → (B, F).
    repeats : times that each axis is repeated in the projections, so that coarse planes are as wide
        as the pixels within them.
    """

    def __init__(self, network: keras.Model, repeats: Sequence[int] = (1, 1, 1), **kwargs: object):
        super().__init__(**kwargs)
        self.network, self.repeats = network, tuple(repeats)

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """(B, Z, Y, X, C) → (B, F)."""
        found = []
        for axis in range(3):
            views = [ops.max(x, axis=axis + 1), ops.mean(x, axis=axis + 1)]
            view = ops.concatenate(views, axis=-1)
            left = [factor for a, factor in enumerate(self.repeats) if a != axis]
            for place, factor in enumerate(left, start=1):
                view = ops.repeat(view, factor, axis=place) if factor > 1 else view
            found.append(self.network(view, training=training))
        return ops.mean(ops.stack(found), axis=0)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """(B, F)."""
        return (shape[0], self.network.output.shape[-1])

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "repeats": self.repeats}

    @classmethod
    def from_config(cls, config: dict) -> GlobalViews:
        """A layer from its configuration."""
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


def three_views(
    *,
    channels: int = 1,
    outputs: int = 2,
    spacing: Sequence[float] | None = None,
    **config: object,
) -> keras.Model:
    """Build a network of three projections of a volume, which share their weights.

    Parameters
    ----------
    channels, outputs : of the input and of the linear output.
    spacing : pixel size along Z, Y and X; None for equal ones.
    config : further fields of `PooledConfig`.

    Returns
    -------
    keras.Model : (B, Z, Y, X, channels) → (B, outputs) logits.

    Examples
    --------
    >>> three_views(filters=(4, 8), blocks=1, spacing=(2.0, 0.5, 0.5)).output.shape
    (None, 2)
    """
    finest = min(spacing) if spacing else 1.0
    repeats = [min(MOST_REPEATED, max(1, round(s / finest))) for s in spacing or (1.0,) * 3]
    shared = pooled(2, channels=2 * channels, outputs=outputs, **config)
    volume = image_input(3, channels)
    return keras.Model(volume, GlobalViews(shared, repeats, name="views")(volume), name="views")
