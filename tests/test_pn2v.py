"""PN2V: its loss against hand-worked numbers, the observation that improves the estimate, where its
noise model comes from.
"""

import types

import numpy as np
import pytest

from nbtools import data, io, losses, methods, nets, noise, normalize, simulate, training
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods.denoise import pn2v
from nbtools.targets import blindspot
from nbtools.training import clock

TINY = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 2, "patch_size": 32, "preset": "tiny"}
SPREAD_SEEN = 0.5  # of samples around the first result, where that has a standard deviation near 1


def gaussian_noise(variance: float = 25.0) -> noise.MixtureModel:
    """The same Gaussian noise at any signal."""
    zero = np.zeros((1, 1))
    return noise.MixtureModel(0.0, 1.0, 1.0, 1e-3, zero, zero, zero + variance)


@pytest.fixture(scope="module")
def images() -> data.DataSet:
    return simulate.make(
        "nuclei2d", count=2, seed=1, settings={"shape_px": (64, 64), "radius_um": (4.0,)}
    )


def test_the_loss_is_minus_the_logarithm_of_the_mean_likelihood_of_the_samples(rng):
    output = rng.normal(size=(2, 4, 5, 3)).astype(np.float32)
    truth = np.array(
        [[[7, 112.0, 1], [13, 95.0, 1], [0, 0, 0]], [[19, 104.0, 1], [0, 0, 0], [0, 0, 0]]],
        np.float32,
    )
    found = np.asarray(
        losses.sample_likelihood(gaussian_noise().log_likelihood, offset=100.0, factor=10.0)(
            truth, output
        )
    )

    def cost(image: int, place: int, value: float) -> float:
        samples = 100 + 10 * output[image].reshape(-1, 3)[place].astype(float)
        return -np.log(np.mean(np.exp(-((value - samples) ** 2) / 50) / np.sqrt(50 * np.pi)))

    np.testing.assert_allclose(
        found, [(cost(0, 7, 112) + cost(0, 13, 95)) / 2, cost(1, 19, 104)], rtol=1e-4
    )


@pytest.mark.parametrize("kind", noise.KINDS)
def test_the_loss_speaks_with_the_likelihood_of_either_noise_model(rng, kind):
    from keras import ops

    signal = rng.uniform(100, 400, 50_000)
    model = noise.KINDS[kind].fit(signal + rng.normal(0, 4 + 0.02 * signal), signal)
    noisy, samples = (
        rng.uniform(80, 420, (30, 1)).astype(np.float32),
        rng.uniform(80, 420, (30, 7)).astype(np.float32),
    )
    found = model.log_likelihood(
        ops.convert_to_tensor(noisy), ops.convert_to_tensor(samples), ops=ops
    )
    np.testing.assert_allclose(
        np.asarray(found), model.log_likelihood(noisy, samples), rtol=1e-3, atol=1e-3
    )


