"""Quickened volumes: the same numbers as Keras' own layers, forwards and backwards."""

import keras
import numpy as np
import pytest
from keras import layers

from nbtools import nets

tf = pytest.importorskip("tensorflow", reason="networks are quickened on TensorFlow only")


def gradients(model, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.sin(model(x)))
    return [loss, *tape.gradient(loss, [x, *model.trainable_variables])]


def twins(*stack, ndim=3):
    """The same small network twice, once quickened, and one image of an awkward size."""
    x = tf.constant(
        np.random.default_rng(0).normal(size=(2, *(7, 10, 13)[-ndim:], 2)).astype(np.float32)
    )
    plain = keras.Sequential([keras.Input((None,) * ndim + (2,)), *stack])
    quick = keras.models.clone_model(plain)
    quick.set_weights(plain.get_weights())
    return plain, nets.cpu_optimize(quick), x


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (3, 1, 1), (5, 3, 1)])
def test_convolutions_and_their_gradients_are_those_of_keras(kernel):
    plain, quick, x = twins(
        layers.Conv3D(4, kernel, padding="same"),
        layers.Conv3D(3, kernel, padding="same", use_bias=False),
    )
    assert all("convolution_op" in vars(layer) for layer in quick.layers)
    for ours, theirs in zip(gradients(quick, x), gradients(plain, x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 2, 2), (2, 2, 2), (2, 1, 1), (3, 2, 4)])
def test_largest_values_and_their_gradients_are_those_of_keras(size):
    plain, quick, x = twins(layers.MaxPooling3D(size))
    assert "call" in vars(quick.layers[0])
    for ours, theirs in zip(gradients(quick, x), gradients(plain, x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 2, 2), (2, 2, 2), (2, 1, 3), (2, 2), (1, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_boxes_that_do_not_overlap_and_their_gradients_are_those_of_keras(size, bias):
    kind = layers.Conv3DTranspose if len(size) == 3 else layers.Conv2DTranspose
    settings = {"activation": "relu", "use_bias": bias, "bias_initializer": "normal"}
    plain, quick, x = twins(kind(3, size, strides=size, **settings), ndim=len(size))
    assert "call" in vars(quick.layers[0])
    for ours, theirs in zip(gradients(quick, x), gradients(plain, x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv3D(2, 3),
        layers.Conv3D(2, 3, padding="same", strides=2),
        layers.Conv3D(2, 1, padding="same"),
    ],
)
def test_other_convolutions_stay_as_they_are(layer):
    _, quick, _ = twins(layer)
    assert "convolution_op" not in vars(quick.layers[0])


def test_networks_inside_a_network_are_quickened_too():
    inner = nets.unet(3, filters=(2, 4))
    outer = nets.cpu_optimize(keras.Model(inner.input, inner(inner.input)))
    assert "convolution_op" in vars(inner.get_layer("enc0_0"))
    assert outer.predict_on_batch(np.zeros((1, 4, 8, 8, 1), np.float32)).shape == (1, 4, 8, 8, 1)
