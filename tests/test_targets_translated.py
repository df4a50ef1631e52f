"""Images of another kind: their grey values come back, and what judges are shown."""

import numpy as np
import pytest

from nbtools.normalize import Scale
from nbtools.patches import Example
from nbtools.targets.translated import HERE, THERE, CycleTarget, PairedTarget

SCALE = Scale((7.0,), (3.0,))


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_partner_comes_back_in_its_grey_values(rng, ndim):
    shape = (5, 8, 9, 1)[3 - ndim :]
    partner = rng.normal(50, 9, shape).astype(np.float32)
    patch = Example(rng.random(shape, np.float32), clean=SCALE.apply(partner))
    target = PairedTarget(ndim, scale=SCALE)
    given, truth = target.make_pair(rng, patch)
    np.testing.assert_array_equal(given, patch.image)
    np.testing.assert_array_equal(truth["real"][..., :1], patch.image)
    np.testing.assert_array_equal(truth["real"][..., 1:], patch.clean)
    found = target.decode({"near": truth["near"]}).image.pixels
    np.testing.assert_allclose(found, partner, rtol=1e-4)


def test_each_kind_is_to_come_back(rng):
    one, other = rng.random((8, 8, 1), np.float32), rng.random((8, 8, 1), np.float32)
    given, wanted = CycleTarget(2).make_pair(rng, Example(one, unpaired=other))
    for kind, image in ((HERE, one), (THERE, other)):
        np.testing.assert_array_equal(given[kind], image)
        np.testing.assert_array_equal(wanted[kind], image)
    found = CycleTarget(2, scale=SCALE).decode(SCALE.apply(40 * other)).image.pixels
    np.testing.assert_allclose(found, 40 * other, rtol=1e-4)
