"""Twin of show.fields: a star says how much of a nucleus it holds, arrows go where flows go, paths
end where pixels meet.
"""

import re

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.quiver import Quiver

from nbtools import show
from nbtools.image import Image
from nbtools.targets import flows


@pytest.fixture
def two() -> tuple[Image, np.ndarray]:
    """Two squares that touch, and their flows."""
    label = np.zeros((48, 64), np.int32)
    label[8:40, 4:32], label[8:40, 32:60] = 1, 2
    return Image(label * 100, "YX", name="two"), flows.encode(label)


def test_more_rays_hold_more_of_a_disc_and_none_hold_a_bent_nucleus():
    grid = np.mgrid[-30:31, -30:31]
    radius = np.hypot(*grid)
    shares = [
        float(v)
        for v in re.findall(
            r"IoU (\d\.\d+)", show.stars((radius < 25).astype(int), rays=(8, 32)).alt
        )
    ]
    assert shares[0] == pytest.approx(
        8 / 2 * np.sin(2 * np.pi / 8) / np.pi, abs=0.05
    )  # a regular octagon in its circle
    assert shares[1] > 0.95
    bent = ((radius > 12) & (radius < 24) & (grid[0] < 8)).astype(int)
    shares = [float(v) for v in re.findall(r"IoU (\d\.\d+)", show.stars(bent).alt)]
    assert max(shares) < 0.7


def test_arrows_point_where_the_flows_go(two):
    image, maps = two
    (arrows,) = [
        c for c in show.flows(image, maps, every=4).axes[0].collections if isinstance(c, Quiver)
    ]
    there = np.floor(arrows.XY).astype(int)
    assert (maps[there[:, 1], there[:, 0], 0] == 1).all()
    expected = maps[there[:, 1], there[:, 0], :0:-1]
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=-1), expected * 3.6, atol=1e-5)


def test_opposite_flows_have_opposite_colours(two):
    image, maps = two
    colours = show.flows(image, maps).axes[1].images[0].get_array()
    assert colours[0, 0].max() == 0  # no flow, no light
    left, right = colours[24, 31], colours[24, 32]  # either side of the contact
    assert np.abs(left - right).max() > 0.5


def test_a_volume_is_shown_in_its_middle_plane(rng):
    label = np.zeros((6, 20, 24), np.int32)
    label[1:5, 4:16, 4:20] = 1
    figure = show.flows(Image(label, "ZYX"), flows.encode(label))
    assert figure.axes[1].images[0].get_array().shape == (20, 24, 3)


def test_every_path_ends_inside_its_nucleus(two):
    image, maps = two
    figure = show.paths(image, maps, every=4)
    (lines,) = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    ways = np.stack([path.vertices for path in lines.get_paths()])
    assert ((ways[:, 0, 0] < 32) == (ways[:, -1, 0] < 32)).all()
    assert np.ptp(ways[ways[:, 0, 0] < 32, -1], axis=0).max() < 2
    assert "to 2 nuclei" in figure.alt
