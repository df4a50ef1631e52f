"""Twin of show.noise: noise that neighbours share stands out of the band, noise that they do not
stays inside.
"""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from nbtools import show
from nbtools.image import Image
from nbtools.metrics.noise import CORRELATED


def test_stripes_along_x_are_seen_along_x_alone(rng):
    white = rng.normal(100, 5, (160, 160))
    striped = uniform_filter1d(rng.normal(100, 5, (160, 160)), 5, axis=1)
    figure = show.correlations({"white": white, "striped": Image(striped, "YX")})
    along_y, along_x = figure.axes
    assert (along_y.get_title(loc="left"), along_x.get_title(loc="left")) == ("along Y", "along X")
    curves = {line.get_label(): line.get_ydata() for line in along_x.lines}
    assert np.abs(curves["white"][1:]).max() < CORRELATED
    assert curves["striped"][1] == pytest.approx(0.8, abs=0.1)  # four of five values are shared
    across = {line.get_label(): line.get_ydata() for line in along_y.lines}
    assert np.abs(across["striped"][1:4]).max() < 0.3


def test_a_volume_has_a_panel_for_each_axis(rng):
    figure = show.correlations(Image(rng.normal(size=(8, 40, 40)), "ZYX"))
    assert len(figure.axes) == 3
