"""Normalisations within convolutions: the same numbers as Keras' own layers, in prediction and in
training.
"""

import keras
import numpy as np
import pytest
from keras import layers

from nbtools import nets
from nbtools.nets.fuse_batchnorm import fuse_batchnorm

pytest.importorskip(
    "tensorflow", reason="normalisations are part of convolutions on TensorFlow only"
)


def settle(model, seed=0):
    """Weights as training leaves them: statistics of normalisations and all else away from where
    they start.
    """
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        positive = "variance" in variable.path or "gamma" in variable.path
        drawn = rng.normal(0, 0.3, variable.shape)
        variable.assign(np.exp(drawn) if positive else drawn)
    return model


def twins(build):
    """The same network twice, the second with its normalisations absorbed."""
    plain = settle(build())
    quick = build()
    quick.set_weights(plain.get_weights())
    return plain, fuse_batchnorm(quick)


def look(model, ndim, channels=1):
    x = np.random.default_rng(1).normal(size=(2, *(16, 24, 16)[:ndim], channels)).astype(np.float32)
    return model.predict_on_batch(x)


def agree(ours, theirs):
    """To the rounding of sums of many products: a ten-thousandth of the largest value."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * max(1, np.abs(theirs).max()))


def count_absorbed(model):
    return sum(
        "call" in vars(layer)
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    )


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(
    "plan", [{}, {"bias": True}, {"stem": 2, "pool": "first"}, {"norm": "instance"}], ids=str
)
def test_prediction_is_that_of_the_plain_network(ndim, plan):
    plain, quick = twins(lambda: nets.unet(ndim, filters=(4, 8), outputs=2, **plan))
    assert count_absorbed(quick) == sum(
        isinstance(layer, layers.BatchNormalization) for layer in quick.layers
    )
    agree(look(quick, ndim), look(plain, ndim))


def test_normalisations_that_others_share_or_that_follow_no_convolution_stay():
    plain, quick = twins(lambda: nets.cpnet(2, filters=(4, 8), channels=1))
    norms = [layer for layer in quick.layers if isinstance(layer, layers.BatchNormalization)]
    assert 0 < count_absorbed(quick) < len(norms)
    agree(look(quick, 2), look(plain, 2))


@pytest.mark.parametrize(
    "changes", [{"activation": "relu"}, {"data_format": "channels_first"}], ids=str
)
def test_only_what_is_linear_in_its_channels_is_absorbed(changes):
    axis = 1 if "data_format" in changes else -1
    image = keras.Input((4, 8, 8))
    model = keras.Model(
        image, layers.BatchNormalization(axis=axis)(layers.Conv2D(3, 3, **changes)(image))
    )
    assert count_absorbed(fuse_batchnorm(model)) == 0


def test_a_step_of_training_and_what_it_leaves_are_those_of_the_plain_network():
    x, y = np.random.default_rng(2).normal(size=(2, 4, 16, 16, 1)).astype(np.float32)
    left = []
    for model in twins(lambda: nets.unet(2, filters=(4, 8))):
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.predict_on_batch(x)
        losses = [model.train_on_batch(x, y) for _ in range(3)]
        left.append((losses, *model.get_weights(), model.predict_on_batch(x)))
    for ours, theirs in zip(*left, strict=True):
        agree(ours, theirs)


def test_weights_that_change_between_two_looks_are_those_of_the_second():
    plain, quick = twins(lambda: nets.unet(2, filters=(4, 8)))
    before = look(quick, 2)
    quick.set_weights(settle(plain, seed=3).get_weights())
    after = look(quick, 2)
    assert np.abs(after - before).max() > 0.01
    agree(after, look(plain, 2))


def test_a_normalisation_that_is_asked_alone_answers_alone():
    _, quick = twins(lambda: nets.unet(2, filters=(4, 8)))
    norm = quick.get_layer("enc0_0_bn")
    x = np.random.default_rng(4).normal(size=(1, 4, 4, 4)).astype(np.float32)
    scale = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    expected = (x - np.asarray(norm.moving_mean)) * scale + np.asarray(norm.beta)
    quick.get_layer("enc0_0")(np.zeros((1, 4, 4, 1), np.float32))
    agree(norm(x), expected)
