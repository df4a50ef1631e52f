"""Grey values to a common range and back."""

import numpy as np
import pytest

from nbtools import normalize
from nbtools.errors import UserError


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


def make_field(shape=(256, 256), *, seed=0) -> np.ndarray:
    """16 squares of 400 to 900 on a ground of 100, noise 10."""
    rng = np.random.default_rng(seed)
    grey = rng.normal(100, 10, shape)
    for i, y in enumerate(range(20, 250, 64)):
        for j, x in enumerate(range(20, 250, 64)):
            grey[y : y + 20, x : x + 20] += 300 + 500 * ((4 * i + j) % 5) / 4
    return grey.clip(0).astype(np.uint16)


def test_the_robust_scale_of_a_usual_field_is_that_by_percentiles():
    pixels = make_field()[..., None]
    ready, scale = normalize.ROBUST.prepare(pixels)
    plain = normalize.by_percentiles(pixels)
    assert ready is pixels
    np.testing.assert_allclose(scale.factor, plain.factor, rtol=1e-6)
    np.testing.assert_allclose(scale.offset, plain.offset, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_the_robust_scale_takes_every_type_of_pixel(kind):
    pixels = (make_field() / 4).astype(kind)[..., None]
    scale = normalize.by_robust_levels(pixels)
    np.testing.assert_allclose(scale.factor, normalize.by_percentiles(pixels).factor, rtol=1e-6)


def test_each_channel_has_its_own_robust_scale():
    one = make_field()
    both = np.stack([one, 10 * one], axis=-1)
    offset, factor = (getattr(normalize.by_robust_levels(both), k) for k in ("offset", "factor"))
    assert factor[1] == pytest.approx(10 * factor[0])
    assert offset[1] == pytest.approx(10 * offset[0])


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 40), (5, 7, 9), (1, 30, 30), (40, 3, 3)])
@pytest.mark.parametrize("value", [0, 7])
def test_tiny_and_constant_images_are_borne(shape, value, rng):
    for pixels in (np.full(shape, value, np.uint8), rng.integers(0, 99, shape).astype(np.uint16)):
        ready, scale = normalize.ROBUST.prepare(pixels[..., None])
        assert np.isfinite(scale.apply(ready)).all()


def test_values_that_are_not_finite_take_part_in_nothing():
    pixels = make_field().astype(np.float32)[..., None]
    broken = pixels.copy()
    broken[::9, ::9] = np.nan
    broken[5, 5] = np.inf
    ready, scale = normalize.ROBUST.prepare(broken)
    assert np.isfinite(ready).all()
    assert scale.factor[0] == pytest.approx(normalize.by_percentiles(pixels).factor[0], rel=0.02)
    assert np.isfinite(normalize.ROBUST.prepare(np.full((9, 9, 1), np.nan))[0]).all()


def test_an_empty_field_is_not_stretched():
    """Noise of 10 spans some 5 standard deviations between the percentiles 1 and 99.8."""
    noise = np.random.default_rng(0).normal(500, 10, (300, 300)).astype(np.uint16)[..., None]
    scale = normalize.by_robust_levels(noise)
    assert scale.apply(noise).std() < 0.08
    assert normalize.by_percentiles(noise).apply(noise).std() > 0.15


@pytest.mark.parametrize("size", [2, 4, 8])
def test_the_scale_does_not_depend_on_how_much_empty_ground_there_is(size):
    field, rng = make_field(), np.random.default_rng(4)
    wide = rng.normal(100, 10, (256 * size, 256 * size))
    wide[:256, :256] = field
    found = normalize.by_robust_levels(wide.astype(np.uint16)[..., None]).factor[0]
    assert found == pytest.approx(normalize.by_robust_levels(field[..., None]).factor[0], rel=0.15)


def test_nuclei_on_a_ground_cut_to_zero_are_no_field_within_a_margin():
    field = make_field()
    cut = np.where(field > 250, field, 0).astype(np.uint16)[..., None]
    scale = normalize.by_robust_levels(cut)
    assert scale.offset[0] == 0
    assert scale.factor[0] == pytest.approx(normalize.by_percentiles(cut).factor[0], rel=0.02)


def test_a_bright_field_keeps_its_percentiles():
    """Dark nuclei on a bright, partly saturated ground, as in stained tissue."""
    stained = (1200 - make_field().astype(float)).clip(0, 1095)
    pixels = (stained / 4.3).astype(np.uint8)[..., None]
    ready, scale = normalize.ROBUST.prepare(pixels)
    assert ready is pixels
    assert scale.factor == normalize.by_percentiles(pixels).factor


def fade(volume: np.ndarray, planes: float) -> np.ndarray:
    fall = np.exp(-np.arange(len(volume)) / planes)[:, None, None]
    return 100 + (volume - 100) * fall


def make_volume() -> np.ndarray:
    """40 planes, 36 balls of 800 to 1,000 on a ground of 100, noise 5."""
    rng, grid = np.random.default_rng(3), np.indices((40, 96, 96))
    volume = np.zeros((40, 96, 96))
    for z in (6, 14, 20, 27, 33):
        for _ in range(7):
            place = np.array([z, *rng.uniform(8, 88, 2)])
            inside = ((grid.T - place) ** 2).sum(axis=-1).T < 25
            volume[inside] = rng.uniform(700, 900)
    return volume + 100


def test_an_even_volume_stays_as_it_is(rng):
    pixels = (make_volume() + rng.normal(0, 5, (40, 96, 96))).astype(np.uint16)[..., None]
    assert normalize.ROBUST.prepare(pixels)[0] is pixels


@pytest.mark.parametrize("planes", [40, 20, -25])
def test_light_that_fades_with_depth_is_made_even(planes, rng):
    """Up or down; the balls were of one brightness, 700 to 900 above the ground, before."""
    volume = make_volume()
    faded = (fade(volume, planes) + rng.normal(0, 5, volume.shape)).clip(0).astype(np.float32)
    ready, scale = normalize.ROBUST.prepare(faded[..., None])
    grey = scale.apply(ready)[..., 0]
    found = [np.median(grey[z][volume[z] > 300]) for z in (6, 14, 20, 27, 33)]
    assert max(found) < 1.25 * min(found)


def test_a_model_of_today_says_how_it_scales_and_an_older_one_is_remembered():
    told = normalize.ROBUST.describe()
    assert (told["kind"], told["version"]) == ("robust", 1)
    assert normalize.recall(told, usual=normalize.ROBUST) is normalize.ROBUST
    older = "percentiles 1 and 99.8 of each image"
    assert normalize.recall(older, usual=normalize.ROBUST) is normalize.PERCENTILES
    assert normalize.recall(older, usual=normalize.MOMENTS) is normalize.MOMENTS
    with pytest.raises(UserError, match="version 99"):
        normalize.recall(told | {"version": 99}, usual=normalize.ROBUST)


@pytest.mark.parametrize("value", [0, 65535])
def test_a_lost_plane_is_made_from_those_beside_it(value, rng):
    grey = (make_volume() + rng.normal(0, 5, (40, 96, 96))).astype(np.uint16)
    broken = grey.copy()
    broken[14] = value
    ready, scale = normalize.ROBUST.prepare(broken[..., None])
    expected = (grey[13].astype(float) + grey[15]) / 2
    np.testing.assert_allclose(ready[14, ..., 0], expected, atol=1)
    whole = normalize.by_robust_levels(grey[..., None])
    assert scale.factor[0] == pytest.approx(whole.factor[0], rel=0.02)
