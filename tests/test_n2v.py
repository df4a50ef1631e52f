"""Noise2Void: the published sizes, a loss that hears of hidden pixels alone, images of every shape,
grey values that come back.
"""

import numpy as np
import pytest

from nbtools import data, io, losses, methods, training
from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.methods.domain import Domain

TINY = {
    "preset": "tiny",
    "epochs": 1,
    "steps_per_epoch": 3,
    "batch_size": 2,
    "patch_size": 32,
    "patch_depth": 8,
}


def noisy(rng: np.random.Generator, shape: tuple[int, ...], axes: str) -> Image:
    y, x = np.meshgrid(np.arange(shape[-2]), np.arange(shape[-1]), indexing="ij")
    signal = 1000 + 200 * np.sin(y / 9) * np.cos(x / 11)
    return Image(rng.normal(signal, 40, shape).clip(0).astype(np.uint16), axes, name="noisy")


@pytest.fixture(scope="module")
def fitted() -> methods.Method:
    method = methods.get("n2v")(**TINY)
    method.fit(
        data.DataSet.of([data.Sample("a", noisy(np.random.default_rng(0), (64, 64), "YX"))]),
        plan=training.TrainingPlan(seed=1),
    )
    return method


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        (
            {"preset": "paper", "variant": "n2v"},
            925_153,
        ),  # csbdeep's U-Net, 32 filters of 5 x 5, batch normalised
        ({"preset": "bsd68", "variant": "n2v"}, 2_995_105),
        ({"preset": "paper", "variant": "n2v2"}, 325_601),  # n2v2_run.cfg: 32 filters of 3 x 3
    ],
)
def test_the_networks_have_the_published_number_of_parameters(settings, parameters):
    method = methods.get("n2v")(**settings)
    method.domain = Domain()
    assert method.build().count_params() == parameters


def test_the_loss_hears_of_hidden_pixels_alone_and_divides_by_their_number(rng):
    values, output = (
        rng.normal(size=(2, 8, 8, 1)).astype(np.float32),
        rng.normal(size=(2, 8, 8, 1)).astype(np.float32),
    )
    mask = np.zeros((2, 8, 8, 1), np.float32)
    mask[0, 1, 2] = mask[0, 5, 5] = mask[1, 3, 3] = 1
    truth = np.concatenate([values, mask], axis=-1)
    found = np.asarray(losses.masked_mse(truth, output))
    squares = (values - output) ** 2 * mask
    np.testing.assert_allclose(found, [squares[0].sum() / 2, squares[1].sum()], rtol=1e-5)
    elsewhere = output + 100 * (1 - mask)
    np.testing.assert_array_equal(np.asarray(losses.masked_mse(truth, elsewhere)), found)


