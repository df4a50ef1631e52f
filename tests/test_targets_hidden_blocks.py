"""Hidden blocks: as many and as large as asked for, and what is behind them as truth."""

import numpy as np
import pytest

from nbtools.patches import Example
from nbtools.targets.hidden_blocks import HiddenBlocksTarget, draw_blocks


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_share_of_hidden_pixels_is_that_of_the_blocks(rng, share):
    masks = [draw_blocks(rng, (60, 70), side=(8, 8), share=share) for _ in range(30)]
    assert np.mean(masks) == pytest.approx(share, abs=0.05)


def test_blocks_are_whole_squares(rng):
    mask = draw_blocks(rng, (64, 64), side=(4, 8), share=0.3)
    changes = np.flatnonzero(np.diff(mask.astype(int), axis=0).any(axis=1))
    assert (np.diff(changes) % 4 == 0).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_patch_comes_back_from_truth(rng, ndim):
    target, image = HiddenBlocksTarget(ndim), rng.random((16, 32, 32, 1)[3 - ndim :], np.float32)
    given, truth = target.make_pair(rng, Example(image))
    mask = truth[..., -1] > 0
    np.testing.assert_array_equal(target.decode(truth[..., :1]).image.pixels[..., 0], image[..., 0])
    np.testing.assert_array_equal(given[~mask], image[~mask])
    np.testing.assert_allclose(given[mask], image.mean(), rtol=1e-5)
    assert 0 < mask.mean() < 1


def test_where_planes_lie_far_apart_a_block_has_fewer(rng):
    target = HiddenBlocksTarget(3, spacing=(4.0, 1.0, 1.0), hidden=0.5)
    truth = target.make_pair(rng, Example(rng.random((32, 32, 32, 1), np.float32)))[1]
    changes = np.flatnonzero(np.diff(truth[..., -1], axis=0).any(axis=(1, 2)))
    assert (np.diff(changes) % 2 == 0).all()
    assert len(changes) > 8
