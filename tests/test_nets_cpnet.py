"""The residual network of Cellpose: its published size, shapes, and how far it sees."""

import numpy as np
import pytest

from nbtools import nets
from nbtools.errors import UserError
from nbtools.inference.receptive_field import measure_receptive_field


def test_the_published_network_has_its_number_of_parameters():
    # 6.61 million with two channels and three outputs, counted in the network of the authors'
    # version 3
    assert nets.cpnet(2, channels=2, outputs=3).count_params() == pytest.approx(6.61e6, rel=0.0005)


@pytest.mark.parametrize(
    "plan", [{}, {"pairs": 1, "style": False}, {"stem": (2, 2, 2), "style": False}]
)
@pytest.mark.parametrize("ndim", [2, 3])
def test_every_variant_keeps_the_shape_of_the_image(ndim, plan, rng):
    plan = {k: v[-ndim:] if k == "stem" else v for k, v in plan.items()}
    model = nets.cpnet(ndim, filters=(4, 6, 8), outputs=1 + ndim, **plan)
    image = rng.random((1, *(16,) * ndim, 1), dtype=np.float32)
    out = np.asarray(model(image))
    assert out.shape == (1, *(16,) * ndim, 1 + ndim)
    assert np.isfinite(out).all()


def test_axes_are_pooled_by_their_own_factors():
    model = nets.cpnet(3, filters=(4, 4, 4), strides=((1, 2, 2), (2, 2, 2)), outputs=4)
    assert np.asarray(model(np.zeros((1, 2, 8, 8, 1), np.float32))).shape == (1, 2, 8, 8, 4)


def test_only_with_a_style_a_pixel_depends_on_the_whole_image():
    assert measure_receptive_field(nets.cpnet(2, filters=(4, 6), style=True)).radius is None
    field = measure_receptive_field(nets.cpnet(2, filters=(4, 6), style=False, stem=(2, 2)))
    assert field.grid == (4, 4)
    assert 20 < field.radius[0] < 80


def test_the_reach_that_the_tiles_count_on_is_true(rng):
    model = nets.cpnet(2, filters=(4, 6), style=False, pairs=1)
    radius = measure_receptive_field(model).radius[0]
    image = rng.random((1, 96, 96, 1), dtype=np.float32)
    other = image.copy()
    other[0, 48 + radius + 1 :] += 3
    np.testing.assert_allclose(
        np.asarray(model(image))[0, 48], np.asarray(model(other))[0, 48], atol=1e-5
    )


def test_one_dimension_is_refused():
    with pytest.raises(UserError, match="2 or 3 spatial axes"):
        nets.cpnet(1)
