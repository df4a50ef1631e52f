"""Noise measured where it is known: strength, growth with light, and what neighbouring pixels
share.
"""

import math

import numpy as np
import pytest

from nbtools import checks, data, simulate
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import noise

FLAT = {"shape_px": (128, 128), "count": 0, "background": (1.0,), "gradient": (0.0,)}


def make_pair(seed: int = 0, **changes) -> data.Sample:
    return simulate.make("pairs", count=1, seed=seed, settings=changes)[0]


@pytest.mark.parametrize("width", [0.5, 7.0, 300.0])
@pytest.mark.parametrize("shape", [(256, 256), (9, 64, 70)])
def test_white_noise_on_a_slope_has_its_width(rng, width, shape):
    slope = np.arange(shape[-1]) * 3 * width
    assert noise.estimate_noise(slope + rng.normal(0, width, shape)) == pytest.approx(
        width, rel=0.03
    )


def test_noise_below_one_grey_value_is_not_rounded_away(rng):
    pixels = np.round(rng.normal(20, 0.8, (256, 256)))
    assert noise.estimate_noise(pixels) == pytest.approx(math.sqrt(0.8**2 + 1 / 12), rel=0.05)


@pytest.mark.parametrize(("gain", "read_noise"), [(2.0, 2.0), (0.5, 8.0), (7.0, 0.0)])
def test_photon_transfer_finds_the_camera_from_frames(rng, gain, read_noise):
    light = np.tile(np.linspace(2, 200, 64), (64, 1))
    frames = (
        gain * (rng.poisson(light, (100, 64, 64)) + rng.normal(0, read_noise, (100, 64, 64))) + 100
    )
    law = noise.fit_photon_transfer(frames, offset=100)
    assert law.gain == pytest.approx(gain, rel=0.03)
    assert law.read_noise == pytest.approx(read_noise, abs=max(0.1 * read_noise, 0.7))
    assert law.variance(100 + gain * 50) == pytest.approx(gain**2 * (50 + read_noise**2), rel=0.03)
    assert noise.fit_photon_transfer(frames).read_noise is None


@pytest.mark.parametrize("photons", [5.0, 20.0, 100.0])
def test_one_image_of_nuclei_tells_its_camera(photons):
    """The simulated camera has gain 2, offset 100 and a read noise of 2 photons."""
    laws = [
        noise.estimate_poisson_gaussian(make_pair(seed, photons=(photons,)).image, offset=100)
        for seed in range(2)
    ]
    assert np.mean([law.gain for law in laws]) == pytest.approx(2, rel=0.2)
    assert np.mean([law.read_noise for law in laws]) == pytest.approx(2, rel=0.2)


def test_noise_that_does_not_grow_with_light_has_no_gain_or_a_small_one(rng):
    clean = make_pair(photons=(100.0,)).clean.pixels
    law = noise.estimate_poisson_gaussian(clean + rng.normal(0, 20, clean.shape))
    assert law.variance(clean).mean() == pytest.approx(400, rel=0.08)
    assert law.gain * (clean.max() - clean.min()) < 0.5 * 400


def test_an_image_of_one_grey_value_has_no_noise():
    blank = np.full((64, 64), 7, np.uint8)
    assert noise.estimate_noise(blank) == 0
    assert noise.estimate_poisson_gaussian(blank).variance(7) == 0
    assert noise.judge_noise(blank) is None
    assert noise.autocorrelate(blank)["X"][0] == 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_noise_smoothed_along_an_axis_is_correlated_along_it_alone(rng, axis):
    """The mean of three neighbours: correlations 2/3, 1/3 and 0."""
    white = rng.normal(0, 10, (40, 90, 100))
    smoothed = white + np.roll(white, 1, axis) + np.roll(white, 2, axis)
    found = noise.autocorrelate(Image(smoothed, "ZYX"))
    for name, values in found.items():
        expected = [1, 2 / 3, 1 / 3, 0, 0] if name == "ZYX"[axis] else [1, 0, 0, 0, 0]
        np.testing.assert_allclose(values[:5], expected, atol=0.1)
    assert f"line_axis={'ZYX'[axis]}" in noise.judge_noise(Image(smoothed, "ZYX"))


@pytest.mark.parametrize("seed", range(20))
def test_white_noise_raises_no_alarm(seed):
    changes = {
        "photons": (5.0, 20.0, 100.0)[seed % 3],
        "spacing_um": ((0.5, 0.5), (0.2, 0.2))[seed % 2],
        "shape_px": (128, 160),
    }
    assert (
        noise.judge_noise(make_pair(seed, **changes | {"photons": (changes["photons"],)}).image)
        is None
    )


@pytest.mark.parametrize("seed", range(4))
def test_structured_noise_raises_the_alarm_and_names_the_axis(seed):
    told = noise.judge_noise(make_pair(seed, structured=3.0, photons=(20.0,)).image)
    assert "along X" in told
    assert told.endswith(
        "Use the structured mask along X: n2v with variant=struct and line_axis=X."
    )


def test_noise_shared_in_all_directions_has_another_remedy(rng):
    white = rng.normal(0, 10, (129, 129))
    blurred = white[1:, 1:] + white[:-1, 1:] + white[1:, :-1] + white[:-1, :-1]
    assert "bin them" in noise.judge_noise(blurred)


def test_the_check_warns_only_methods_that_need_white_noise():
    dataset = simulate.make("pairs", count=1, seed=0, settings=FLAT | {"structured": 4.0})
    blind = checks.Requirements(needs="nothing", white_noise=True)
    found = {f.code: f for f in checks.check(dataset, blind)}
    assert found["noise_correlated"].severity == "warning"
    assert "along X" in found["noise_correlated"].message
    assert "noise_correlated" not in {
        f.code for f in checks.check(dataset, checks.Requirements(needs="nothing"))
    }
    white = simulate.make("pairs", count=1, seed=0, settings=FLAT)
    assert "noise_correlated" not in {f.code for f in checks.check(white, blind)}


def test_what_has_no_noise_to_measure_is_refused():
    with pytest.raises(UserError, match="several images of one scene"):
        noise.fit_photon_transfer(np.zeros((1, 8, 8)))
    with pytest.raises(UserError, match="4 x 4 pixels"):
        noise.estimate_noise(np.zeros((3, 9)))
