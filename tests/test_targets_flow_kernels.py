"""The compiled loops of flows against the same in NumPy and SciPy, in 1D to 3D."""

import numpy as np
import pytest
from scipy import ndimage

from nbtools.targets import flow_kernels


@pytest.mark.parametrize("shape", [(50,), (17, 23), (1, 23), (6, 9, 11)])
def test_points_go_where_the_flows_between_pixels_lead(rng, shape):
    flow = (
        ndimage.gaussian_filter(
            rng.normal(size=(*shape, len(shape))), (2,) * len(shape) + (0,)
        ).astype(np.float32)
        * 3
    )
    ends = np.argwhere(np.ones(shape)).astype(np.float32)
    expected, last = ends.T.copy(), np.array(shape, np.float32)[:, None] - 1
    for _ in range(15):
        step = [
            ndimage.map_coordinates(flow[..., axis], expected, order=1, mode="nearest")
            for axis in range(len(shape))
        ]
        expected = np.clip(expected + np.stack(step), 0, last)
    flow_kernels.integrate_flows(
        flow.reshape(-1, len(shape)), np.array(shape), ends=ends, steps=15, block=20, still=0.0
    )
    np.testing.assert_allclose(ends, expected.T, atol=1e-3)


def test_a_point_that_gets_on_no_more_is_left_where_it_is():
    flow = np.full((30, 1), 0.04, np.float32)
    ends = np.array([[3.0]], np.float32)
    flow_kernels.integrate_flows(flow, np.array([30]), ends=ends, steps=200, block=20, still=1.0)
    np.testing.assert_allclose(ends, 3.8, atol=1e-4)


def test_heat_spreads_within_its_part_and_is_lost_at_the_border():
    """Two rows of 3 and of 2 points, on which heat is a product with a matrix."""
    starts, centres, steps = np.array([0, 3, 5]), np.array([1, 4]), np.array([4, 2])
    before, after = np.array([0, 0, 1, 3, 3]), np.array([1, 2, 2, 4, 4])
    found = flow_kernels.diffuse(
        starts,
        np.stack([before, after], axis=-1)[:, None],
        centres=centres,
        rates=np.array([0.25]),
        steps=steps,
    )
    for part, turns in zip((slice(0, 3), slice(3, 5)), steps, strict=True):
        count = part.stop - part.start
        share = 0.5 * np.eye(count) + 0.25 * (np.eye(count, k=1) + np.eye(count, k=-1))
        heat = np.zeros(count)
        for _ in range(turns):
            heat[1] += 1
            heat = share @ heat
        np.testing.assert_allclose(found[part], heat)
