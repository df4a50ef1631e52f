"""Views of an image: how many there are, that they come back, and what an average over them is."""

import numpy as np
import pytest

from nbtools.inference import test_time_augmentation


@pytest.mark.parametrize(
    ("ndim", "kind", "count"),
    [
        (2, "none", 1),
        (2, "flips", 4),
        (3, "flips", 8),
        (3, "flips_and_rot90", 8),
        (2, "flips_and_rot90_3d", 8),
        (3, "flips_and_rot90_3d", 16),
    ],
)
def test_views_are_as_many_as_the_symmetry_has_and_all_differ_and_come_back(rng, ndim, kind, count):
    image = rng.random((*(4, 6, 5)[-ndim:], 2))
    views = test_time_augmentation.list_views(ndim, kind)
    assert len(views) == count
    assert len({view.forward(image).tobytes() for view in views}) == count
    np.testing.assert_array_equal(views[0].forward(image), image)
    for view in views:
        np.testing.assert_array_equal(view.backward(view.forward(image)), image)


def test_a_turned_view_is_that_of_numpy(rng):
    plane = rng.random((5, 7, 1))
    seen = [
        view.forward(plane) for view in test_time_augmentation.list_views(2, "flips_and_rot90_3d")
    ]
    for quarter in range(4):
        assert any(
            s.shape == t.shape and (s == t).all() for t in [np.rot90(plane, quarter)] for s in seen
        )


def test_the_average_of_an_answer_that_does_not_mind_turns_is_that_answer(rng):
    image = rng.random((4, 6, 6, 1)).astype(np.float32)
    np.testing.assert_allclose(
        test_time_augmentation.average(lambda view: view**2, image, kind="flips_and_rot90_3d"),
        image**2,
        rtol=1e-6,
    )


def test_the_average_evens_out_what_an_answer_has_of_one_direction():
    image = np.zeros((1, 5, 1), np.float32)
    image[0, 2] = 1
    shifted = test_time_augmentation.average(
        lambda view: np.roll(view, 1, axis=1), image, kind="flips"
    )
    np.testing.assert_allclose(shifted[0, :, 0], [0, 0.5, 0, 0.5, 0])
