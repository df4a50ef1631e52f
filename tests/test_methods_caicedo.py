"""The ensemble of U-Nets: its mean is between its members, and its last map says how far apart
they are.
"""

import numpy as np
import pytest
from small import make_sample

from nbtools import methods
from nbtools.metrics import instances
from nbtools.patches import Example
from nbtools.targets.disagreement import EnsembleTarget


def test_a_member_of_the_preset_paper_has_the_published_size():
    """7.79 million: the three-level network of Caicedo et al. 2019, doi:10.1002/cyto.a.23863, by
    count of the authors' layers.
    """
    model = methods.get("caicedo")(preset="paper", members=2).build()
    assert round(model.count_params() / 2 / 1e6, 2) == 7.79


def test_members_that_agree_give_their_own_probabilities_and_no_disagreement():
    one = np.array([[2.0, 0.5, -1.0]])
    found = EnsembleTarget().activate(np.tile(one, (1, 4)))
    np.testing.assert_allclose(found[0, :3], np.exp(one[0]) / np.exp(one).sum())
    assert found[0, 3] == pytest.approx(0, abs=1e-9)


def test_members_of_opposite_opinion_disagree_by_half():
    raw = np.array([[50.0, 0, 0, 0, 50.0, 0]])
    np.testing.assert_allclose(EnsembleTarget().activate(raw)[0], [0.5, 0.5, 0, 0.5], atol=1e-9)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_truth_said_by_every_member_comes_back(ndim):
    label = make_sample(2, ndim).label.pixels.astype(np.int32)
    target = EnsembleTarget(ndim)
    truth = target.encode(Example(np.zeros((*label.shape, 1)), label=label))[..., :3]
    maps = target.activate(np.concatenate([40 * truth] * 3, axis=-1))
    found = target.decode(maps, threshold=0.5, grow=2, min_size=0)
    assert instances.score(label, found.image.pixels, iou=0.9).ap == 1
