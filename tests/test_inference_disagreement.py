"""What to label next: nuclei that two looks disagree on, in images unlike each other."""

import numpy as np
import pytest

from nbtools.inference.disagreement import compare_looks, order_images


@pytest.mark.parametrize("ndim", [2, 3])
def test_looks_that_agree_leave_nothing_to_learn(rng, ndim):
    label = np.zeros((8,) * ndim, int)
    label[(slice(1, 3),) * ndim] = 1
    label[(slice(5, 8),) * ndim] = 7
    doubt = compare_looks(label, np.where(label, 10 - label, 0))
    assert doubt.labels.tolist() == [1, 7]
    assert doubt.total == 0
    np.testing.assert_allclose(doubt.centres, [[1.5] * ndim, [6.0] * ndim])


def test_a_nucleus_of_one_look_is_a_nucleus_of_gain():
    label = np.zeros((6, 6), int)
    label[1:3, 1:3] = 1
    empty = np.zeros_like(label)
    once, other = compare_looks(label, empty), compare_looks(empty, label)
    assert (once.labels.tolist(), other.labels.tolist()) == ([1], [0])
    assert once.total == other.total == 1
    np.testing.assert_allclose(other.centres, [[1.5, 1.5]])
    assert compare_looks(empty, empty).total == 0


def test_a_nucleus_split_in_the_other_look_keeps_its_best_part():
    first, second = np.ones((1, 10), int), np.repeat([[1, 2]], (6, 4), axis=1)
    assert compare_looks(first, second).gain.tolist() == pytest.approx([0.4])


def test_without_features_that_differ_images_are_ordered_by_gain(rng):
    gains = rng.random(20)
    order, left = order_images(gains, np.ones((20, 3)))
    np.testing.assert_array_equal(order, np.argsort(-gains))
    assert left[0] == gains.max()


def test_an_image_unlike_the_chosen_ones_comes_before_copies_of_them():
    gains = np.array([5.0, 4.9, 4.8, 3.5])
    features = np.array([[0.0], [0.0], [0.0], [1.0]])
    assert order_images(gains, features)[0].tolist()[:2] == [0, 3]
