"""Fuse batch normalisation into the convolution before it, in prediction.

(conv(x, k) + b - mean) · s + β = conv(x, k · s) + (b - mean) · s + β,
with s = γ / √(variance + ε).
This saves two passes over the features, and TensorFlow computes convolution, bias and activation
as one operation on CPUs. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
from keras import layers, ops

Tensor = keras.KerasTensor


def fuse_batchnorm(model: keras.Model) -> keras.Model:
    """Fuse each convolution with a normalisation that is the only layer to read it.

    For backends that compile, and leave out what nothing reads: the convolution is written twice
    and computed once.

    Parameters
    ----------
    model : is changed in place; its layers and weights stay.

    Returns
    -------
    The same network.
    """
    for norm in model._flatten_layers(include_self=False):
        conv = _find_convolution(norm) if isinstance(norm, layers.BatchNormalization) else None
        if conv is not None:
            pair = _Pair(conv, norm)
            conv.call, norm.call = pair.convolve, pair.normalise
    return model


def _find_convolution(norm: layers.BatchNormalization) -> keras.Layer | None:
    """The convolution that this layer, and no other, reads; None where there is none."""
    if len(norm._inbound_nodes) != 1 or norm.axis not in (-1, len(norm.output.shape) - 1):
        return None
    conv = norm.input._keras_history.operation
    if not isinstance(conv, (layers.Conv2D, layers.Conv3D)) or conv.data_format != "channels_last":
        return None
    alone = len(conv._inbound_nodes) == len(conv._outbound_nodes) == 1
    return conv if alone and conv.activation is keras.activations.linear else None


@dataclass(eq=False)
class _Pair:
    """A convolution and the normalisation that reads it.

    seen : last input and output of the convolution, until the normalisation has read them.
    """

    conv: keras.Layer
    norm: layers.BatchNormalization
    seen: list = field(default_factory=list)

    def __post_init__(self):
        self.plain_conv, self.plain_norm = self.conv.call, self.norm.call

    def convolve(self, inputs: Tensor) -> Tensor:
        output = self.plain_conv(inputs)
        self.seen[:] = inputs, output
        return output

    def normalise(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        image, output = self.seen or (None, None)
        self.seen.clear()
        if output is not inputs or (training and self.norm.trainable):
            return self.plain_norm(inputs, training=training, mask=mask)
        scale = ops.rsqrt(self.norm.moving_variance + self.norm.epsilon)
        scale = scale * self.norm.gamma if self.norm.scale else scale
        shift = (self.conv.bias if self.conv.use_bias else 0) - self.norm.moving_mean
        shift = shift * scale + (self.norm.beta if self.norm.center else 0)
        return ops.add(self.conv.convolution_op(image, self.conv.kernel * scale), shift)
