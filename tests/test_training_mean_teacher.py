"""A student that learns from labels and from its own average."""

import keras
import numpy as np
import pytest

from nbtools import losses, nets, training
from nbtools.targets.border import BorderTarget
from nbtools.training.mean_teacher import STUDENT, TEACHER, add_consistency, join

SETTINGS = training.TrainingSettings(learning_rate=0.01, weight_decay=0.0)


@pytest.fixture
def step() -> training.MeanTeacher:
    keras.utils.set_random_seed(1)
    about = {"activate": BorderTarget().activate, "settings": SETTINGS}
    weights = (1.0, 10, 0.9)
    model = nets.unet(2, filters=(4, 8), outputs=3)
    return training.MeanTeacher(model, losses.weighted_cross_entropy, weights=weights, **about)


def make_batch(rng: np.random.Generator, *, labelled: bool = True) -> tuple[dict, np.ndarray]:
    image = rng.normal(size=(2, 8, 8, 1)).astype(np.float32)
    inside = (image[..., 0] > 0).astype(np.float32) * labelled
    truth = np.stack([labelled - inside, inside, 0 * inside, 1 + 0 * inside], axis=-1)
    noisy = image + 0.1 * rng.normal(size=image.shape)
    return {STUDENT: noisy.astype(np.float32), TEACHER: image}, truth.astype(np.float32)


def test_without_labels_only_the_difference_to_the_teacher_counts(rng):
    loss = add_consistency(losses.weighted_cross_entropy, BorderTarget().activate)
    output = rng.normal(size=(1, 4, 4, 3)).astype(np.float32)
    share = BorderTarget().activate(output)
    truth = np.zeros((1, 4, 4, 4), np.float32)
    same = loss(join(truth, share, weight=2.0), output)
    assert float(same[0]) == pytest.approx(0, abs=1e-6)
    found = loss(join(truth, np.zeros_like(share), weight=2.0), output)
    assert float(found[0]) == pytest.approx(2 * np.mean(share**2), rel=1e-5)


def test_the_teacher_is_the_average_of_the_student(step, rng):
    start = [np.array(w) for w in step.teacher.weights]
    step(make_batch(rng))
    student = [np.array(w) for w in step.model.weights]
    for now, before, fast in zip(step.teacher.weights, start, student, strict=True):
        np.testing.assert_allclose(np.array(now), (before + fast) / 2, atol=1e-6)
    for _ in range(20):
        step(make_batch(rng))
    before = [np.array(w) for w in step.teacher.weights]
    step(make_batch(rng))
    for now, old, fast in zip(step.teacher.weights, before, step.model.weights, strict=True):
        np.testing.assert_allclose(np.array(now), 0.9 * old + 0.1 * np.array(fast), atol=1e-5)


def test_its_weight_grows_to_what_was_asked_for(step, rng):
    assert step.weigh() == pytest.approx(np.exp(-5))
    for _ in range(10):
        step(make_batch(rng, labelled=False))
    assert step.weigh() == 1


def test_images_without_labels_change_the_student(step, rng):
    before = [np.array(w) for w in step.model.trainable_weights]
    step.count.assign(10)
    step(make_batch(rng, labelled=False))
    after = [np.array(w) for w in step.model.trainable_weights]
    assert not all(map(np.array_equal, before, after))


def test_the_validation_loss_is_that_of_the_labels(step, rng):
    batch = make_batch(rng)
    output = step.model(batch[0][TEACHER], training=False)
    wanted = float(np.mean(losses.weighted_cross_entropy(batch[1], output)))
    assert step.validate(batch)["loss"] == pytest.approx(wanted, rel=1e-4)


def test_the_state_decides_the_next_step(step, rng):
    step(make_batch(rng))
    kept, batch = [np.array(v) for v in step.state()], make_batch(rng)
    step(batch)
    wanted = [np.array(w) for w in (*step.model.weights, *step.teacher.weights)]
    for variable, value in zip(step.state(), kept, strict=True):
        variable.assign(value)
    step(batch)
    found = [np.array(w) for w in (*step.model.weights, *step.teacher.weights)]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
