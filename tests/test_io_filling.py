"""Rings are filled alike at any size, and points beyond all reason are refused."""

import json
import time

import numpy as np
import pytest
from skimage.draw import polygon

from nbtools import io
from nbtools.errors import UserError
from nbtools.io.filling import fill_by_rows, fill_rings
from nbtools.io.outlines import Outline, OutlineFile, paint_outlines


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_filled_as_scikit_image_fills(seed):
    rng = np.random.default_rng(seed)
    ring = rng.uniform(-10, 70, (rng.integers(3, 40), 2))
    mask, known = np.zeros((60, 50), bool), np.zeros((60, 50), bool)
    fill_by_rows(mask, ring)
    known[polygon(*ring.T, known.shape)] = True
    np.testing.assert_array_equal(mask, known)


def test_a_disc_over_all_of_a_large_image_has_its_area():
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    ring = np.stack([2000 + 1900 * np.sin(angle), 2000 + 1900 * np.cos(angle)], axis=1)
    _, mask = fill_rings([ring], (4000, 4000))
    polygon_area = 1000 * 1900**2 * np.sin(2 * np.pi / 2000)  # of a regular polygon
    assert mask.sum() == pytest.approx(polygon_area, rel=1e-5)


def test_many_small_outlines_on_a_large_image_cost_what_they_cover():
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    disc = 8 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    places = 20 + 30 * np.stack(np.divmod(np.arange(2000), 130), axis=1)
    outlines = [Outline(i, [place + disc], name=str(i)) for i, place in enumerate(places)]
    started = time.process_time()
    painted = paint_outlines(OutlineFile(outlines), (6000, 6000))
    assert painted.label.max() == 2000
    assert not painted.notes
    assert time.process_time() - started < 10


@pytest.mark.parametrize("number", ["1e9", "1e308", "NaN", "-Infinity"])
def test_points_beyond_all_reason_are_refused_in_words(tmp_path, number):
    ring = f"[[0, 0], [{number}, 0], [{number}, 9], [0, 0]]"
    geometry = f'{{"type": "Polygon", "coordinates": [{ring}]}}'
    (tmp_path / "a.geojson").write_text(geometry)
    with pytest.raises(UserError) as caught:
        io.read_outlines(tmp_path / "a.geojson", (64, 64))
    assert "\n" not in str(caught.value)


def test_an_outline_that_only_leaves_the_image_is_drawn(tmp_path):
    ring = [[-500, -500], [5, -500], [5, 5], [-500, 5], [-500, -500]]
    document = {"type": "Polygon", "coordinates": [ring]}
    (tmp_path / "a.geojson").write_text(json.dumps(document))
    label = io.read_outlines(tmp_path / "a.geojson", (64, 64)).label
    assert (label > 0).sum() == 25
