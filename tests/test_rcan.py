"""RCAN as a method: grey values to -1 … 1 and back, tiles that are blended and said to be, better
images after seconds of training.
"""

import numpy as np
import pytest

from nbtools import data, methods, simulate, training
from nbtools.image import Image
from nbtools.methods.denoise import rcan
from nbtools.metrics import restoration

TINY = {
    "preset": "tiny",
    "epochs": 2,
    "steps_per_epoch": 40,
    "batch_size": 8,
    "patch_size": 32,
    "learning_rate": 1e-2,
}


@pytest.fixture(scope="module")
def pairs() -> data.DataSet:
    return simulate.make(
        "pairs", count=3, seed=0, settings={"shape_px": (96, 96), "photons": (20.0,)}
    )


@pytest.fixture(scope="module")
def fitted(pairs) -> methods.Method:
    method = methods.get("rcan")(**TINY)
    method.fit(pairs.subset([0, 1]), plan=training.TrainingPlan(seed=1))
    return method


def test_most_grey_values_of_the_training_set_lie_between_minus_1_and_1():
    ramp = np.linspace(0, 1000, 100_000).reshape(250, 400, 1)
    scale = methods.get("rcan").normalization.measure(ramp.reshape(-1, 1, 1))
    np.testing.assert_allclose(
        scale.apply(np.array([[20.0], [509.5], [999.0]])), [[-1], [0], [1]], atol=1e-3
    )  # 2 % and 99.9 %


def test_seconds_of_training_bring_an_image_nearer_to_the_clean_one(fitted, pairs):
    image, clean = pairs[2].image, pairs[2].clean
    found = fitted.predict(image)
    assert restoration.psnr(found.image, clean) > restoration.psnr(image, clean) + 2
    assert found.image.pixels.mean() == pytest.approx(clean.pixels.mean(), rel=0.05)
    assert found.warnings == ()


def test_an_image_far_brighter_than_the_training_is_said_to_be(fitted, pairs):
    bright = pairs[2].image.replace(pixels=pairs[2].image.pixels.astype(np.float32) * 20)
    assert "Grey values are far" in fitted.predict(bright).warnings[0]


def test_tiles_have_a_fixed_size_are_blended_and_said_to_be(fitted, pairs, monkeypatch):
    image = Image(np.tile(pairs[2].image.pixels, (2, 2)), "YX")
    monkeypatch.setitem(rcan.TILE, 2, (192, 192))
    whole = fitted.predict(image, tile=(96, 96))
    monkeypatch.setitem(rcan.TILE, 2, (96, 96))
    tiled = fitted.predict(image)
    assert whole.warnings == ()
    assert "tiles of its own size were blended" in tiled.warnings[0]
    assert np.abs(tiled.image.pixels - whole.image.pixels).max() > 0
    assert restoration.psnr(tiled.image, whole.image) >= 40


def test_groups_and_blocks_stand_above_the_preset():
    assert (
        methods.get("rcan")(preset="paper", blocks=5).build().count_params()
        > methods.get("rcan")(preset="paper").build().count_params()
    )
