import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import find_boundaries

from nbtools import geometry


def draw_ball(shape, centre, radius, spacing):
    steps = np.indices(shape).T * spacing - np.array(centre) * spacing
    return (np.sum(steps**2, axis=-1) <= radius**2).T


@pytest.mark.parametrize("centre", [(20.0, 31.5), (9.0, 12.5, 17.0)])
def test_centroids_are_those_of_the_shapes_drawn(centre):
    shape = tuple(int(2 * c) + 4 for c in centre)
    label = draw_ball(shape, centre, 7.3, 1.0) * 4
    label[(0,) * label.ndim] = 2
    assert geometry.centroids(label) == pytest.approx(np.array([np.zeros(len(centre)), centre]))


def test_centroids_are_those_of_scipy(rng):
    label = rng.integers(-1, 9, (7, 8, 9)) * 1_000
    names = np.unique(label[label > 0])
    expected = ndimage.center_of_mass(label > 0, label, names)
    assert np.array_equal(geometry.centroids(label), expected)


def test_an_image_without_nuclei_has_no_centroids_and_no_diameters():
    empty = np.zeros((5, 6, 7), int)
    assert geometry.centroids(empty).shape == (0, 3)
    assert geometry.equivalent_diameters(empty).shape == (0,)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_disc_or_ball_has_the_diameter_that_it_was_drawn_with(ndim):
    label = draw_ball((91,) * ndim, (45.0,) * ndim, 40.0, 1.0).astype(int)
    assert geometry.equivalent_diameters(label) == pytest.approx([80.0], rel=1e-3)
    assert label.sum() == pytest.approx(geometry.ball_pixels(80.0, (1.0,) * ndim), rel=3e-3)


def test_diameters_stand_in_the_order_of_the_numbers():
    label = np.zeros((9, 9), int)
    label[0, :9], label[2:4, :2], label[8, 8] = 70, 5, 3
    expected = 2 * np.sqrt(np.array([1, 4, 9]) / np.pi)
    assert geometry.equivalent_diameters(label) == pytest.approx(expected)


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.2, 0.3), (2.0, 0.5, 0.5)])
def test_size_and_diameter_are_inverse(spacing):
    size = geometry.ball_pixels(12.0, spacing) * np.prod(spacing)
    assert geometry.equivalent_diameter(size, len(spacing)) == pytest.approx(12.0)
    assert size == pytest.approx(geometry.UNIT_BALL[len(spacing)] * 6.0 ** len(spacing))


@pytest.mark.parametrize(
    ("n", "keep", "expected"),
    [(10, 4, (3, 7)), (9, 4, (2, 6)), (10, 3, (3, 6)), (4, 10, (0, 4)), (5, 5, (0, 5))],
)
def test_the_central_crop_leaves_as_much_on_either_side(n, keep, expected):
    row = np.arange(n)
    assert geometry.crop_centre(row, (keep,)).tolist() == list(range(*expected))


def test_the_central_crop_is_a_view_and_leaves_further_axes_whole():
    pixels = np.zeros((20, 30, 3))
    crop = geometry.crop_centre(pixels, (8, 40))
    crop[:] = 1
    assert crop.shape == (8, 30, 3)
    assert pixels.sum() == crop.size


def test_face_neighbours_count_the_faces_of_the_grid():
    grid = np.zeros((3, 4, 5))
    pairs = list(geometry.face_neighbours(3))
    assert [grid[near].size for near, _ in pairs] == [2 * 4 * 5, 3 * 3 * 5, 3 * 4 * 4]
    assert all(grid[near].shape == grid[far].shape for near, far in pairs)


@pytest.mark.parametrize("shape", [(40, 50), (9, 20, 21)])
def test_the_inner_border_is_that_of_scikit_image(rng, shape):
    label = ndimage.label(ndimage.gaussian_filter(rng.random(shape), 1.5) > 0.5)[0]
    label[:, 10:] *= 3
    assert np.array_equal(geometry.inner_border(label), find_boundaries(label, mode="inner"))


def test_the_inner_border_of_a_square_is_its_outermost_pixels():
    label = np.pad(np.ones((6, 6), int), 2)
    assert geometry.inner_border(label).sum() == 20
    assert not geometry.inner_border(np.ones((6, 6), int)).any()
