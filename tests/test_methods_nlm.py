"""The classical denoiser: its transform against exact sums, and its gain on simulated pairs."""

import numpy as np
import pytest
from scipy import stats

from nbtools import data, methods, simulate
from nbtools.image import Image
from nbtools.methods.denoise import nlm
from nbtools.metrics import restoration
from nbtools.metrics.noise import PoissonGaussianNoise

LAW = PoissonGaussianNoise(
    2.0, 2.0**2 * 2.0**2 - 2.0 * 100
)  # a camera of gain 2, offset 100 and a read noise of 2 photons


def make_pair(seed: int = 900, **changes) -> data.Sample:
    return simulate.make(
        "pairs", count=1, seed=seed, settings={"shape_px": (96, 96), "radius_um": (4.0,), **changes}
    )[0]


def gain_of(method: methods.Method, sample: data.Sample) -> float:
    """How many dB the result is above the input."""
    restored, noisy = (
        restoration.psnr(image, sample.clean)
        for image in (method.predict(sample.image).image, sample.image)
    )
    return restored - noisy


@pytest.mark.parametrize("photons", [1.0, 5.0, 30.0, 400.0])
def test_stabilised_noise_has_the_width_one_and_comes_back_without_bias(rng, photons):
    pixels = 2 * (rng.poisson(photons, 400_000) + rng.normal(0, 2, 400_000)) + 100
    even = nlm.stabilise(pixels, LAW)
    assert even.std() == pytest.approx(1, abs=0.06)
    assert (nlm.undo(even.mean(), LAW) - 100) / 2 == pytest.approx(
        photons, abs=0.05 + 0.001 * photons
    )


@pytest.mark.parametrize("photons", [0.5, 2.0, 10.0])
def test_the_inverse_is_the_exact_one_of_pure_photon_noise(photons):
    """The mean of 2 sqrt(k + 3/8) over a Poisson distribution, summed term by term, goes back to
    the mean of k.
    """
    k = np.arange(200)
    mean = (stats.poisson.pmf(k, photons) * 2 * np.sqrt(k + 3 / 8)).sum()
    assert nlm.undo(mean, PoissonGaussianNoise(1.0, 0.0)) == pytest.approx(photons, abs=0.03)
    algebraic = mean**2 / 4 - 3 / 8
    assert abs(nlm.undo(mean, PoissonGaussianNoise(1.0, 0.0)) - photons) < abs(algebraic - photons)


@pytest.mark.parametrize("law", [PoissonGaussianNoise(0.0, 25.0), PoissonGaussianNoise(0.0, 0.0)])
def test_noise_that_does_not_grow_is_only_scaled(law):
    pixels = np.array([[3.0, 8.0]])
    np.testing.assert_allclose(nlm.undo(nlm.stabilise(pixels, law), law), pixels)


@pytest.mark.parametrize(("photons", "least"), [(5.0, (10, 10)), (20.0, (8, 8)), (100.0, (5, 3))])
def test_it_gains_many_decibel_at_every_light_level(photons, least):
    sample = make_pair(photons=(photons,))
    assert gain_of(nlm.NonLocalMeans(), sample) > least[0]
    assert gain_of(nlm.NonLocalMeans(filter="tv"), sample) > least[1]


def test_it_gains_in_volumes():
    sample = make_pair(shape_px=(8, 48, 48), spacing_um=(0.5, 0.2, 0.2), radius_um=(2.5,))
    assert gain_of(nlm.NonLocalMeans(), sample) > 8


def test_the_restored_image_has_the_mean_of_the_clean_one():
    sample = make_pair(photons=(5.0,))
    restored = nlm.NonLocalMeans().predict(sample.image).image.pixels
    assert restored.mean() == pytest.approx(
        sample.clean.pixels.mean(), abs=0.3
    )  # grey values; the gain is 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_any_type_comes_back_as_real_grey_values(dtype):
    pixels = make_pair().image.pixels.astype(dtype)
    result = nlm.NonLocalMeans().predict(Image(pixels, "YX")).image
    assert result.pixels.dtype == np.float32
    assert result.pixels.mean() == pytest.approx(pixels.mean(), rel=0.01)


def test_channels_and_time_points_are_restored_one_by_one():
    one, other = make_pair(seed=1).image, make_pair(seed=2).image
    movie = Image(
        np.stack(
            [np.stack([one.pixels, other.pixels]), np.stack([other.pixels, one.pixels])], axis=-1
        ),
        "TYXC",
    )
    result = nlm.NonLocalMeans().predict(movie).image
    assert (result.axes, result.shape) == (movie.axes, movie.shape)
    alone = nlm.NonLocalMeans().predict(one).image.pixels
    np.testing.assert_array_equal(result.pixels[0, ..., 0], alone)
    np.testing.assert_array_equal(result.pixels[1, ..., 1], alone)


def test_an_image_without_noise_or_with_nan_stays_as_it_is():
    for pixels in (np.full((20, 20), 7.0), np.full((20, 20), np.nan), np.arange(9.0).reshape(3, 3)):
        np.testing.assert_array_equal(
            nlm.NonLocalMeans().predict(Image(pixels, "YX")).image.pixels, pixels.astype(np.float32)
        )


def test_with_clean_partners_the_strength_is_chosen_by_them(tmp_path):
    train = simulate.make(
        "pairs", count=2, seed=900, settings={"shape_px": (64, 64), "photons": (5.0,)}
    )
    method = nlm.NonLocalMeans(filter="tv")
    history = method.fit(train)
    usual = [
        restoration.psnr(nlm.NonLocalMeans(filter="tv").predict(s.image).image, s.clean)
        for s in train
    ]
    assert history.best["train_psnr"] >= np.mean(usual)
    method.name = "nlm"
    method.save(tmp_path / "model")
    again = methods.load(tmp_path / "model")
    assert again.tuned == method.tuned
    np.testing.assert_array_equal(
        again.predict(train[0].image).image.pixels, method.predict(train[0].image).image.pixels
    )


def test_predict_on_the_command_line_writes_the_restored_images(run, tmp_path):
    data.write_dataset(data.DataSet.of([make_pair()]), tmp_path / "pairs")
    code, _, told = run("predict", "nlm", tmp_path / "pairs", "--out", tmp_path / "out", "--quiet")
    assert code == 0, told
    written = data.DataSet.open(tmp_path / "out" / "pairs_000.tif")[0].image
    assert (written.axes, written.shape, written.pixels.dtype) == ("YX", (96, 96), np.float32)
