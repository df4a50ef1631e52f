"""Several networks as one: the same image in, their answers side by side out."""

from __future__ import annotations

from collections.abc import Callable

import keras


def ensemble(build: Callable[[], keras.Model], members: int) -> keras.Model:
    """Networks of one architecture and different first weights, trained and run as a single model.

    build : makes one network (B, *space, C) → (B, *space, K).   members : how many.

    Returns
    -------
    keras.Model : (B, *space, C) → (B, *space, members · K), the answer of one member after the other.

    Examples
    --------
    >>> ensemble(lambda: unet(2, widths=(4, 8), outputs=3), 2).output_shape
    (None, None, None, 6)
    """
    if members == 1:
        return build()
    networks = [build() for _ in range(members)]
    image = keras.Input(networks[0].inputs[0].shape[1:], name="image")
    answers = [_copy_onto(image, network, prefix=f"member{i}_") for i, network in enumerate(networks)]
    return keras.Model(image, keras.layers.Concatenate(name="members")(answers), name="ensemble")


def _copy_onto(image: keras.KerasTensor, network: keras.Model, *, prefix: str) -> keras.KerasTensor:
    """The network's layers under new names, applied to another input: flat, so that its field can be read layer by layer."""

    def rename(layer: keras.Layer) -> keras.Layer:
        return layer.__class__.from_config({**layer.get_config(), "name": prefix + layer.name})

    copy = keras.models.clone_model(network, input_tensors=image, clone_function=rename)
    return copy.outputs[0]
