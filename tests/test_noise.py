"""Noise models: probabilities, and the gain and read noise of a camera that is known."""

import numpy as np
import pytest

from nbtools import io, noise
from nbtools.errors import UserError
from nbtools.image import Image

GAIN, READ, OFFSET = 2.0, 6.0, 100.0  # grey values a photon; grey values; grey values


def expose(rng: np.random.Generator, photons: np.ndarray) -> np.ndarray:
    return np.round(GAIN * rng.poisson(photons) + rng.normal(0, READ, photons.shape) + OFFSET)


def camera_spread(signal: np.ndarray) -> np.ndarray:
    """sqrt(gain · (signal - offset) + read noise²), and 1/12 for rounding."""
    return np.sqrt(GAIN * (signal - OFFSET) + READ**2 + 1 / 12)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """Sixty frames of a slope from 5 to 200 photons."""
    rng = np.random.default_rng(7)
    scene = np.broadcast_to(np.linspace(5, 200, 128), (32, 128))
    return np.stack([expose(rng, scene) for _ in range(60)])


@pytest.fixture(scope="module")
def fitted(frames) -> dict:
    return {kind: cls.fit(*noise.pair_frames(frames)) for kind, cls in noise.KINDS.items()}


@pytest.mark.parametrize("kind", noise.KINDS)
@pytest.mark.parametrize("signal", [90.0, 112.0, 230.5, 499.0, 560.0])
def test_the_likelihood_integrates_to_one_within_the_signals_it_was_fitted_to_and_beyond(
    fitted, kind, signal
):
    values = np.arange(-200, 1000, 0.05)
    if kind == "histogram":  # further values count as its ends
        model = fitted[kind]
        values = values[
            (values >= model.low) & (values < model.low + model.width * len(model.table))
        ]
    assert 0.05 * fitted[kind].likelihood(values, np.array(signal)).sum() == pytest.approx(
        1, abs=1e-3
    )
    assert np.isfinite(fitted[kind].log_likelihood(values, np.array(signal))).all()


def test_the_weighted_mean_of_a_mixture_is_the_signal(fitted):
    signal = np.linspace(50, 700, 40)
    weights, means, variances = fitted["mixture"].describe(signal)
    np.testing.assert_allclose(sum(np.exp(w) for w in weights), 1)
    np.testing.assert_allclose(
        sum(np.exp(w) * m for w, m in zip(weights, means, strict=True)), signal
    )
    assert min(v.min() for v in variances) >= fitted["mixture"].floor > 0


@pytest.mark.parametrize("kind", noise.KINDS)
def test_calibration_frames_give_back_the_gain_and_the_read_noise_of_the_camera(fitted, kind):
    signal = np.linspace(125, 480, 30)
    model = fitted[kind]
    tolerance = 0.05 if kind == "mixture" else 0.08  # bins widen the histogram
    np.testing.assert_allclose(model.noise_std(signal), camera_spread(signal), rtol=tolerance)
    gain, rest = np.polyfit(signal - OFFSET, model.noise_std(signal) ** 2, 1)
    assert gain == pytest.approx(GAIN, rel=0.08)
    if kind == "mixture":
        assert np.sqrt(rest) == pytest.approx(READ, rel=0.15)


def test_a_mixture_is_as_likely_as_the_true_noise_of_few_photons():
    rng = np.random.default_rng(3)
    signal = rng.uniform(1, 6, 60_000)  # photons: far from a Gaussian
    noisy = rng.poisson(signal) + rng.normal(0, 0.5, signal.shape)
    model = noise.MixtureModel.fit(noisy, signal)
    counts = np.arange(40)
    test = slice(0, 5000)
    log_factorial = np.cumsum(np.log(np.maximum(counts, 1)))
    poisson = np.exp(counts * np.log(signal[test, None]) - signal[test, None] - log_factorial)
    true = (poisson * np.exp(-2 * (noisy[test, None] - counts) ** 2) * np.sqrt(2 / np.pi)).sum(
        axis=1
    )
    gaussian = np.exp(-((noisy - signal)[test] ** 2) / (2 * (signal[test] + 0.25))) / np.sqrt(
        2 * np.pi * (signal[test] + 0.25)
    )
    lost = np.log(true).mean() - model.log_likelihood(noisy[test], signal[test]).mean()
    assert 0 < lost < 0.6 * (np.log(true).mean() - np.log(gaussian).mean())


def test_the_gradient_of_the_fit_is_that_of_its_cost(rng):
    from nbtools.noise.mixture import _cost

    t, packed = rng.random(50), 0.3 * rng.normal(size=(3, 3, 2))
    packed[2, :, 0] += 2
    about = (t[:, None] ** np.arange(2), rng.normal(size=50), 0.1)
    gradient = _cost(packed.ravel(), *about)[1]
    steps = 1e-5 * np.eye(packed.size)
    slopes = [
        (_cost(packed.ravel() + s, *about)[0] - _cost(packed.ravel() - s, *about)[0]) / 2e-5
        for s in steps
    ]
    np.testing.assert_allclose(gradient, slopes, atol=1e-6)


def test_levels_of_signal_without_pairs_take_the_nearest_moved_along():
    rng = np.random.default_rng(1)
    signal = np.repeat([100.0, 300.0], 60_000)
    model = noise.HistogramModel.fit(signal + rng.normal(0, 5, signal.shape), signal)
    values = np.linspace(50, 350, 3001)
    brightest = [values[np.argmax(model.likelihood(values, np.array(s)))] for s in (150.0, 250.0)]
    np.testing.assert_allclose(brightest, (150, 250), atol=8)


@pytest.mark.parametrize("kind", noise.KINDS)
def test_a_model_is_written_and_read_as_plain_arrays(fitted, tmp_path, kind):
    noise.write_model(fitted[kind], tmp_path / "noise.npz")
    again = noise.read_model(tmp_path / "noise.npz")
    noisy, signal = np.array([100.0, 250.0, 400.0]), np.array([110.0, 250.0, 395.0])
    assert type(again) is type(fitted[kind])
    np.testing.assert_array_equal(
        again.log_likelihood(noisy, signal), fitted[kind].log_likelihood(noisy, signal)
    )
    (tmp_path / "noise.npz").write_bytes(b"PK not a model")
    with pytest.raises(UserError, match="must be a whole file"):
        noise.read_model(tmp_path / "noise.npz")


def test_frames_are_read_from_a_stack_or_from_a_folder(frames, tmp_path):
    small = frames[:12, :9, :11].astype(np.uint16)
    io.write_image(tmp_path / "stack.tif", Image(small, "TYX"))
    (tmp_path / "frames").mkdir()
    for i, frame in enumerate(small):
        io.write_image(tmp_path / "frames" / f"{i:02d}.tif", Image(frame, "YX"))
    for name in ("stack.tif", "frames"):
        np.testing.assert_array_equal(noise.read_frames(tmp_path / name), small)
    with pytest.raises(UserError, match="many frames of one scene"):
        noise.pair_frames(small[:3])
    with pytest.raises(UserError, match="a file or a folder"):
        noise.read_frames(tmp_path / "nothing")


def test_estimates_beyond_the_percentiles_are_left_out(rng):
    signal = rng.uniform(0, 1000, (3, 50, 60))
    noisy, kept = noise.pair_estimates([(s + 1, s) for s in signal], percentiles=(5, 95))
    np.testing.assert_allclose(noisy - kept, 1)
    assert kept.min() > 40
    assert kept.max() < 960
