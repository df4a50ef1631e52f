"""Resolution by Fourier ring correlation."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import frc


def look(
    rng: np.random.Generator,
    *,
    cutoff: float,
    shape: tuple[int, ...] = (256, 256),
    copies: int = 2,
    noise: float = 0.2,
) -> list:
    """A random object seen through a lens that passes all below a frequency (per pixel) and nothing
    above, with fresh noise each time.
    """
    radius = np.sqrt(
        sum(f**2 for f in np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij"))
    )
    seen = np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) * (radius < cutoff)).real
    return [seen / seen.std() + rng.normal(size=shape) * noise for _ in range(copies)]


def blur(rng: np.random.Generator, *, cutoff: float, noise: float) -> list:
    """The same through a round pupil, whose transfer falls to zero at the cutoff (Goodman,
    Introduction to Fourier Optics, section 6.3).
    """
    radius = (
        np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256), indexing="ij")) / cutoff
    )
    inside = np.minimum(radius, 1)
    transfer = 2 / np.pi * (np.arccos(inside) - inside * np.sqrt(1 - inside**2))
    seen = np.fft.ifftn(np.fft.fftn(rng.normal(size=(256, 256))) * transfer).real
    return [seen / seen.std() + rng.normal(size=seen.shape) * noise for _ in range(2)]


@pytest.mark.parametrize("cutoff", [0.15, 0.2, 0.25])
def test_a_lens_of_known_cutoff_is_found_from_two_images(rng, cutoff):
    found = frc.measure_resolution(*look(rng, cutoff=cutoff))
    assert 1 / found.resolution == pytest.approx(cutoff, abs=3.5 / 256)  # rings are 1 / 256 wide


@pytest.mark.parametrize("cutoff", [0.12, 0.18])
def test_one_image_split_in_two_finds_it_as_well(rng, cutoff):
    found = frc.measure_resolution(look(rng, cutoff=cutoff)[0])
    assert 1 / found.resolution == pytest.approx(cutoff, abs=3.5 / 256)
    assert found.limit == 4.0


def test_a_round_pupil_is_never_surpassed_and_noise_costs_resolution(rng):
    found = [
        frc.measure_resolution(*blur(rng, cutoff=0.25, noise=noise)).resolution
        for noise in (0.02, 0.2, 1.0)
    ]
    assert 4.0 * 0.97 < found[0] < found[1] < found[2]
    assert found[0] < 5.0


def test_the_pixel_size_scales_the_result(rng):
    one, two = look(rng, cutoff=0.2)
    pixels = frc.measure_resolution(one, two)
    um = frc.measure_resolution(
        Image(one, "YX", spacing=(0.1, 0.1)), Image(two, "YX", spacing=(0.1, 0.1))
    )
    assert (pixels.unit, um.unit) == ("px", "um")
    assert um.resolution == pytest.approx(0.1 * pixels.resolution)


def test_volumes_have_shells(rng):
    found = frc.measure_resolution(*look(rng, cutoff=0.2, shape=(64, 64, 64)))
    assert 1 / found.resolution == pytest.approx(0.2, abs=3.5 / 64)


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_the_correlation_follows_from_the_ratio_of_signal_to_noise(rng, noise):
    """Frank & Al-Ali 1975, doi:10.1038/256376a0: SNR / (1 + SNR)."""
    signal = rng.normal(size=(256, 256))
    one, two = (signal + noise * rng.normal(size=signal.shape) for _ in range(2))
    found = frc.measure_resolution(one, two)
    assert found.correlation[frc.FIRST_RING :].mean() == pytest.approx(1 / (1 + noise**2), abs=0.01)


def test_noise_alone_has_no_resolution_and_brightness_does_not_count(rng):
    assert frc.measure_resolution(*rng.normal(size=(2, 128, 128))).resolution is None
    one, two = look(rng, cutoff=0.2)
    assert frc.measure_resolution(one * 7 + 100, two).resolution == pytest.approx(
        frc.measure_resolution(one, two).resolution
    )
    assert frc.measure_resolution(two, one).resolution == pytest.approx(
        frc.measure_resolution(one, two).resolution
    )


def test_what_cannot_be_measured_is_refused(rng):
    image = rng.normal(size=(64, 64))
    with pytest.raises(UserError, match="same image twice"):
        frc.measure_resolution(image, image)
    with pytest.raises(UserError, match="same shape"):
        frc.measure_resolution(image, image[:40])
    with pytest.raises(UserError, match="at least 32 px"):
        frc.measure_resolution(image[:10, :10])
    with pytest.raises(UserError, match="finite"):
        frc.measure_resolution(np.full((64, 64), np.nan))
