"""Grey values to a common range and back."""

import numpy as np

from nbtools import normalize


def test_percentiles_go_to_zero_and_one(rng):
    pixels = rng.normal(500, 50, (200, 200, 1))
    out = normalize.by_percentiles(pixels).apply(pixels)
    np.testing.assert_allclose(np.percentile(out, (1, 99.8)), (0, 1), atol=1e-5)


def test_each_channel_has_its_own_scale(rng):
    pixels = np.stack([rng.random((64, 64)), 1000 * rng.random((64, 64)) + 7], axis=-1)
    out = normalize.by_moments(pixels).apply(pixels)
    np.testing.assert_allclose(out.mean((0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(out.std((0, 1)), 1, atol=1e-4)


def test_undo_brings_the_grey_values_back(rng):
    pixels = rng.integers(0, 65535, (33, 41, 2)).astype(np.uint16)
    scale = normalize.by_percentiles(pixels)
    np.testing.assert_allclose(scale.undo(scale.apply(pixels)), pixels, atol=0.05)


def test_a_constant_image_becomes_zero_not_noise():
    out = normalize.by_percentiles(np.full((9, 9, 1), 77, np.uint8)).apply(
        np.full((9, 9, 1), 77, np.uint8)
    )
    assert (out == 0).all()


def test_a_dim_image_is_stretched_like_a_bright_one(rng):
    dim = rng.integers(0, 36, (128, 128, 1)).astype(np.uint8)
    bright = (dim.astype(np.uint16) * 1000).astype(np.uint16)
    np.testing.assert_allclose(
        normalize.by_percentiles(dim).apply(dim),
        normalize.by_percentiles(bright).apply(bright),
        atol=1e-5,
    )


def test_a_large_image_is_sampled_and_scaled_alike(rng):
    pixels = rng.normal(size=(2500, 2500, 1)).astype(np.float32)
    scale = normalize.by_percentiles(pixels)
    assert abs(scale.offset[0] - np.percentile(pixels, 1)) < 0.02
