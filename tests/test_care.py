"""The adapter to csbdeep: its sizes and losses, its uncertainty, our files and tiles; better images
after seconds of training.
"""

import keras
import numpy as np
import pytest

from nbtools import data, methods, simulate, training
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.methods.domain import Domain
from nbtools.metrics import restoration
from nbtools.training.examples import express_as

TINY = {
    "preset": "tiny",
    "epochs": 1,
    "steps_per_epoch": 3,
    "batch_size": 2,
    "patch_size": 32,
    "patch_depth": 8,
}


@pytest.fixture(scope="module")
def pairs() -> data.DataSet:
    return simulate.make(
        "pairs", count=3, seed=0, settings={"shape_px": (96, 96), "photons": (20.0,)}
    )


def build(ndim: int = 2, **settings) -> methods.Method:
    method = methods.get("care")(**settings)
    method.domain = Domain(ndim)
    method.adopt(method.build())
    return method


# counted on the networks that csbdeep 0.8.2 builds with its default configurations
@pytest.mark.parametrize(
    ("ndim", "probabilistic", "parameters"),
    [(2, False, 922_977), (3, False, 996_769), (2, True, 923_010)],
)
def test_the_preset_paper_is_the_default_network_of_the_package(ndim, probabilistic, parameters):
    method = build(ndim, preset="paper", probabilistic=probabilistic)
    assert method.model.count_params() == method.inner.keras_model.count_params() == parameters


def test_the_losses_are_absolute_error_and_the_likelihood_of_laplace():
    truth, output = np.zeros((1, 2, 2, 1), np.float32), np.full((1, 2, 2, 2), 2.0, np.float32)
    output[..., 0] = 1.0  # one away, at a scale of 2: 1 / 2 + log(2 * 2)
    assert np.asarray(build(preset="tiny").loss()(truth, output)) == pytest.approx(1.0)
    assert np.asarray(
        build(preset="tiny", probabilistic=True).loss()(truth, output)
    ) == pytest.approx(0.5 + np.log(4), rel=1e-5)


def test_a_probabilistic_network_can_be_stored_and_tiled_like_a_plain_one():
    plain, uncertain = build(preset="tiny"), build(preset="tiny", probabilistic=True)
    assert (
        uncertain.field.radius == plain.field.radius == measure_receptive_field(plain.model).radius
    )
    assert not [layer for layer in uncertain.model.layers if isinstance(layer, keras.layers.Lambda)]
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 1)).astype(np.float32)
    np.testing.assert_allclose(
        np.asarray(uncertain.model(image)),
        np.asarray(uncertain.inner.keras_model(image)),
        atol=1e-6,
    )


def test_uncertainty_comes_in_grey_values_and_survives_its_file(
    pairs, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    method, image = methods.get("care")(**TINY, probabilistic=True), pairs[2].image
    method.fit(pairs, plan=training.TrainingPlan(seed=1))
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []  # the package keeps its files to itself
    found = method.predict(image, raw=True)
    assert found.raw["scale"].shape == (*image.shape, 1)
    assert found.raw["scale"].min() > 0
    np.testing.assert_allclose(
        found.raw["scale"], found.raw["maps"][..., 1:] * method.scale.factor[0], rtol=1e-5
    )
    assert found.image.shape == image.shape
    assert "scale" not in method.predict(image).raw
    method.save(tmp_path / "model")
    again = methods.load(tmp_path / "model").predict(image, raw=True)
    np.testing.assert_allclose(again.raw["scale"], found.raw["scale"], rtol=1e-5)


def test_seconds_of_training_bring_an_image_nearer_to_the_clean_one(pairs):
    settings = {**TINY, "epochs": 2, "steps_per_epoch": 40, "batch_size": 8, "learning_rate": 1e-2}
    method, held_back = methods.get("care")(**settings), pairs[2]
    method.fit(pairs.subset([0, 1]), plan=training.TrainingPlan(seed=1))
    before, after = (
        restoration.psnr(image, held_back.clean)
        for image in (held_back.image, method.predict(held_back.image).image)
    )
    assert after > before + 2


def test_a_movie_is_learned_from_frame_by_frame(rng):
    clean = 100 + 50 * rng.random((3, 40, 40)).astype(np.float32)
    noisy = rng.poisson(clean).astype(np.uint16)
    movie = data.Sample("movie", Image(noisy, "TYX"), clean=Image(clean, "TYX"))
    method = methods.get("care")(**TINY)
    method.fit(data.DataSet.of([movie]))
    assert method.predict(movie.image).image.shape == (3, 40, 40)


def test_a_clean_partner_of_another_exposure_is_brought_to_the_noisy_one(rng):
    clean = rng.uniform(0, 1, (64, 64, 1))
    noisy = 500 * clean + 100 + rng.normal(0, 20, clean.shape)
    np.testing.assert_allclose(express_as(clean, noisy), 500 * clean + 100, atol=5)


def test_images_without_a_clean_partner_are_refused():
    bare = data.DataSet.of([data.Sample("a", Image(np.ones((40, 40), np.uint8), "YX"))])
    with pytest.raises(UserError, match="This method learns from clean"):
        methods.get("care")(**TINY).fit(bare)


def test_another_backend_is_refused_in_plain_words(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match="CARE runs on TensorFlow only"):
        methods.get("care")().build()


def test_its_encoder_can_be_frozen_to_fine_tune():
    source, method = build(preset="tiny"), methods.get("care")(preset="tiny", freeze_encoder=True)
    method.start_from(source)
    method.domain = source.domain
    method.adopt(method.build())
    method.prepare_network()
    learning = {
        layer.name.split("_")[0] for layer in method.model.layers if layer.trainable_weights
    }
    assert learning == {"up", "conv2d"}
