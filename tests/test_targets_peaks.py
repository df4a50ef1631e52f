"""Peaks: where a map is highest, between pixels, each nucleus once."""

import numpy as np
import pytest

from nbtools.targets.peaks import find_peaks, find_regions, grow_peaks, suppress_near


def make_bump(centre: tuple[float, ...], *, shape: tuple[int, ...], width: float) -> np.ndarray:
    places = np.moveaxis(np.indices(shape), 0, -1)
    return np.exp(-((places - np.array(centre)) ** 2).sum(axis=-1) / (2 * width**2))


@pytest.mark.parametrize("centre", [(12.3, 20.8), (7.4, 11.5, 14.2)])
def test_a_peak_is_found_between_pixels(centre):
    heat = make_bump(centre, shape=(30,) * len(centre), width=3.0)
    places, height = find_peaks(heat, threshold=0.2)
    assert len(places) == 1
    # a parabola through three points of a Gaussian of width 3 is off by a fiftieth of a pixel
    np.testing.assert_allclose(places[0], centre, atol=0.02)
    assert height[0] == pytest.approx(heat.max())


def test_two_peaks_two_pixels_apart_are_two_and_the_higher_comes_first():
    places, height = find_peaks(np.array([[0, 0.5, 0.1, 0.9, 0]]), threshold=0.2)
    assert height.tolist() == [0.9, 0.5]
    assert places[:, 1].round().tolist() == [3, 1]


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_plateau_is_one_peak_in_its_middle(ndim):
    heat = np.zeros((9,) * ndim)
    heat[(slice(2, 5),) * ndim] = 1.0
    heat[(7,) * ndim] = 0.5
    places, height = find_peaks(heat, threshold=0.1)
    np.testing.assert_allclose(places, [[3.0] * ndim, [7.0] * ndim])
    assert height.tolist() == [1.0, 0.5]


def test_a_peak_at_the_border_of_an_image_stays_in_it():
    heat = make_bump((0.0, 30.0), shape=(20, 31), width=2.0)
    assert find_peaks(heat, threshold=0.2)[0].tolist() == [[0.0, 30.0]]


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (6, 7)])
def test_a_map_without_anything_has_no_peaks(shape):
    places, height = find_peaks(np.zeros(shape), threshold=0.0)
    assert places.shape == (0, 2)
    assert height.shape == (0,)


def test_suppressing_counts_in_the_unit_of_the_finest_axis():
    places = np.array([[0.0, 0, 0], [2.0, 0, 0], [0.0, 0, 4]])
    assert suppress_near(places, reach=5).tolist() == [True, False, False]
    assert suppress_near(places, reach=5, spacing=(3.0, 1, 1)).tolist() == [True, True, False]


def test_a_point_that_was_removed_removes_no_other():
    line = np.array([[0.0, 0], [0, 3], [0, 6], [0, 9]])
    assert suppress_near(line, reach=4).tolist() == [True, False, True, False]
    each = np.array([0.0, 0.0, 4.0, 0.0])
    assert suppress_near(line, reach=each).tolist() == [True, True, True, False]


def test_a_region_has_its_centre_of_mass():
    heat = np.zeros((5, 7))
    heat[2, 1:5] = 0.6, 0.8, 0.8, 0.6
    places, height = find_regions(heat, threshold=0.5)
    np.testing.assert_allclose(places, [[2.0, 2.5]])
    assert height.tolist() == [0.8]
    assert find_regions(heat, threshold=0.9)[0].shape == (0, 2)


def test_a_peak_grows_to_a_share_of_its_own_height():
    wide = make_bump((15.0, 15.0), shape=(31, 60), width=4.0)
    low = 0.5 * make_bump((15.0, 45.0), shape=(31, 60), width=4.0)
    label = grow_peaks(wide + low, np.array([[15.2, 14.9], [15.0, 45.0]]), share=0.5)
    # a Gaussian of width 4 falls to half at 4.71 px, whatever its height
    assert np.bincount(label.ravel())[1:] == pytest.approx([np.pi * 4.71**2] * 2, rel=0.03)
    assert label[15, 15] == 1
    assert label[15, 45] == 2


def test_without_peaks_nothing_grows():
    assert not grow_peaks(np.ones((4, 5)), np.zeros((0, 2)), share=0.5).any()
