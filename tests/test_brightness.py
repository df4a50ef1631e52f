"""Brightness along Z: the trend that was put in comes out, and evening it out removes it."""

import numpy as np
import pytest

from nbtools.brightness import even_out_depth, measure_depth_profile


def draw_volume(attenuation, *, seed=0):
    """60 balls on noise, their brightness times exp(-attenuation z), and where they are."""
    rng = np.random.default_rng(seed)
    grid = np.indices((40, 96, 96))
    inside = np.zeros(grid.shape[1:], bool)
    for place in rng.uniform((5, 8, 8), (35, 88, 88), (60, 3)):
        inside |= ((grid - place[:, None, None, None]) ** 2).sum(0) < 25
    clean = 100 + 1500 * inside * np.exp(-attenuation * grid[0])
    return rng.poisson(clean).astype(np.uint16), inside


@pytest.mark.parametrize("attenuation", [0.0, 1 / 36, 1 / 24, 1 / 12, -1 / 24])
def test_fading_is_the_factor_between_two_halves(attenuation):
    """Half of 40 planes: exp(20 a), from the definition of an exponential."""
    volume, inside = draw_volume(attenuation)
    expected = np.exp(20 * abs(attenuation))
    assert measure_depth_profile(volume, inside).fading == pytest.approx(expected, rel=0.1)
    blind = measure_depth_profile(volume)
    assert blind.fading == pytest.approx(expected, rel=0.25)
    if attenuation:
        assert blind.dim_half == ("second" if attenuation > 0 else "first")


@pytest.mark.parametrize("attenuation", [1 / 24, -1 / 12])
def test_evened_nuclei_have_one_brightness_in_all_planes(attenuation):
    volume, inside = draw_volume(attenuation)
    evened = even_out_depth(volume, measure_depth_profile(volume))
    assert evened.dtype == volume.dtype
    assert measure_depth_profile(evened, inside).fading < 1.25
    level = [np.median(evened[z][inside[z]]) - 100 for z in (8, 32)]
    assert level[0] == pytest.approx(level[1], rel=0.2)


def test_padding_with_zeros_is_no_background():
    volume, _ = draw_volume(1 / 24)
    padded = np.pad(volume, ((0, 0), (30, 30), (30, 30)))
    assert measure_depth_profile(padded).fading == pytest.approx(np.exp(20 / 24), rel=0.25)


def test_without_nuclei_or_with_few_planes_there_is_no_trend():
    noise = np.random.default_rng(0).normal(100, 5, (30, 40, 40))
    assert measure_depth_profile(noise).fading == pytest.approx(1, abs=0.2)
    assert measure_depth_profile(draw_volume(1 / 6)[0][:4]).fading == 1
