"""Results on the grid of the image."""

import numpy as np
import pytest

from nbtools.image import Image
from nbtools.inference.placing import place_results
from nbtools.results import Grid, Points


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_points_come_back_from_the_grid_of_their_maps(factor):
    """The middle of the image stays its middle, the corner of its first pixel a corner."""
    image = Image(np.zeros((40, 60), np.uint8), "YX")
    grid = Grid("YX", (round(40 * factor), round(60 * factor)))
    middle = [n / 2 - 0.5 for n in grid.shape]
    found = Points(np.array([middle, [-0.5, -0.5]]), grid, np.array([0.9, 0.8]))
    placed = place_results([found], image)
    np.testing.assert_allclose(placed.coordinates, [[19.5, 29.5], [-0.5, -0.5]])
    assert placed.grid.shape == (40, 60)


def test_time_points_may_have_grids_of_their_own():
    movie = Image(np.zeros((2, 40, 60), np.uint8), "TYX")
    frames = [
        Points(np.array([[9.5, 9.5]]), Grid("YX", shape), np.ones(1))
        for shape in ((40, 60), (80, 120))
    ]
    placed = place_results(frames, movie)
    np.testing.assert_allclose(placed.coordinates, [[9.5, 9.5], [4.5, 4.5]])
    assert placed.frame.tolist() == [0, 1]