def test_the_gradient_of_the_loss_is_zero_at_pixels_that_were_not_hidden(rng):
    tf = pytest.importorskip("tensorflow")
    patch = rng.normal(100, 10, (16, 16, 1)).astype(np.float32)
    mask = blindspot.mask_pixels(rng, patch, spots=blindspot.BlindSpotMask(5.0))[1]
    truth = blindspot.list_hidden(patch, mask, percent=5.0)[None]
    output = tf.Variable(rng.normal(size=(1, 16, 16, 6)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = losses.sample_likelihood(gaussian_noise().log_likelihood, offset=100.0, factor=10.0)(
            truth, output
        )
    gradient = tf.convert_to_tensor(tape.gradient(loss, output)).numpy()[0]
    assert (gradient[~mask] == 0).all()
    assert (np.abs(gradient[mask]).sum(axis=-1) > 0).all()


@pytest.mark.parametrize("shape", [(64, 64), (7, 40, 90), (1, 16, 16)])
@pytest.mark.parametrize("percent", [0.2, 3.125, 10.0])
def test_every_hidden_pixel_is_in_the_list(rng, shape, percent):
    patch = rng.normal(size=(*shape, 1)).astype(np.float32)
    for _ in range(20):
        mask = blindspot.mask_pixels(rng, patch, spots=blindspot.BlindSpotMask(percent))[1]
        listed = blindspot.list_hidden(patch, mask, percent=percent)
        kept = listed[listed[:, 2] == 1]
        np.testing.assert_array_equal(kept[:, 0], np.flatnonzero(mask))
        np.testing.assert_array_equal(kept[:, 1], patch[..., 0][mask])
        assert not listed[len(kept) :].any()


def test_the_observation_improves_on_the_prior_mean_and_is_the_posterior_of_the_textbook(rng):
    method = methods.get("pn2v")()
    method.scale, method.noise = normalize.Scale((100.0,), (10.0,)), gaussian_noise()
    signal = rng.normal(100, 10, 2000)  # prior of standard deviation 10, noise of 5
    noisy = signal + rng.normal(0, 5, signal.shape)
    samples = rng.normal(0, 1, (len(signal), 400)).astype(np.float32)
    found = 100 + 10 * method._weigh(samples, ((noisy - 100) / 10)[:, None].astype(np.float32))
    error = [np.sqrt(np.mean((f - signal) ** 2)) for f in (found[:, 0], found[:, 1], noisy)]
    assert error[0] < 0.95 * error[2] < 0.55 * error[1]
    usual = np.abs(noisy - 100) < 20  # of rarer values there are few samples
    np.testing.assert_allclose(found[usual, 0], 100 + (noisy[usual] - 100) * 100 / 125, atol=4)
    spread = found[:, 2] - 100
    assert np.median(spread) == pytest.approx(np.sqrt(100 * 25 / 125), rel=0.1)


def test_the_published_network_has_its_number_of_parameters():
    plan = dict(pn2v.NETWORKS["paper"])
    assert nets.unet(2, outputs=800, **plan).count_params() == 1_729_312


def test_training_goes_on_from_the_first_denoiser(rng):
    first = nets.unet(2, **pn2v.NETWORKS["tiny"])
    model = nets.unet(2, outputs=16, **pn2v.NETWORKS["tiny"])
    pn2v.go_on_from(first, model)
    image = rng.normal(size=(1, 16, 16, 1)).astype(np.float32)
    samples, result = np.asarray(model(image)), np.asarray(first(image))
    away = samples - result
    assert 0 < away.std() < 2 * SPREAD_SEEN
    assert abs(away.mean()) < SPREAD_SEEN
    other = nets.unet(2, outputs=16, **pn2v.NETWORKS["tiny"] | {"filters": (8, 12)})
    before = [np.array(v) for v in other.variables]
    pn2v.go_on_from(first, other)
    assert all((np.array(v) == b).all() for v, b in zip(other.variables, before, strict=True))


def test_calibration_frames_need_no_first_denoiser_and_are_kept_with_the_model(
    images, rng, tmp_path, monkeypatch
):
    scene = np.linspace(0, 4000, 60 * 50).reshape(60, 50)
    frames = (scene + rng.normal(0, 10 + scene / 200, (20, 60, 50))).clip(0).astype(np.uint16)
    io.write_image(tmp_path / "frames.tif", Image(frames, "TYX"))
    method = methods.get("pn2v")(
        **TINY, calibration=str(tmp_path / "frames.tif"), noise_model="histogram"
    )
    monkeypatch.setattr(pn2v.PN2V, "_train_first", lambda *_: pytest.fail("trained a denoiser"))
    method.fit(images, plan=training.TrainingPlan(seed=1))
    assert method.noise.noise_std(np.array(2000.0)) == pytest.approx(20, rel=0.2)
    method.save(tmp_path / "model")
    (tmp_path / "frames.tif").unlink()
    again = methods.load(tmp_path / "model")
    np.testing.assert_array_equal(again.noise.table, method.noise.table)
    assert again.settings.calibration == str(tmp_path / "frames.tif")


def test_a_schedule_is_taken_apart_where_the_second_training_begins():
    first, second = [[0, 0.0], [5, 0.4], [7, 1.0]], [[0, 0.0], [9, 1.0]]
    assert pn2v.split_schedule((*first, *second)) == [tuple(first), tuple(second)]
    assert pn2v.split_schedule(tuple(second)) == [tuple(second)]
    assert pn2v.split_schedule(()) == [None]


def test_the_first_denoiser_hears_of_the_wish_to_stop_only():
    callback = types.SimpleNamespace(
        wants_stop=lambda: True, on_epoch=lambda *_: pytest.fail("an epoch of another training")
    )
    quiet = pn2v._Quiet(callback)
    assert quiet.wants_stop()
    assert not hasattr(quiet, "on_epoch")
    assert not pn2v._Quiet(object()).wants_stop()


def test_several_channels_are_refused(images):
    image = images[0].image
    two = data.DataSet.of(
        [
            data.Sample(
                "two", image.replace(pixels=np.stack([image.pixels] * 2), axes="C" + image.axes)
            )
        ]
    )
    for name in ("pn2v", "deconoising"):
        with pytest.raises(UserError, match="of one channel"):
            methods.get(name)(**TINY).fit(two)


@pytest.mark.parametrize("minutes", [0.3, 1.0, 5.0, 60.0])
def test_a_share_of_the_seconds_becomes_a_budget_that_ends_there(minutes):
    assert clock.add_reserve(60 * minutes - clock.reserve_seconds(minutes)) == pytest.approx(
        minutes
    )
