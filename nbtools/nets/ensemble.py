"""Several networks as one: the same image in, their answers side by side out."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

Tensor = keras.KerasTensor


def ensemble(build: Callable[[], keras.Model], members: int) -> keras.Model:
    """Networks of one architecture and different first weights, trained and run as a single model.

    build : makes one network (B, *space, C) → (B, *space, K).   members : how many.

    Returns
    -------
    keras.Model : (B, *space, C) → (B, *space, members · K), the answer of one member after the
        other.

    Examples
    --------
    >>> ensemble(lambda: unet(2, filters=(4, 8), outputs=3), 2).output_shape
    (None, None, None, 6)
    """
    return (
        build() if members == 1 else side_by_side({f"member{i}": build() for i in range(members)})
    )


def side_by_side(networks: dict[str, keras.Model]) -> keras.Model:
    """Networks of any architecture as one model: name → network (B, *space, C) → (B, *space, K).

    Returns
    -------
    keras.Model : (B, *space, C) → (B, *space, sum of K), in the order given; layers are called
        after their network, "name_layer".
    C is that of the network with most channels, the others see as many as they take from the
    middle: of planes around one, the nearest.
    """
    widest = max(networks.values(), key=lambda network: network.inputs[0].shape[-1])
    image = keras.Input(widest.inputs[0].shape[1:], name="image")
    answers = [_copy_onto(image, network, prefix=f"{name}_") for name, network in networks.items()]
    return keras.Model(image, layers.Concatenate(name="members")(answers), name="ensemble")


def _copy_onto(image: Tensor, network: keras.Model, *, prefix: str) -> Tensor:
    """The network's layers under new names, applied to another input: flat, so that its field can
    be read layer by layer.
    """
    count = network.inputs[0].shape[-1]
    seen = image if count == image.shape[-1] else Middle(count, name=f"{prefix}middle")(image)

    def rename(layer: keras.Layer) -> keras.Layer:
        return layer.__class__.from_config({**layer.get_config(), "name": prefix + layer.name})

    def call(layer: keras.Layer, *inputs: Tensor, **options: object) -> Tensor:
        return layer(*(seen if x is image else x for x in inputs), **options)

    copy = keras.models.clone_model(
        network, input_tensors=image, clone_function=rename, call_function=call
    )
    return copy.outputs[0]


@keras.saving.register_keras_serializable("nbtools")
class Middle(layers.Layer):
    """The `count` channels in the middle of (B, *space, C)."""

    def __init__(self, count: int, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def call(self, x: Tensor) -> Tensor:
        first = (x.shape[-1] - self.count) // 2
        return x[..., first : first + self.count]

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (*shape[:-1], self.count)

    def get_config(self):
        return {**super().get_config(), "count": self.count}
