"""Twin of inference/run_network: one tile or several, one output or several by name."""

import keras
import numpy as np
import pytest

from nbtools.inference.run_network import run_network


@pytest.fixture
def doubled() -> keras.Model:
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Rescaling(2.0)(image))


def test_a_tile_alone_is_predicted_as_among_others(doubled, rng):
    tiles = rng.random((3, 5, 7, 1)).astype(np.float32)
    together = run_network(doubled, tiles)
    assert together.shape == (3, 5, 7, 1)
    for tile, found in zip(tiles, together, strict=True):
        np.testing.assert_array_equal(run_network(doubled, tile), found)
        np.testing.assert_array_equal(found, 2 * tile)


def test_outputs_keep_their_names(rng):
    image = keras.Input((None, None, 1))
    outputs = {"twice": keras.layers.Rescaling(2.0)(image), "same": image}
    model = keras.Model(image, outputs)
    tile = rng.random((4, 4, 1)).astype(np.float32)
    found = run_network(model, tile)
    np.testing.assert_array_equal(found["twice"], 2 * tile)
    assert found["same"].shape == (4, 4, 1)