def test_no_gradient_reaches_the_network_from_pixels_that_were_not_hidden(rng):
    tf = pytest.importorskip("tensorflow")
    output, mask = (
        tf.constant(rng.normal(size=(1, 9, 9, 1)), tf.float32),
        np.zeros((1, 9, 9, 1), np.float32),
    )
    mask[0, 2, 3] = mask[0, 7, 7] = 1
    truth = tf.constant(np.concatenate([rng.normal(size=(1, 9, 9, 1)), mask], axis=-1), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(output)
        loss = losses.masked_mse(truth, output)
    gradient = tape.gradient(loss, output).numpy()
    np.testing.assert_array_equal(gradient != 0, mask == 1)


def test_grey_values_come_back_in_the_unit_of_the_input(fitted):
    image = noisy(np.random.default_rng(3), (70, 83), "YX")
    restored = fitted.predict(image).image.pixels
    assert restored.dtype == np.float32
    assert restored.mean() == pytest.approx(image.pixels.mean(), rel=0.2)


@pytest.mark.parametrize(("tta", "views"), [("flips", 4), ("flips_and_rot90", 8)])
def test_views_are_averaged_where_asked_for(fitted, rng, tta, views):
    image = noisy(rng, (64, 64), "YX")

    def restore(pixels: np.ndarray, how: str) -> np.ndarray:
        fitted.settings = fitted.settings.replace(tta=how)
        return fitted.predict(image.replace(pixels=np.ascontiguousarray(pixels))).image.pixels

    flips = [(), (0,), (1,), (0, 1)]
    said = [np.flip(restore(np.flip(image.pixels, f), "none"), f) for f in flips]
    said += [np.flip(restore(np.flip(image.pixels, f).T, "none").T, f) for f in flips]
    np.testing.assert_allclose(restore(image.pixels, tta), np.mean(said[:views], axis=0), rtol=1e-5)
    fitted.settings = fitted.settings.replace(tta="none")


def test_an_image_far_brighter_than_the_training_is_said_to_be(fitted):
    image = noisy(np.random.default_rng(3), (70, 83), "YX")
    assert fitted.predict(image).warnings == ()
    bright = image.replace(pixels=image.pixels * 20)
    assert "Grey values are far" in fitted.predict(bright).warnings[0]


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CYX", "TZYX"])
def test_a_single_image_a_stack_and_a_time_series_are_enough_to_learn_from(tmp_path, rng, axes):
    sizes = {"T": 3, "Z": 9, "C": 2, "Y": 40, "X": 48}
    image = noisy(rng, tuple(sizes[a] for a in axes), axes)
    io.write_image(tmp_path / "images" / "one.tif", image)
    method = methods.get("n2v")(**TINY)
    method.fit(data.DataSet.open(tmp_path))
    restored = method.predict(image).image
    assert (restored.axes, restored.shape) == (axes, image.shape)
    assert np.isfinite(restored.pixels).all()


def test_every_time_point_is_learned_from(rng):
    movie = noisy(rng, (5, 40, 40), "TYX")
    dataset = data.DataSet.of([data.Sample("movie", movie)])
    frames = dataset.frames()
    assert frames.names == [f"movie_t{t}" for t in range(5)]
    np.testing.assert_array_equal(frames[3].image.pixels, movie.pixels[3])


def test_colour_is_refused_or_split_by_an_explicit_setting(rng):
    pixels = rng.integers(0, 255, (40, 48, 3)).astype(np.uint8)
    colours = data.DataSet.of([data.Sample("rgb", Image(pixels, "YXC", channels=RGB))])
    with pytest.raises(UserError, match="colour=split"):
        methods.get("n2v")(**TINY).fit(colours)
    method = methods.get("n2v")(**TINY, colour="split")
    method.fit(colours)
    restored = method.predict(colours[0].image).image
    assert restored.shape == (40, 48, 3)
    assert np.abs(restored.pixels[..., 0] - restored.pixels[..., 1]).max() > 0


def test_the_preset_of_the_published_comparison_brings_its_training_along(rng):
    method = methods.get("n2v")(preset="bsd68", variant="n2v", batch_size=2)
    method.begin_fit(data.DataSet.of([data.Sample("a", noisy(rng, (64, 64), "YX"))]))
    kept = {
        k: getattr(method.settings, k)
        for k in ("batch_size", "epochs", "steps_per_epoch", "masked")
    }
    assert kept == {"batch_size": 2, "epochs": 200, "steps_per_epoch": 400, "masked": 0.198}


@pytest.mark.parametrize(
    ("shape", "axes", "variant", "steps", "patch"),
    [((64, 64), "YX", "n2v2", 50, (64, 64)), ((16, 48, 48), "ZYX", "n2v", 300, (16, 32, 32))],
)
def test_volumes_are_learned_from_in_many_small_steps_and_with_the_finest_skip(
    rng, shape, axes, variant, steps, patch
):
    method = methods.get("n2v")()
    method.begin_fit(data.DataSet.of([data.Sample("a", noisy(rng, shape, axes))]))
    method.adopt(method.build())
    assert (method.settings.variant, method.settings.steps_per_epoch, method.patch_shape()) == (
        variant,
        steps,
        patch,
    )
    assert ("merge0" in [layer.name for layer in method.model.layers]) == (variant == "n2v")


def test_striped_noise_is_not_turned_away_from_its_axis(rng):
    method = methods.get("n2v")(**TINY, variant="struct", tta="flips_and_rot90")
    method.begin_fit(data.DataSet.of([data.Sample("a", noisy(rng, (64, 64), "YX"))]))
    assert (method.settings.augmentation, method.settings.tta) == ("mirrors", "flips")


def test_the_command_line_needs_nothing_but_a_movie(tmp_path, rng, run):
    io.write_image(tmp_path / "movie.tif", noisy(rng, (3, 40, 48), "TYX"))
    settings = [f"--set={k}={v}" for k, v in TINY.items()]
    code, _, told = run(
        "train", "n2v", tmp_path / "movie.tif", "--out", tmp_path / "model", "--quiet", *settings
    )
    assert code == 0, told
    assert (
        run(
            "predict",
            tmp_path / "model",
            tmp_path / "movie.tif",
            "--out",
            tmp_path / "result",
            "--quiet",
        )[0]
        == 0
    )
    assert io.read_image(tmp_path / "result" / "movie.tif").axes == "TYX"
