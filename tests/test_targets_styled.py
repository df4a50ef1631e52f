"""Nuclei of real images, and masks that images of a style are made of."""

import numpy as np
import pytest

from nbtools import data
from nbtools.metrics import instances
from nbtools.patches import Example
from nbtools.targets.styled import StyledTarget


@pytest.mark.parametrize(("ndim", "least"), [(2, 0.95), (3, 0.8)])
def test_nuclei_come_back_from_truth(rng, ndim, least):
    label = data.samples(f"nuclei{ndim}d")[0].label.pixels.astype(np.int32)
    real = rng.random((*label.shape, 1), np.float32)
    target = StyledTarget(ndim, styles=3)
    given, truth = target.make_pair(rng, Example(real, label=label, style=1))
    np.testing.assert_array_equal(given["real"], real)
    found = target.find_labels(truth[..., :2], threshold=0.5, split=0.1, min_size=0)
    assert instances.score(label, found, iou=0.5).ap >= least


def test_a_mask_has_its_own_style_and_another(rng):
    label = np.zeros((6, 10), np.int32)
    label[1:5, 1:5], label[0] = 1, -1
    example = Example(rng.random((6, 10, 2), np.float32), label=label, style=1)
    target, others = StyledTarget(2, styles=3), set()
    for _ in range(20):
        given = target.make_pair(rng, example)[0]
        for name in ("own", "other"):
            assert given[name].shape == (6, 10, 4)
            assert given[name][:, 3, 0].tolist() == [0, 1, 1, 1, 1, -1]
        assert (given["own"][..., 1:] == [0, 1, 0]).all()
        assert (given["other"][..., 1:].sum(axis=-1) == 1).all()
        others.add(int(given["other"][0, 0, 1:].argmax()))
    assert others == {0, 2}


def test_one_style_is_its_own_other(rng):
    example = Example(rng.random((6, 10, 1), np.float32), label=np.eye(6, 10, dtype=int), style=0)
    given = StyledTarget(2).make_pair(rng, example)[0]
    np.testing.assert_array_equal(given["own"], given["other"])
