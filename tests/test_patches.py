"""Where patches are cut, and how images are padded."""

import numpy as np

from nbtools import patches


def test_each_nucleus_is_chosen_as_often_as_the_other_however_large(rng):
    label = np.zeros((100, 100), int)
    label[:50, :50], label[90:92, 90:92] = 1, 2
    points = patches.find_points(label)
    near = [
        tuple(patches.choose_centre(rng, points, shape=label.shape, foreground=1.0).astype(int))
        for _ in range(400)
    ]
    small = sum(p == (90, 90) for p in near)
    assert len(points) == 2
    assert 150 < small < 250


def test_without_nuclei_centres_lie_anywhere(rng):
    centres = np.array([patches.choose_centre(rng, None, shape=(10, 1000)) for _ in range(300)])
    assert (centres >= 0).all()
    assert (centres < (10, 1000)).all()
    assert centres[:, 1].std() > 200


def test_a_window_stays_inside_or_in_the_middle_of_a_small_image():
    np.testing.assert_array_equal(
        patches.clip_centre(np.array([0.0, 99.0]), (100, 100), extent=np.array([20, 20])), [10, 90]
    )
    np.testing.assert_array_equal(
        patches.clip_centre(np.array([3.0, 5.0]), (8, 100), extent=np.array([20, 10])), [4, 5]
    )


def test_padding_reflects_also_beyond_one_width():
    padded = patches.reflect_pad(np.arange(3.0)[:, None, None].repeat(2, 1), [(0, 5), (0, 0)])
    np.testing.assert_array_equal(padded[:, 0, 0], [0, 1, 2, 2, 1, 0, 0, 1])
