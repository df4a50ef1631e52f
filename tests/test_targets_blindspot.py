"""Blind spots: spread evenly, as dense as asked for in 2D and 3D, filled from the untouched patch,
never from themselves.
"""

import numpy as np
import pytest

from nbtools.targets import blindspot
from nbtools.targets.blindspot import BlindSpotMask


@pytest.mark.parametrize("shape", [(64, 64), (100, 37), (16, 64, 64), (7, 40, 90)])
@pytest.mark.parametrize("percent", [0.198, 1.5])
def test_the_share_of_hidden_pixels_is_the_one_asked_for_in_2d_and_3d(rng, shape, percent):
    counts = [len(blindspot.draw_places(rng, shape, percent=percent)) for _ in range(300)]
    assert np.mean(counts) == pytest.approx(percent / 100 * np.prod(shape), rel=0.04)


def test_every_pixel_is_hidden_as_often_as_any_other(rng):
    times = np.zeros((21, 34))
    for _ in range(4000):
        times[tuple(blindspot.draw_places(rng, times.shape, percent=4).T)] += 1
    expected = 4000 * 0.04
    assert abs(times.mean() - expected) < 0.02 * expected
    assert abs(times - times.mean()).max() < 5 * np.sqrt(expected)  # counts of a fair draw


def test_hidden_pixels_leave_no_large_part_of_a_patch_out(rng):
    side = 10  # of the box that holds one pixel in a hundred
    for _ in range(50):
        mask = blindspot.mask_pixels(
            rng, np.zeros((64, 64, 1), np.float32), spots=BlindSpotMask(percent=1.0)
        )[1]
        inside = mask[: 64 // (2 * side) * 2 * side, : 64 // (2 * side) * 2 * side]
        assert inside.reshape(-1, 2 * side, 64 // (2 * side), 2 * side).sum(axis=(1, 3)).min() >= 1


@pytest.mark.parametrize("fill", ["neighbour", "median", "mean"])
@pytest.mark.parametrize("shape", [(80, 73), (7, 50, 61)])
def test_a_hidden_value_comes_from_the_untouched_surroundings_and_never_from_itself(
    rng, fill, shape
):
    patch = rng.normal(size=(*shape, 2)).astype(np.float32)
    spike = patch.copy()
    hidden, mask = blindspot.mask_pixels(
        np.random.default_rng(4), patch, spots=BlindSpotMask(0.3, 2, fill)
    )
    spike[mask] += (
        1000.0  # the same pixels are drawn: nothing of them may show, whatever else is hidden
    )
    again, same = blindspot.mask_pixels(
        np.random.default_rng(4), spike, spots=BlindSpotMask(0.3, 2, fill)
    )
    np.testing.assert_array_equal(mask, same)
    np.testing.assert_array_equal(hidden[~mask], patch[~mask])
    alone = _far_from_others(mask, 2)
    assert alone.any()
    np.testing.assert_allclose(again[alone], hidden[alone], atol=1e-4)
    assert np.abs(hidden[mask] - patch[mask]).min() > 0


def test_the_median_of_the_surroundings_is_that_of_a_worked_example(rng):
    patch = np.arange(25, dtype=np.float32).reshape(5, 5, 1)
    patch[2, 2] = 500.0
    around = blindspot._find_surroundings(np.array([[2, 2], [0, 0]]), (5, 5), radius=1)
    values = patch[..., 0][tuple(np.moveaxis(around, -1, 0))]
    assert sorted(values[0]) == [6, 7, 8, 11, 13, 16, 17, 18]
    assert np.median(values[0]) == 12
    assert sorted(values[1]) == [
        1,
        2,
        5,
        6,
        7,
        10,
        11,
        500,
    ]  # at the corner the window moves inside


def test_a_patch_of_one_pixel_in_an_axis_is_hidden_too(rng):
    hidden, mask = blindspot.mask_pixels(
        rng, rng.normal(size=(1, 50, 50, 1)), spots=BlindSpotMask(2.0, 2)
    )
    assert mask.any()
    assert np.isfinite(hidden).all()


def test_with_its_centre_a_hidden_pixel_sometimes_keeps_its_value(rng):
    patch = rng.normal(size=(64, 64, 1)).astype(np.float32)
    kept = [
        (h[m] == patch[m]).mean()
        for h, m in (
            blindspot.mask_pixels(rng, patch, spots=BlindSpotMask(2.0, 1, centre=True))
            for _ in range(200)
        )
    ]
    assert np.mean(kept) == pytest.approx(1 / 9, rel=0.1)


def test_a_line_hides_what_shares_its_noise_and_asks_for_the_middle_alone(rng):
    stripes = np.repeat(rng.normal(size=(60, 1, 1)), 80, axis=1).astype(
        np.float32
    )  # noise common to each row
    hidden, mask = blindspot.mask_pixels(rng, stripes, spots=BlindSpotMask(0.3, 4, line=(1, 5)))
    y, x = np.argwhere(mask)[len(np.argwhere(mask)) // 2]
    run = slice(max(0, x - 5), x + 6)
    assert (
        hidden[y, run] != stripes[y, run]
    ).all()  # nothing of the row's own value is left beside it
    assert mask.sum() < 1.5 * 0.003 * mask.size


def test_the_same_seed_hides_the_same_pixels_and_the_patch_stays_as_it_was():
    patch = np.random.default_rng(1).normal(size=(32, 32, 1))
    before = patch.copy()
    first, second = (
        blindspot.mask_pixels(np.random.default_rng(2), patch, spots=BlindSpotMask(1.0))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(patch, before)


def _far_from_others(mask: np.ndarray, radius: int) -> np.ndarray:
    """Hidden pixels with no other in reach of what fills them."""
    found = np.zeros_like(mask)
    places = np.argwhere(mask)
    for place in places:
        near = np.abs(places - place).max(axis=1)
        found[tuple(place)] = (
            np.sort(near)[1] > 2 * radius
        )  # windows at the border reach twice as far
    return found
