"""SpaceToDepth and DepthToSpace: pixels that become channels and come back, and what tiles must
know of them.
"""

import keras
import numpy as np
import pytest

from nbtools import nets
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.nets.space_to_depth import DepthToSpace, SpaceToDepth


@pytest.mark.parametrize("factors", [(1, 2, 2), (2, 2, 2), (1, 3, 2)])
def test_what_is_unfolded_is_what_was_folded(factors, rng):
    image = rng.normal(size=(2, 4, 6, 12, 3)).astype(np.float32)
    folded = SpaceToDepth(factors)(image)
    assert tuple(folded.shape) == (
        2,
        4 // factors[0],
        6 // factors[1],
        12 // factors[2],
        3 * int(np.prod(factors)),
    )
    np.testing.assert_array_equal(np.asarray(DepthToSpace(factors)(folded)), image)


def test_folding_in_the_plane_puts_four_neighbours_into_one_pixel():
    plane = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4, 1)
    np.testing.assert_array_equal(
        np.asarray(SpaceToDepth((1, 2, 2))(plane))[0, 0, 0, 1], [2, 3, 6, 7]
    )


def test_tiles_know_how_far_a_folded_network_sees():
    field = measure_receptive_field(nets.unet(3, filters=(4, 8), stem=(1, 2, 2)))
    assert field.grid == (2, 4, 4)
    plain = measure_receptive_field(nets.unet(3, filters=(4, 8)))
    assert (
        field.radius[1] >= 2 * plain.radius[1]
    )  # pixels twice as large, and at least as many of them


def test_a_folded_network_is_the_same_after_loading(tmp_path, rng):
    network, image = (
        nets.unet(3, filters=(4,), stem=(1, 2, 2)),
        rng.normal(size=(1, 3, 4, 6, 1)).astype(np.float32),
    )
    network.save(tmp_path / "n.keras")
    again = keras.models.load_model(tmp_path / "n.keras")
    np.testing.assert_allclose(
        again.predict_on_batch(image), network.predict_on_batch(image), atol=1e-6
    )
