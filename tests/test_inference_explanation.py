"""Explanations, on networks of which it is known which pixel they read."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from nbtools import data, methods, nets
from nbtools.errors import UserError
from nbtools.inference import explanation
from nbtools.inference.explanation import OutputPart, grad_cam, kernels, list_layers, occlusion

pytestmark = pytest.mark.usefixtures("step_by_step")
PLACES = {2: (3, 5), 3: (1, 3, 5)}
SPACES = {2: (8, 10), 3: (4, 8, 10)}


def read_one_pixel(ndim: int, weight: float) -> keras.Model:
    """A classifier that reads a single pixel, with this weight."""
    network = keras.Sequential([keras.Input((*SPACES[ndim], 1)), layers.Flatten(), layers.Dense(1)])
    kernel = np.zeros((*SPACES[ndim], 1))
    kernel[PLACES[ndim]] = weight
    network.layers[-1].set_weights([kernel.reshape(-1, 1), np.zeros(1)])
    return network


def weigh_features(ndim: int, weights: tuple[float, ...]) -> keras.Model:
    """A classifier by the mean of its features: the image, and the image moved by a pixel."""
    conv, pool = getattr(layers, f"Conv{ndim}D"), getattr(layers, f"GlobalAveragePooling{ndim}D")
    network = keras.Sequential(
        [
            keras.Input((*(None,) * ndim, 1)),
            conv(2, 3, padding="same", name="features"),
            layers.Dropout(0.5),
            pool(),
            layers.Dense(1, name="answer"),
        ]
    )
    kernel = np.zeros((*(3,) * ndim, 1, 2))
    kernel[(1,) * ndim + (0, 0)] = 1
    kernel[(1,) * (ndim - 1) + (0, 0, 1)] = 1  # what lies left of a pixel
    network.get_layer("features").set_weights([kernel, np.zeros(2)])
    network.get_layer("answer").set_weights([np.array(weights)[:, None], np.zeros(1)])
    return network


@pytest.mark.parametrize("ndim", [2, 3])
def test_occlusion_finds_the_only_pixel_that_is_read_and_what_it_is_worth(ndim, rng):
    image = rng.random((*SPACES[ndim], 1)).astype("float32")
    found = occlusion(read_one_pixel(ndim, 3.0), image, size=1, step=1)
    expected = np.zeros(SPACES[ndim])
    expected[PLACES[ndim]] = 3 * (image[PLACES[ndim]][0] - np.median(image))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_larger_boxes_reach_every_pixel_and_only_those_over_the_one_that_is_read_count(ndim):
    image = np.zeros((*SPACES[ndim], 1))
    image[PLACES[ndim]] = 1
    found = occlusion(read_one_pixel(ndim, 1.0), image, size=3, step=2)
    far = np.abs(np.indices(SPACES[ndim]) - np.reshape(PLACES[ndim], (-1, *(1,) * ndim))) > 2
    assert found[PLACES[ndim]] == 1
    assert found[far.any(axis=0)].max() == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_grad_cam_lights_the_only_bright_pixel_of_the_feature_that_counts(ndim):
    image = np.zeros((*SPACES[ndim], 1))
    image[PLACES[ndim]] = 2
    expected = np.zeros(SPACES[ndim])
    expected[PLACES[ndim]] = 1
    np.testing.assert_allclose(grad_cam(weigh_features(ndim, (1.0, 0.0)), image), expected)
    moved = grad_cam(weigh_features(ndim, (0.0, 1.0)), image)
    np.testing.assert_allclose(moved, np.roll(expected, 1, axis=-1))


def test_grad_cam_is_dark_where_nothing_speaks_for_the_part():
    assert grad_cam(weigh_features(2, (-1.0, -1.0)), np.ones((8, 8, 1))).max() == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_gradient_of_grad_cam_is_that_of_tensorflow(ndim, rng):
    network = nets.unet(ndim, filters=(4, 8), outputs=2)
    for layer in network.layers:  # normalisation that is not the identity
        layer.set_weights([rng.uniform(0.2, 1, w.shape) for w in layer.get_weights()])
    space = (8, 16, 16)[-ndim:]
    image, where = rng.random((*space, 1)).astype("float32"), rng.random(space) > 0.5
    name = list_layers(network)[0]
    both = keras.Model(network.inputs[0], [network.get_layer(name).output, network.output])
    with tf.GradientTape() as tape:
        maps, output = both(image[None], training=False)
        score = tf.reduce_mean(output[0, ..., 1][where])
    importance = tape.gradient(score, maps).numpy()[0].reshape(-1, maps.shape[-1]).mean(axis=0)
    expected = np.maximum(maps.numpy()[0] @ importance, 0)
    found = grad_cam(network, image, part=OutputPart(1, where), layer=name)
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-4)


def test_of_a_segmentation_one_nucleus_is_explained_by_its_surroundings_alone(rng):
    network = nets.unet(2, filters=(4, 8))
    where = np.zeros((64, 64), bool)
    where[4:8, 4:8] = True
    found = occlusion(network, rng.random((64, 64, 1)), part=OutputPart(where=where), size=8)
    assert np.abs(found[:20, :20]).max() > 0
    assert np.abs(found[40:, 40:]).max() < 1e-6  # but for rounding, beyond the receptive field


def test_a_network_is_not_changed_by_being_explained(rng):
    network = weigh_features(2, (1.0, 0.5))
    image = rng.random((8, 8, 1)).astype("float32")
    before = network.predict_on_batch(image[None])
    grad_cam(network, image)
    np.testing.assert_array_equal(network.predict_on_batch(image[None]), before)
    assert network.trainable_variables
    assert network.get_layer("features").output.shape == (None, None, None, 2)


def test_one_of_several_named_outputs_is_explained():
    image = keras.Input((8, 8, 1))
    blank = layers.Rescaling(0.0)(layers.Flatten()(image))
    first = layers.Flatten()(layers.Conv2D(1, 3, padding="same", name="conv")(image))
    network = keras.Model(image, {"blank": blank, "seen": first})
    part = OutputPart(output="seen", channel=9)
    assert occlusion(network, np.eye(8)[..., None], part=part, size=1, step=1)[1, 1] != 0
    assert occlusion(network, np.eye(8)[..., None]).max() == 0
    with pytest.raises(UserError, match="one of: blank, seen"):
        occlusion(network, np.eye(8)[..., None], part=OutputPart(output="other"))
    assert grad_cam(network, np.eye(8)[..., None], part=part).shape == (8, 8)


def test_a_trained_method_takes_an_image_and_scales_it_itself():
    model = methods.load("nuclei2d")
    image = data.samples("nuclei2d")[0].image
    image = image.replace(pixels=image.pixels[:64, :96])
    maps = explanation.feature_maps(model, image)
    assert maps.shape[-1] == kernels(model).shape[-1]
    scaled, scale = model.normalise(image.pixels[..., None])
    same = explanation.feature_maps(model.network, scale.apply(scaled))
    np.testing.assert_allclose(maps, same, atol=1e-5)
    assert grad_cam(model, image).shape == (64, 96)
    assert occlusion(model, image, size=32).shape == (64, 96)


def test_feature_maps_are_what_the_kernels_make_of_the_image():
    image = np.zeros((8, 8, 1))
    image[3, 5] = 1
    network = weigh_features(2, (1.0, 1.0))
    maps = explanation.feature_maps(network, image)
    assert np.argwhere(maps[..., 0]).tolist() == [[3, 5]]
    assert np.argwhere(maps[..., 1]).tolist() == [[3, 6]]
    assert kernels(network)[1, 1, 0].tolist() == [1, 0]


def test_what_cannot_be_explained_is_refused_with_a_remedy():
    network = nets.unet(2, filters=(4, 8))
    with pytest.raises(UserError, match=r"pixels\[\.\.\., None\]"):
        occlusion(network, np.zeros((16, 16)))
    with pytest.raises(UserError, match="Cut the image to 16 x 16 px"):
        occlusion(network, np.zeros((17, 16, 1)))
    image = np.zeros((16, 16, 1))
    with pytest.raises(UserError, match="Use 0 to 0"):
        grad_cam(network, image, part=OutputPart(channel=1))
    with pytest.raises(UserError, match=r"true in the part"):
        grad_cam(network, image, part=OutputPart(where=np.zeros((16, 16))))
    with pytest.raises(UserError, match="A layer must be one of the network"):
        grad_cam(network, image, layer="nowhere")
    with pytest.raises(UserError, match="Choose one of: features"):
        kernels(weigh_features(2, (1, 1)), layer="answer")
    with pytest.raises(UserError, match="must make maps"):
        list_layers(read_one_pixel(2, 1.0))
