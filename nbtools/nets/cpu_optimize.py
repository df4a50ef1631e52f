"""Let TensorFlow compute a network faster on a CPU: same numbers, other operations.

In prediction, batch normalisation is fused into convolutions (`fuse_batchnorm`), and a transposed
convolution whose blocks do not overlap is a matrix product. In training, TensorFlow's gradients of
a 3D convolution take many times as long as the convolution itself. The gradient by the input is a
convolution with the flipped kernel; that by the kernel is the gradient of a 2D convolution, with
planes as images, and as channels the planes within reach. A 3D maximum is one over each plane, then
one across planes.
"""

from __future__ import annotations

from functools import cache, partial

import keras
import numpy as np
from keras import layers

from nbtools.nets.fuse_batchnorm import fuse_batchnorm

Tensor = keras.KerasTensor


def cpu_optimize(model: keras.Model) -> keras.Model:
    """Let the layers of a network, and of networks inside it, use faster operations on a CPU.

    On GPUs and TPUs and with other backends than TensorFlow nothing changes; 2D, strided, dilated
    and grouped convolutions train as before.

    Parameters
    ----------
    model : is changed in place; its layers and weights stay.

    Returns
    -------
    The same network.
    """
    if keras.backend.backend() == "tensorflow" and not _on_accelerator():
        for layer in model._flatten_layers(include_self=False):
            if isinstance(layer, layers.Conv3D) and _is_plain(layer):
                layer.convolution_op = _convolve
            elif isinstance(layer, layers.MaxPooling3D) and _fills(layer):
                layer.call = partial(_pool, size=tuple(layer.pool_size))
            elif isinstance(layer, (layers.Conv2DTranspose, layers.Conv3DTranspose)) and _tiles(
                layer
            ):
                layer.call = partial(_spread, layer=layer)
        fuse_batchnorm(model)
    return model


@cache
def _on_accelerator() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("TPU"))


def _is_plain(layer: layers.Conv3D) -> bool:
    single = {*layer.strides, *layer.dilation_rate, layer.groups} == {1}
    odd = all(k % 2 for k in layer.kernel_size) and max(layer.kernel_size) > 1
    return single and odd and layer.padding == "same" and layer.data_format == "channels_last"


def _fills(layer: layers.MaxPooling3D) -> bool:
    return (
        tuple(layer.pool_size) == tuple(layer.strides)
        and layer.padding == "valid"
        and layer.data_format == "channels_last"
    )


def _tiles(layer: keras.Layer) -> bool:
    return (
        tuple(layer.kernel_size) == tuple(layer.strides)
        and layer.padding == "valid"
        and layer.data_format == "channels_last"
    )


def _convolve(volume: Tensor, kernel: Tensor) -> Tensor:
    """(B, Z, Y, X, C) and (kz, ky, kx, C, K) → (B, Z, Y, X, K), with gradients of our own."""
    import tensorflow as tf

    @tf.custom_gradient
    def convolve(x: Tensor, k: Tensor) -> tuple:
        def gradients(dy: Tensor) -> tuple[Tensor, Tensor]:
            flipped = tf.transpose(k[::-1, ::-1, ::-1], (0, 1, 2, 4, 3))
            return tf.nn.conv3d(dy, flipped, [1] * 5, "SAME"), _kernel_gradient(x, dy, size=k.shape)

        return tf.nn.conv3d(x, k, [1] * 5, "SAME"), gradients

    return convolve(tf.convert_to_tensor(volume), tf.convert_to_tensor(kernel))


def _kernel_gradient(x: Tensor, dy: Tensor, *, size: tuple[int, ...]) -> Tensor:
    """Gradient by a kernel of shape (kz, ky, kx, C, K): that of a 2D convolution over planes.

    Plane z of the input reaches planes z - kz // 2 … z + kz // 2 of the output: their gradients
    are stacked as channels, one 2D kernel each.
    """
    import tensorflow as tf

    depth, height, width, inputs, outputs = size
    shape = tf.shape(x)
    padded = tf.pad(dy, [[0, 0], [depth // 2, depth // 2], [0, 0], [0, 0], [0, 0]])
    stacked = tf.concat([padded[:, i : i + shape[1]] for i in reversed(range(depth))], axis=-1)
    found = tf.raw_ops.Conv2DBackpropFilter(
        input=tf.reshape(x, (-1, shape[2], shape[3], inputs)),
        filter_sizes=(height, width, inputs, depth * outputs),
        out_backprop=tf.reshape(stacked, (-1, shape[2], shape[3], depth * outputs)),
        strides=[1] * 4,
        padding="SAME",
    )
    return tf.transpose(tf.reshape(found, (height, width, inputs, depth, outputs)), (3, 0, 1, 2, 4))


def _pool(volume: Tensor, *, size: tuple[int, int, int]) -> Tensor:
    """(B, Z, Y, X, C) → (B, Z / kz, Y / ky, X / kx, C): the largest value of each whole block."""
    import tensorflow as tf

    shape, channels = tf.shape(volume), volume.shape[-1]
    small = [shape[axis + 1] // size[axis] for axis in range(3)]
    planes = tf.reshape(volume, (-1, shape[2], shape[3], channels))
    x = tf.nn.max_pool2d(planes, size[1:], size[1:], "VALID") if max(size[1:]) > 1 else planes
    x = tf.reshape(x, (shape[0], shape[1], small[1] * small[2], channels))
    x = tf.nn.max_pool2d(x, (size[0], 1), (size[0], 1), "VALID") if size[0] > 1 else x
    return tf.reshape(x, (shape[0], *small, channels))


def _spread(image: Tensor, *, layer: keras.Layer) -> Tensor:
    """(B, *space, C) → (B, *space · kernel, K): each pixel becomes a block."""
    import tensorflow as tf

    kernel = tf.convert_to_tensor(layer.kernel)  # (*size, K, C)
    *size, outputs, inputs = kernel.shape
    ndim, shape = len(size), tf.shape(image)
    weights = tf.reshape(kernel, (-1, inputs))
    blocks = tf.matmul(tf.reshape(image, (-1, inputs)), weights, transpose_b=True)
    if layer.use_bias:
        blocks = tf.nn.bias_add(blocks, tf.tile(layer.bias, [int(np.prod(size))]))
    axes = range(2, ndim + 1)
    rows = [shape[0] * shape[1], *(shape[a] for a in axes), *size[:-1], size[-1] * outputs]
    # each axis of the image, then that of its block
    order = [axis + side for axis in range(ndim) for side in (0, ndim)]
    x = tf.transpose(tf.reshape(blocks, rows), order)
    space = [shape[axis + 1] * size[axis] for axis in range(ndim)]
    return layer.activation(tf.reshape(x, (shape[0], *space, outputs)))
