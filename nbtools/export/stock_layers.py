"""A network whose layers are all of Keras itself: other programs load it without nbtools."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from nbtools.methods.keras_method import KerasMethod
from nbtools.nets.ensemble import Middle
from nbtools.nets.norm import InstanceNorm
from nbtools.nets.space_to_depth import DepthToSpace, SpaceToDepth
from nbtools.targets.image_class import ImageClassTarget
from nbtools.targets.restored import RestoredTarget
from nbtools.training.fine_tuning import flatten_layers


def use_stock_layers(network: keras.Model) -> keras.Model:
    """Copy a network with layers of Keras in place of those of nbtools that they can express.

    Blocks of pixels and choices of channels become convolutions with fixed kernels of 0 and 1.

    Parameters
    ----------
    network : a functional network; it is not changed.

    Returns
    -------
    keras.Model
        Not compiled, with names, inputs and outputs of the network. Layers without a counterpart
        stay.

    Examples
    --------
    >>> x = keras.Input((None, None, 1))
    >>> plain = use_stock_layers(keras.Model(x, SpaceToDepth((2, 2))(x)))
    >>> plain.layers[-1].__class__.__name__
    'Conv2D'
    """
    plain = type(network).from_config(network.get_config())  # not compiled
    copy = keras.models.clone_model(plain, clone_function=_replace_layer)
    for layer, stock in zip(network.layers, copy.layers, strict=True):
        kernel = KERNELS.get(type(layer))
        stock.set_weights([kernel(layer)] if kernel else layer.get_weights())
    return copy


def build_graph(method: KerasMethod) -> keras.Model:
    """Build the network of a method with what is fixed before and behind it.

    Before it, the grey values are scaled where that is the same for all images; grey scaling that
    looks at the image is left to the program that loads the network. Behind it stands the last
    activation, for classes of images with the temperature of the model, and for restored images
    the way back to grey values. A method that does more with
    the output than to decode it, see `adds_steps`, gives its network alone.

    Parameters
    ----------
    method : trained, with a Keras network.

    Returns
    -------
    keras.Model
        (B, *space, C) → (B, *space, K) maps, as `predict(image, raw=True)` has them of a tile, or
        restored grey values.
    """
    network, target = use_stock_layers(method.network), method.target()
    if adds_steps(method):
        return network
    image = x = keras.Input(network.inputs[0].shape[1:], name="image")
    if (scale := method.scale) is not None:
        offset, factor = np.array(scale.offset), np.array(scale.factor)
        x = layers.Rescaling((1 / factor).tolist(), (-offset / factor).tolist(), name="scale")(x)
    raw = network(x)
    if isinstance(target, ImageClassTarget):
        temperature = method.decoding_values()["temperature"]
        raw = layers.Rescaling(1 / temperature, name="temperature")(raw)
    maps = target.activate(raw, keras.ops)
    if isinstance(target, RestoredTarget):
        back = layers.Rescaling(list(target.scale.factor), list(target.scale.offset), name="grey")
        maps = back(maps[..., target.result_channels])
    return keras.Model(image, maps, name=network.name)


def adds_steps(method: KerasMethod) -> bool:
    """Whether a method does more with a tile than to run its network."""
    return type(method).run is not KerasMethod.run


def find_own_layers(network: keras.Model) -> list[str]:
    """Names of the kinds of layers that another program cannot load without nbtools."""
    found = {type(layer) for layer in flatten_layers(network)} - {*KERNELS, InstanceNorm}
    return sorted(kind.__name__ for kind in found if kind.__module__.startswith("nbtools"))


def _replace_layer(layer: keras.Layer) -> keras.Layer:
    ndim = len(layer.input.shape) - 2 if type(layer) in KERNELS else 0
    about = {"name": layer.name, "use_bias": False}
    if isinstance(layer, InstanceNorm):
        return layers.GroupNormalization(-1, epsilon=layer.epsilon, name=layer.name)
    if isinstance(layer, Middle):
        return getattr(layers, f"Conv{ndim}D")(layer.count, 1, **about)
    if isinstance(layer, SpaceToDepth):
        filters, kind = layer.output.shape[-1], f"Conv{ndim}D"
    elif isinstance(layer, DepthToSpace):
        filters, kind = layer.output.shape[-1], f"Conv{ndim}DTranspose"
    else:
        return type(layer).from_config(layer.get_config())
    return getattr(layers, kind)(filters, layer.factors, strides=layer.factors, **about)


def _arrange_blocks(layer: SpaceToDepth | DepthToSpace) -> np.ndarray:
    """(*factors, C, product of the factors · C): each pixel of a block has channels of its own."""
    few = min(layer.input.shape[-1], layer.output.shape[-1])
    return np.eye(few * int(np.prod(layer.factors))).reshape(*layer.factors, few, -1)


def _choose_middle(layer: Middle) -> np.ndarray:
    """(1, …, C, count) the channels in the middle."""
    channels = layer.input.shape[-1]
    chosen = np.eye(channels, layer.count, k=-((channels - layer.count) // 2))
    return chosen.reshape(*[1] * (len(layer.input.shape) - 2), channels, layer.count)


KERNELS: dict[type, Callable] = {
    SpaceToDepth: _arrange_blocks,
    DepthToSpace: _arrange_blocks,
    Middle: _choose_middle,
}
