"""Hills of a map of heights."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import reconstruction

from nbtools.targets import persistence


@pytest.fixture
def ridge():
    """Two tops, 1.0 and 0.6, and a pass of 0.4 between them."""
    return np.array([[0.1, 0.5, 1.0, 0.7, 0.4, 0.5, 0.6, 0.2]])


@pytest.mark.parametrize(("split", "count"), [(0.19, 2), (0.21, 1)])
def test_hills_are_parted_where_the_valley_is_deep_enough(ridge, split, count):
    label = persistence.persistence_watershed(
        ridge, np.ones(ridge.shape, bool), min_persistence=split
    )
    assert label.max() == count
    assert (label > 0).all()


def test_the_pass_belongs_to_one_of_the_two_hills(ridge):
    label = persistence.persistence_watershed(
        ridge, np.ones(ridge.shape, bool), min_persistence=0.1
    )
    np.testing.assert_array_equal(label[0, [0, 1, 2, 3, 5, 6, 7]], [1, 1, 1, 1, 2, 2, 2])


def test_a_low_hill_is_not_lost_and_high_ones_that_touch_high_up_are_parted():
    """No single level has a region for each of the three."""
    heights = np.array([[0.0, 0.3, 0.0, 0.0, 0.9, 0.7, 0.95, 0.2]])
    assert not any(ndimage.label(heights > level)[1] == 3 for level in np.linspace(0, 1, 101))
    assert persistence.persistence_watershed(heights, heights > 0, min_persistence=0.15).max() == 3


@pytest.mark.parametrize("shape", [(90, 110), (16, 40, 50)])
@pytest.mark.parametrize("split", [0.05, 0.2])
def test_there_are_as_many_hills_as_maxima_of_that_height_by_reconstruction(rng, shape, split):
    """Vincent 1993, doi:10.1109/83.217222: regional maxima of the reconstruction of h - split under
    h.
    """
    heights = ndimage.gaussian_filter(rng.standard_normal(shape), 3)
    heights /= np.ptp(heights)
    faces = ndimage.generate_binary_structure(len(shape), 1)
    flooded = reconstruction(heights - split, heights, footprint=faces)
    flat = np.round(flooded, 9)
    plateaus = flat == ndimage.grey_dilation(flat, footprint=faces)
    regions, n = ndimage.label(plateaus, faces)
    around = [
        ndimage.binary_dilation(regions == i, faces) & (regions != i) for i in range(1, n + 1)
    ]
    maxima = sum((flat[rim] < flat[regions == i][0]).all() for i, rim in enumerate(around, start=1))
    assert (
        persistence.persistence_watershed(
            heights, np.ones(shape, bool), min_persistence=split
        ).max()
        == maxima
        > 1
    )


def test_each_region_of_the_mask_has_a_hill_however_flat(rng):
    heights, mask = np.zeros((20, 20)), np.zeros((20, 20), bool)
    mask[2:6, 2:6] = mask[10:18, 3:9] = mask[12, 15] = True
    label = persistence.persistence_watershed(heights, mask, min_persistence=0.2)
    np.testing.assert_array_equal(label > 0, mask)
    np.testing.assert_array_equal(np.unique(label[mask]), [1, 2, 3])


def test_hills_are_the_same_in_an_image_that_is_turned(rng):
    heights = ndimage.gaussian_filter(rng.standard_normal((60, 60)), 2)
    mask = heights > 0
    there = persistence.persistence_watershed(heights, mask, min_persistence=0.02)
    turned = np.rot90(
        persistence.persistence_watershed(np.rot90(heights), np.rot90(mask), min_persistence=0.02),
        -1,
    )
    assert there.max() == turned.max() == len(np.unique(there[mask] * 1000 + turned[mask]))


def test_names_have_no_gaps(rng):
    heights = ndimage.gaussian_filter(rng.standard_normal((60, 60)), 2)
    label = persistence.persistence_watershed(heights, heights > 0, min_persistence=0.05)
    np.testing.assert_array_equal(np.unique(label), np.arange(label.max() + 1))


@pytest.mark.parametrize("mask", [np.zeros((4, 5), bool), np.zeros((0, 3), bool)])
def test_where_nothing_is_masked_there_is_no_hill(mask):
    assert not persistence.persistence_watershed(
        np.zeros(mask.shape), mask, min_persistence=0.1
    ).any()
