"""Several networks as one model: side by side on the same image, or one behind the other."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

Tensor = keras.KerasTensor


def ensemble(build: Callable[[], keras.Model], members: int) -> keras.Model:
    """Join networks of one architecture and different initial weights into one model.

    Parameters
    ----------
    build : makes one network (B, *space, C) → (B, *space, K).
    members : number of networks.

    Returns
    -------
    keras.Model : (B, *space, C) → (B, *space, members · K), one member after the other.

    Examples
    --------
    >>> from nbtools.nets import unet
    >>> ensemble(lambda: unet(2, filters=(4, 8), outputs=3), 2).output_shape
    (None, None, None, 6)
    """
    return (
        build() if members == 1 else side_by_side({f"member{i}": build() for i in range(members)})
    )


def side_by_side(networks: dict[str, keras.Model]) -> keras.Model:
    """Join networks of any architecture into one model.

    Parameters
    ----------
    networks : name → network (B, *space, C) → (B, *space, K). A network with fewer input
        channels than the widest takes those in the middle: of planes around one, the nearest.

    Returns
    -------
    keras.Model : (B, *space, largest C) → (B, *space, sum of K), in the order given; layers are
        named after their network, "name_layer".
    """
    widest = max(networks.values(), key=lambda network: network.inputs[0].shape[-1])
    image = keras.Input(widest.inputs[0].shape[1:], name="image")
    outputs = [_copy_onto(image, network, prefix=f"{name}_") for name, network in networks.items()]
    return keras.Model(image, layers.Concatenate(name="members")(outputs), name="ensemble")


def in_sequence(networks: dict[str, keras.Model]) -> keras.Model:
    """Join networks into one model, each of which is given what the one before predicts.

    Parameters
    ----------
    networks : name → network (B, *space, C) → (B, *space, K); each is given as
        many channels as the one before it has outputs.

    Returns
    -------
    keras.Model : (B, *space, C) → the outputs of all, concatenated, those of the last network
        first; layers are named after their network, "name_layer".

    Examples
    --------
    >>> from nbtools.nets import unet
    >>> parts = {"first": unet(2, filters=(4, 8)), "second": unet(2, filters=(4, 8), outputs=3)}
    >>> in_sequence(parts).output_shape
    (None, None, None, 4)
    """
    first = next(iter(networks.values()))
    image = keras.Input(first.inputs[0].shape[1:], name="image")
    x, outputs = image, []
    for name, network in networks.items():
        x = _copy_onto(x, network, prefix=f"{name}_")
        outputs.insert(0, x)
    return keras.Model(image, layers.Concatenate(name="outputs")(outputs), name="sequence")


def _copy_onto(image: Tensor, network: keras.Model, *, prefix: str) -> Tensor:
    """Apply the layers of a network, renamed, to another input.

    Flat, so that the receptive field can be computed layer by layer.
    """
    count = network.inputs[0].shape[-1]
    seen = image if count == image.shape[-1] else Middle(count, name=f"{prefix}middle")(image)

    def rename(layer: keras.Layer) -> keras.Layer:
        return layer.__class__.from_config({**layer.get_config(), "name": prefix + layer.name})

    def call(layer: keras.Layer, *inputs: Tensor, **options: object) -> Tensor:
        return layer(*inputs, **options)

    return network._run_through_graph(seen, operation_fn=rename, call_fn=call)


@keras.saving.register_keras_serializable("nbtools")
class Middle(layers.Layer):
    """The `count` channels in the middle of (B, *space, C)."""

    def __init__(self, count: int, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def call(self, x: Tensor) -> Tensor:
        """(..., C) → (..., count), the channels in the middle."""
        first = (x.shape[-1] - self.count) // 2
        return x[..., first : first + self.count]

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Shape of the output for a shape of the input."""
        return (*shape[:-1], self.count)

    def get_config(self):
        return {**super().get_config(), "count": self.count}
