"""One group of grey values or two."""

import numpy as np
import pytest
from scipy import ndimage

from nbtools.populations import (
    SEPARATE,
    find_outlines,
    follows_edges,
    measure_edge_contrast,
    measure_noise,
    measure_steepness,
    thin,
)


def make_random_field(grain: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(256, 256))
    return ndimage.gaussian_filter(noise, grain, mode="wrap")


@pytest.mark.parametrize("grain", [1.0, 2.0, 8.0, 25.0])
def test_a_level_of_a_random_field_runs_through_places_like_any_other(grain):
    """Rice 1945: 4 / pi = 1.27 times the mean steepness; places far from a level are flatter."""
    field = make_random_field(grain)
    assert measure_edge_contrast(field, field > 0, diameter=5 * grain) < SEPARATE


@pytest.mark.parametrize("height", [1.5, 5.0, 50.0])
def test_the_outline_of_a_disc_is_an_edge(height):
    disc = np.hypot(*np.ogrid[-128:128, -128:128]) < 30
    field = ndimage.gaussian_filter(
        disc * height + np.random.default_rng(1).normal(size=disc.shape), 1
    )
    assert measure_edge_contrast(field, disc, diameter=60) > SEPARATE


def test_gaps_between_crowded_objects_are_edges():
    """Discs of 12 px that nearly touch are taken for clumps of 60: smoothing for these hides the
    gaps of 2 px.
    """
    rng, grid = np.random.default_rng(2), np.indices((256, 256)) % 14 - 7
    inside = np.hypot(*grid) < 6.5
    field = ndimage.gaussian_filter(inside * 10.0 + rng.normal(size=inside.shape), 1)
    assert measure_edge_contrast(field, inside, diameter=60) < SEPARATE
    assert follows_edges(field, inside, diameter=60)


@pytest.mark.parametrize("grain", [1.0, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("diameter", [10, 30, 90])
def test_a_random_field_has_no_edges_at_any_size(grain, diameter):
    field = make_random_field(grain, seed=3)
    assert not follows_edges(field, field > 0.5 * field.std(), diameter=diameter)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("grain", [0, 1, 4])
def test_stripes_are_no_objects(axis, grain):
    rng = np.random.default_rng(4)
    stripes = rng.normal(0, 9, (256, 1))
    stripes = ndimage.gaussian_filter1d(stripes, grain, axis=0) if grain else stripes
    field = stripes / stripes.std() * 30 + rng.normal(0, 6, (256, 256))
    field = ndimage.gaussian_filter(np.moveaxis(field, 0, axis), 1)
    assert not follows_edges(field, field > field.std() / 2, diameter=20)


def test_nothing_found_has_no_edge_contrast():
    assert measure_edge_contrast(make_random_field(1), np.zeros((256, 256), bool), diameter=9) == 0


def test_steepness_of_a_slope_is_its_rise_per_pixel():
    y, x = np.mgrid[:20, :20]
    assert measure_steepness(3.0 * x + 4.0 * y)[5, 5] == pytest.approx(5.0)


def test_outlines_lie_on_both_sides():
    inside = np.zeros((5, 6), bool)
    inside[:, 3:] = True
    assert find_outlines(inside)[2].tolist() == [False, False, True, True, False, False]


@pytest.mark.parametrize("shape", [(300, 300), (8, 120, 120), (2000, 1000)])
def test_noise_is_measured_beside_a_slope(shape):
    noise = np.random.default_rng(0).normal(0, 7.0, shape)
    assert measure_noise(noise + 5 * np.arange(shape[-1])) == pytest.approx(7.0, rel=0.03)
    assert len(thin(noise)) <= 700_000
