"""Residual channel attention: published sizes, shapes of any size, and a field without bound."""

import keras
import numpy as np
import pytest

from nbtools import nets
from nbtools.errors import UserError
from nbtools.inference.receptive_field import measure_receptive_field


# counted on the published networks of Chen et al. 2021: 5 groups of 3 and of 5 blocks, 32 channels,
# volumes of one channel
@pytest.mark.parametrize(("blocks", "parameters"), [(3, 1_002_621), (5, 1_559_141)])
def test_the_networks_have_the_published_number_of_parameters(blocks, parameters):
    assert nets.rcan(3, groups=5, blocks=blocks).count_params() == parameters


@pytest.mark.parametrize(("ndim", "shape"), [(2, (13, 18)), (3, (5, 9, 7))])
def test_images_of_any_size_keep_their_shape(ndim, shape, rng):
    model = nets.rcan(ndim, channels=2, outputs=3, groups=1, blocks=1, width=4)
    out = np.asarray(model(rng.random((2, *shape, 2), dtype=np.float32)))
    assert out.shape == (2, *shape, 3)
    assert np.isfinite(out).all()


def test_the_field_has_no_bound_and_no_grid():
    keras.utils.set_random_seed(
        1
    )  # the one channel of so narrow an attention may be dead from the start
    model = nets.rcan(2, groups=1, blocks=1, width=8)
    field = measure_receptive_field(model)
    assert (field.radius, field.grid) == (None, (1, 1))
    dark = np.zeros((1, 40, 40, 1), np.float32)
    bright = dark.copy()
    bright[0, 30:, 30:] = (
        5  # out of reach of the convolutions of the first corner: only the attention tells it
    )
    first, second = (np.asarray(model(image))[0, :4, :4] for image in (dark + 1, bright + 1))
    assert np.abs(first - second).max() > 1e-6


def test_a_channel_is_weighed_by_a_share_between_0_and_1():
    model = nets.rcan(2, groups=1, blocks=1, width=8)
    for name in ("group0_block0_squeeze", "group0_block0_share"):
        for weight in model.get_layer(name).weights:
            weight.assign(np.zeros(weight.shape))
    block = model.get_layer("group0_block0_conv1"), model.get_layer("group0_block0_weigh")
    probe = type(model)(model.inputs, [layer.output for layer in block])
    before, after = (np.asarray(a) for a in probe(np.ones((1, 9, 9, 1), np.float32)))
    np.testing.assert_allclose(after, before / 2, rtol=1e-5)  # sigmoid of 0


def test_one_dimension_is_refused():
    with pytest.raises(UserError, match="2 or 3 spatial axes"):
        nets.rcan(1)
