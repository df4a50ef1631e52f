"""Receptive field and memory of a network, read from its layers."""

from __future__ import annotations

import keras
import numpy as np

from nbtools.inference.base import ReceptiveField

IN_PLACE = (
    "Activation",
    "Add",
    "BatchNormalization",
    "Dropout",
    "InstanceNorm",
    "LeakyReLU",
    "ReLU",
)  # layers that need no second copy


def measure_receptive_field(model: keras.Model) -> ReceptiveField:
    """Read the radius, the pooling grid and the memory of a network from its layers.

    Every layer is visited once, in order: stride and radius of its inputs give those of its output.

    Parameters
    ----------
    model : of one input or several, (B, *space, C), and any number of outputs.

    Returns
    -------
    Receptive field; its radius is None where a layer sees the whole image.
    """
    ndim = len(model.inputs[0].shape) - 2
    known = {id(tensor): (np.ones(ndim), np.zeros(ndim)) for tensor in model.inputs}
    largest, sizes, bounded = (
        np.ones(ndim),
        {id(tensor): float(tensor.shape[-1]) for tensor in model.inputs},
        True,
    )
    calls = list_calls(model)
    for layer, inputs, output in calls:
        stride = np.max([known[id(t)][0] for t in inputs], axis=0)
        radius = np.max([known[id(t)][1] for t in inputs], axis=0)
        stride, radius, finite = _through(layer, stride, radius, ndim)
        bounded &= finite
        known[id(output)] = (stride, radius)
        largest = np.maximum(largest, stride)
        sizes[id(output)] = output.shape[-1] / float(np.prod(stride))
    reach = np.max([known[id(tensor)][1] for tensor in model.outputs], axis=0)
    grid = tuple(int(s) for s in largest)
    return ReceptiveField(
        tuple(int(np.ceil(r)) for r in reach) if bounded else None,
        grid,
        _count_alive(calls, sizes, model=model),
        sum(sizes[id(t)] for t in model.outputs),
    )


def list_calls(model: keras.Model) -> list[tuple[keras.Layer, list, object]]:
    """Every call of a layer in a network: the layer, its inputs and its output, in order.

    A layer that several parts of the network share is called several times.

    Parameters
    ----------
    model : of layers with one output each.
    """
    place = {id(layer): n for n, layer in enumerate(model.layers)}
    nodes = model._nodes_by_depth
    return [
        (node.operation, list(node.input_tensors), node.outputs[0])
        for depth in sorted(nodes, reverse=True)
        for node in sorted(nodes[depth], key=lambda node: place[id(node.operation)])
        if not isinstance(node.operation, keras.layers.InputLayer)
    ]


def _count_alive(
    calls: list[tuple[keras.Layer, list, object]], sizes: dict[int, float], *, model: keras.Model
) -> float:
    """Largest total of features in memory at one time.

    Each counts from the layer that makes it to the last one that reads it.
    """
    reads = [[id(tensor) for tensor in inputs] for _, inputs, _ in calls]
    last = {tensor: n for n, read in enumerate(reads) for tensor in read}
    alive, most = {id(tensor): sizes[id(tensor)] for tensor in model.inputs}, 0.0
    for n, ((layer, _, output), read) in enumerate(zip(calls, reads, strict=True)):
        done = [tensor for tensor in read if last[tensor] == n]
        if type(layer).__name__ in IN_PLACE and done:
            alive.pop(done[0], None)
        alive[id(output)] = sizes[id(output)]
        most = max(most, sum(alive.values()))
        for tensor in done:
            alive.pop(tensor, None)
    return most


def _through(
    layer: keras.Layer, stride: np.ndarray, radius: np.ndarray, ndim: int
) -> tuple[np.ndarray, np.ndarray, bool]:
    """(stride, radius, is the field finite) after one layer."""
    name = type(layer).__name__
    if name.startswith("UpSampling"):
        factor = np.array(np.broadcast_to(layer.size, ndim), float)
        return stride / factor, radius + stride - stride / factor, True
    if "Transpose" in name:
        factor = np.array(np.broadcast_to(layer.strides, ndim), float)
        kernel = np.array(np.broadcast_to(layer.kernel_size, ndim), float)
        return (
            stride / factor,
            radius + stride * np.ceil(kernel / factor - 1e-9) - stride / factor,
            True,
        )
    if "Conv" in name:
        reach = (np.array(layer.kernel_size) - 1) * np.array(
            np.broadcast_to(layer.dilation_rate, ndim)
        )
        factor = np.array(np.broadcast_to(layer.strides, ndim), float)
        return stride * factor, radius + stride * (np.ceil(reach / 2) + factor - 1), True
    if "Pooling" in name and "Global" not in name:
        factor = np.array(np.broadcast_to(layer.strides, ndim), float)
        return (
            stride * factor,
            radius + stride * (np.array(np.broadcast_to(layer.pool_size, ndim)) - 1),
            True,
        )
    if hasattr(layer, "receptive"):  # our own layers say it themselves
        factor, reach = layer.receptive()
        return stride * factor, radius + stride * reach, True
    finite = not (
        "Global" in name
        or "GroupNormalization" in name
        or "InstanceNorm" in name
        or "Attention" in name
        or "Lambda" in name
    )
    return stride, radius, finite
