"""Jigsaw: tiles change places, and truth says where each pixel came from."""

import numpy as np
import pytest

from nbtools.patches import Example
from nbtools.targets.jigsaw import JigsawTarget, standardise

SHAPES = {2: (48, 48), 3: (16, 48, 48)}


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_places_come_back_from_perfect_maps(ndim, rng):
    target, image = JigsawTarget(ndim), rng.random((*SHAPES[ndim], 1))
    _, truth = target.make_pair(rng, Example(image))
    known = truth[..., :-1].sum(axis=-1) > 0
    found = target.decode(target.activate(20 * truth[..., :-1])).image.pixels
    np.testing.assert_array_equal(found[known], truth[..., :-1].argmax(axis=-1)[known])
    assert set(np.unique(found[known])) == set(range(target.outputs["place"]))


@pytest.mark.parametrize("ndim", [2, 3])
def test_each_tile_is_a_tile_of_the_patch(ndim, rng):
    target, image = JigsawTarget(ndim), rng.random((*SHAPES[ndim], 1)).astype(np.float32)
    given, truth = target.make_pair(rng, Example(image))
    place = np.argwhere(truth[..., 0] > 0)  # where the first tile of the patch went
    low, high = place.min(axis=0), place.max(axis=0) + 1
    moved = given[tuple(map(slice, low, high))]
    size = np.array(SHAPES[ndim]) // target.grid
    read = tuple(slice(a % s, a % s + n) for a, s, n in zip(low, size, high - low, strict=True))
    np.testing.assert_allclose(moved, standardise(image[read]), atol=1e-5)


def test_brightness_does_not_give_the_place_away(rng):
    image = np.arange(48.0)[:, None, None] + rng.random((48, 48, 1))
    given, truth = JigsawTarget(2).make_pair(rng, Example(image))
    means = [given[truth[..., k] > 0].mean() for k in range(9)]
    np.testing.assert_allclose(means, 0, atol=1e-5)


def test_without_shuffling_tiles_stay(rng):
    truth = JigsawTarget(2).encode(Example(rng.random((48, 48, 1))))
    assert truth[8, 8, 0] == truth[8, 40, 2] == truth[40, 40, 8] == 1
    np.testing.assert_array_equal(truth[..., -1], 1)
