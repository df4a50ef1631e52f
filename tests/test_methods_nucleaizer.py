"""Styles of images, and what is made in each of them."""

import numpy as np
import pytest
from small import make_sample

from nbtools import data, methods, training
from nbtools.methods.image_styles import cluster_styles, describe_style
from nbtools.methods.segment import nucleaizer

SETTINGS = {
    "preset": "tiny",
    "epochs": 2,
    "steps_per_epoch": 40,
    "batch_size": 4,
    "patch_size": 48,
    "learning_rate": 5e-3,
    "styles": 2,
}


def test_bright_and_dark_nuclei_are_two_styles():
    """Even samples have bright nuclei, odd ones dark nuclei."""
    features = []
    for seed in range(10):
        pixels = make_sample(seed, 2).image.pixels[..., None].astype(float)
        features.append(describe_style((pixels - pixels.mean()) / pixels.std()))
    styles = cluster_styles(np.array(features), count=2)
    found = [styles.find(one) for one in features]
    assert styles.counts.tolist() == [5, 5]
    assert set(found[0::2]) != set(found[1::2])
    assert len(set(found[0::2])) == len(set(found[1::2])) == 1


def test_a_style_is_seen_in_a_volume_and_in_every_channel(rng):
    pixels = rng.normal(size=(5, 20, 20, 2))
    pixels[..., 1] = 3
    found = describe_style(pixels)
    np.testing.assert_allclose(found[:3], [0, 1, 0], atol=0.1)
    np.testing.assert_allclose(found[5:], [3, 0, 0, 0, 0], atol=1e-9)
    assert found[3] > 0.8 > found[4]  # noise is fine, not coarse


def test_images_that_are_alike_are_one_style():
    styles = cluster_styles(np.ones((4, 5)), count=3)
    assert styles.counts.tolist() == [4]
    assert styles.find(np.zeros(5)) == 0


def test_nuclei_are_made_in_the_style_that_is_asked_for(monkeypatch):
    steps = []

    def keep(*parts: object) -> training.PairedSynthesis:
        steps.append(training.PairedSynthesis(*parts))
        return steps[-1]

    monkeypatch.setattr(nucleaizer, "PairedSynthesis", keep)
    method = methods.get("nucleaizer")(**SETTINGS)
    train = data.DataSet.of([make_sample(seed, 2) for seed in range(6)])
    val = data.DataSet.of([make_sample(seed, 2) for seed in (20, 21)])
    method.fit(train, val, plan=training.TrainingPlan(seed=1))
    assert method.notes() == ("Styles of the training images: 2 (images: 3, 3).",)
    for seed in (40, 41):
        example = method.make_example(make_sample(seed, 2))
        place = (slice(0, 64), slice(0, 80))
        example = training.examples.crop_example(example, place)
        given, _ = method.target().make_pair(np.random.default_rng(0), example)
        inside = example.label > 0
        for name, same in (("own", True), ("other", False)):
            made = steps[0].translator.model.predict_on_batch(given[name][None])["near"]
            bright = made[0, inside].mean() > made[0, ~inside].mean()
            assert bright == ((seed % 2 == 0) == same)


@pytest.mark.parametrize("spacing", [None, (2.0, 0.5, 0.5)])
def test_patches_suit_both_networks(spacing):
    method = methods.get("nucleaizer")(patch_depth=2)
    method.domain = method.domain.__class__(3, spacing=spacing)
    method.adopt(method.build())
    strides = nucleaizer.nets.plan_pooling(3, spacing, count=2)
    grid = np.array(strides).prod(axis=0)
    assert (np.array(method.patch_shape()) % grid == 0).all()
    assert (np.array(method.patch_shape()) % method.field.grid == 0).all()
