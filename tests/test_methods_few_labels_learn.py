"""Methods for few labels learn in seconds what is easy: two bright blobs in noise."""

import numpy as np
import pytest
from scipy import ndimage
from small import make_sample

from nbtools import data, methods, training
from nbtools.metrics import instances

SETTINGS = {
    "preset": "tiny",
    "epochs": 2,
    "steps_per_epoch": 40,
    "batch_size": 4,
    "patch_size": 48,
    "learning_rate": 5e-3,
    "augmentation": "flips",
}


def learn(name: str, train: list[data.Sample], **changes: object) -> methods.Method:
    method = methods.get(name)(**SETTINGS | changes)
    val = data.DataSet.of([make_sample(seed, 2) for seed in (20, 22)])
    method.fit(data.DataSet.of(train), val, plan=training.TrainingPlan(seed=1))
    return method


@pytest.mark.parametrize(
    "name",
    ["denoiseg", "voidseg", "point_supervised", "box_supervised", "mean_teacher", "nucleaizer"],
)
def test_new_images_are_segmented(name):
    samples = [make_sample(2 * i, 2) for i in range(4)]
    if methods.row(name).welcomes:
        samples = [*samples[:2], *(s.replace(label=None) for s in samples[2:])]
    method = learn(name, samples)
    scores = []
    for seed in (40, 42, 44):
        sample = make_sample(seed, 2)
        found = method.predict(sample.image).labels.pixels
        scores.append(instances.score(sample.label.pixels, found, iou=0.5).ap)
    assert np.mean(scores) > 0.8


def test_a_third_of_the_labels_wrong_are_forgiven():
    """In two of six images the labels lie 20 px beside the nuclei."""
    samples = [make_sample(2 * i, 2) for i in range(6)]
    wrong = [
        s.replace(label=s.label.replace(pixels=np.roll(s.label.pixels, 20, axis=1)))
        for s in samples[:2]
    ]
    method = learn("border_unet", [*wrong, *samples[2:]], label_noise=0.7)
    sample = make_sample(40, 2)
    found = method.predict(sample.image).labels.pixels
    assert instances.score(sample.label.pixels, found, iou=0.5).ap > 0.8


def test_pairs_teach_the_other_kind_of_image():
    method = learn("pix2pix", [make_sample(2 * i, 2) for i in range(4)])
    sample = make_sample(40, 2)
    made = method.predict(sample.image).image.pixels
    assert np.corrcoef(made.ravel(), sample.clean.pixels.ravel())[0, 1] > 0.95
    inside = sample.label.pixels > 0
    assert made[inside].mean() == pytest.approx(500, abs=60)  # in grey values of the partners
    assert made[~inside].mean() == pytest.approx(100, abs=30)


def test_a_denoised_image_is_nearer_to_the_clean_one():
    """Away from the nuclei, whose edges are too sharp for what a tiny network learns in seconds."""
    method = learn("denoiseg", [make_sample(2 * i, 2) for i in range(4)])
    method.turn_to("restoration")
    sample = make_sample(40, 2)
    restored = method.predict(sample.image).image.pixels
    flat = ndimage.distance_transform_edt(sample.label.pixels == 0) > 8
    before = (sample.image.pixels.astype(float) - sample.clean.pixels)[flat]
    after = (restored - sample.clean.pixels)[flat]
    assert (after**2).mean() < 0.3 * (before**2).mean()
