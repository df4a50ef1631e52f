"""Annotators with little time, or who make mistakes: which labels are left of exact ones."""

import numpy as np
import pytest

from nbtools import simulate
from nbtools.errors import UserError
from nbtools.image import Image

SMALL = {"shape_px": (96, 96), "count": 9}


@pytest.fixture(scope="module")
def samples():
    return list(simulate.make("nuclei2d", count=3, seed=0, settings=SMALL))


def count_nuclei(samples) -> int:
    return sum(len(np.unique(s.label.pixels[s.label.pixels > 0])) for s in samples)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_so_many_nuclei_are_labelled_and_every_known_pixel_is_right(samples, count):
    some = simulate.label_some(samples, count, seed=1)
    truth = {s.name: s.label.pixels for s in samples}
    assert count_nuclei(some) == count
    for sample in some:
        known = sample.label.pixels >= 0
        np.testing.assert_array_equal(sample.label.pixels[known], truth[sample.name][known])
        assert (sample.label.pixels == -1).any()


def test_a_larger_count_goes_on_with_a_smaller_one(samples):
    few, more = (simulate.label_some(samples, n, seed=1) for n in (3, 8))
    found = {s.name: set(np.unique(s.label.pixels)) for s in more}
    for sample in few:
        assert set(np.unique(sample.label.pixels)) <= found[sample.name]


def test_what_was_not_looked_at_before_stays_unknown():
    label = Image(np.array([[1, 0, 0, -1, 0, 2]]), "YX")
    assert simulate.keep_nuclei(label, {1}, rim=9).pixels.tolist() == [[1, 0, 0, -1, 0, -1]]
    assert simulate.keep_nuclei(label, set()).pixels.tolist() == [[-1] * 6]


def test_none_is_refused(samples):
    with pytest.raises(UserError, match="At least one nucleus"):
        simulate.label_some(samples, 0)


@pytest.mark.parametrize("shape", [(300, 300), (12, 96, 96)])
def test_about_a_share_of_the_nuclei_is_wrong(shape):
    label = np.zeros(shape, np.int32)
    starts = [np.arange(8, n - 12, 16) for n in shape[-2:]]
    for number, (y, x) in enumerate(np.stack(np.meshgrid(*starts), -1).reshape(-1, 2), 1):
        label[..., y : y + 7, x : x + 7] = number
    wrong = simulate.mislabel(
        Image(label, "ZYX"[-len(shape) :]), share=0.4, rng=np.random.default_rng(0)
    )
    numbers = np.unique(label)[1:]
    changed = [n for n in numbers if ((label == n) != (wrong.pixels == n)).any()]
    gone = set(numbers) - set(np.unique(wrong.pixels))
    assert 0.2 < len(changed) / len(numbers) < 0.7  # neighbours may be covered, too
    assert 0.3 * len(changed) < len(gone) < 0.7 * len(changed)
