"""Masks that images are made of, and their nuclei."""

import numpy as np
import pytest

from nbtools import data
from nbtools.metrics import instances
from nbtools.patches import Example
from nbtools.targets.synthesis import SEGMENT, SynthesisTarget
from nbtools.targets.translated import HERE, THERE


@pytest.mark.parametrize(("ndim", "least"), [(2, 0.95), (3, 0.8)])
def test_nuclei_come_back_from_truth(rng, ndim, least):
    label = data.samples(f"nuclei{ndim}d")[0].label.pixels.astype(np.int32)
    real = rng.random((*label.shape, 1), np.float32)
    target = SynthesisTarget(ndim)
    given, truth = target.make_pair(rng, Example(real, label=label, unpaired=real))
    np.testing.assert_array_equal(given[THERE], real)
    found = target.find_labels(truth[SEGMENT][..., :2], threshold=0.5, split=0.1, min_size=0)
    assert instances.score(label, found, iou=0.5).ap >= least


def test_touching_nuclei_are_apart_in_the_mask(rng):
    label = np.zeros((6, 10), np.int32)
    label[1:5, 1:5], label[1:5, 5:9] = 1, 2
    image = rng.random((6, 10, 2), np.float32)
    target = SynthesisTarget(2, channels=2)
    mask = target.make_pair(rng, Example(image, label=label, unpaired=image))[0][HERE]
    assert mask.shape == (6, 10, 2)
    assert mask[2, 2].tolist() == mask[2, 7].tolist() == [1, 1]
    assert mask[2, 4].tolist() == mask[2, 5].tolist() == mask[0, 0].tolist() == [-1, -1]
