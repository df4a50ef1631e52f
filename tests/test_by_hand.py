"""What lesson 05 computes by hand is what Keras computes, and the textbook."""

import numpy as np
import pytest

from nbtools import by_hand, simulate
from nbtools.errors import UserError


def test_the_loss_is_the_cross_entropy_of_scikit_learn(rng):
    from sklearn.metrics import log_loss

    features, answers, weights = rng.normal(size=(50, 2)), rng.integers(0, 2, 50), (0.7, -1.2)
    expected = log_loss(answers, by_hand.sigmoid(features @ weights))
    assert by_hand.measure_loss(features, answers, weights=weights) == pytest.approx(expected)


def test_the_loss_of_a_hopeless_answer_is_large_and_not_infinite():
    assert by_hand.measure_loss(np.ones((1, 1)), np.zeros(1), weights=[800.0]) == 800


def test_the_gradient_is_the_slope_of_the_loss(rng):
    features, answers, weights = rng.normal(size=(50, 2)), rng.integers(0, 2, 50), np.array([1, -2])
    slopes = []
    for step in 1e-5 * np.eye(2):
        above, below = (
            by_hand.measure_loss(features, answers, weights=weights + sign * step)
            for sign in (1, -1)
        )
        slopes.append((above - below) / 2e-5)
    found = by_hand.measure_gradient(features, answers, weights=weights)
    np.testing.assert_allclose(found, slopes, rtol=1e-5)


def test_descent_ends_where_logistic_regression_does(rng):
    from sklearn.linear_model import LogisticRegression

    features = rng.normal(size=(200, 2))
    answers = (features @ (1, -2) + rng.logistic(size=200) > 0).astype(int)
    best = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(features, answers)
    way = by_hand.descend(features, answers, learning_rate=2.0, steps=300)
    np.testing.assert_allclose(way.weights[-1], best.coef_[0], atol=1e-3)
    assert way.losses[0] == pytest.approx(np.log(2))
    assert way.weights.shape == (301, 2)


def test_convolution_and_pooling_are_those_of_scipy(rng):
    from scipy.signal import correlate2d

    image, kernel = rng.normal(size=(7, 9)), rng.normal(size=(3, 2))
    np.testing.assert_allclose(
        by_hand.convolve(image, kernel), correlate2d(image, kernel, mode="valid")
    )
    from skimage.measure import block_reduce

    pooled = block_reduce(image[:6, :8], (2, 2), np.max)
    np.testing.assert_array_equal(by_hand.max_pool(image), pooled)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="fit into a flat image"):
        by_hand.convolve(np.ones((2, 2)), np.ones((3, 3)))
    with pytest.raises(UserError, match="size up to 2"):
        by_hand.max_pool(np.ones((2, 4)), 3)


def test_mutant_nuclei_are_smaller_and_less_spotted_on_average():
    samples = list(simulate.wild_type_and_mutant(count=40, seed=1))
    areas, spots = {}, {}
    for sample in samples:
        inside = sample.label.pixels > 0
        values = sample.image.pixels[inside].astype(float)
        areas.setdefault(sample.class_name, []).append(inside.sum())
        spots.setdefault(sample.class_name, []).append(values.std() / values.mean())
    assert np.mean(areas["mutant"]) < np.mean(areas["wild type"])
    assert np.mean(spots["mutant"]) < np.mean(spots["wild type"])
    assert {s.image.shape for s in samples} == {(32, 32)}
    with pytest.raises(UserError, match="at least 2"):
        simulate.wild_type_and_mutant(count=1, seed=0)
