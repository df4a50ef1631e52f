"""Points and boxes that are listed twice, have no class, or lie on nothing. Drawn by hand."""

import numpy as np
import pytest

from nbtools import checks, io
from nbtools.checks.marks import measure_contrast
from nbtools.data import DataSet
from nbtools.image import Image

SHAPE = (100, 100)
NUCLEI = [(y, x) for y in (20, 50, 80) for x in (20, 50, 80)]
EMPTY = [(35, 35), (35, 65), (65, 35), (65, 65), (5, 95)]


@pytest.fixture
def field(tmp_path):
    """Nine bright discs on a noisy background."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices(SHAPE)
    pixels = rng.poisson(20, SHAPE).astype(float)
    for y, x in NUCLEI:
        pixels[(rows - y) ** 2 + (columns - x) ** 2 < 40] += 200
    io.write_image(tmp_path / "images" / "a.tif", Image(pixels.astype(np.uint8), "YX"))
    return tmp_path


def write_centres(folder, places):
    ys, xs = zip(*places, strict=True)
    io.write_csv(folder / "centres" / "a.csv", {"y": ys, "x": xs})


def codes(folder):
    return {finding.code for finding in checks.check(DataSet.open(folder))}


def test_points_on_nuclei_are_not_doubted(field):
    write_centres(field, NUCLEI)
    assert not {"centre_on_nothing", "centre_twice"} & codes(field)


def test_points_on_nothing_are_counted(field):
    write_centres(field, NUCLEI + EMPTY)
    found = [f for f in checks.check(DataSet.open(field)) if f.code == "centre_on_nothing"]
    assert found[0].message.startswith("5 of 14 centres")


def test_in_dense_tissue_no_point_is_doubted():
    rng = np.random.default_rng(1)
    pixels = rng.poisson(100, SHAPE)  # what most pixels show is the nuclei themselves
    assert np.median(measure_contrast(pixels, np.array(NUCLEI, float))) < 20


def test_a_point_that_is_listed_twice_is_told_and_repaired(field, tmp_path):
    write_centres(field, [*NUCLEI, NUCLEI[0]])
    assert "centre_twice" in codes(field)
    dataset = DataSet.open(field)
    checks.fix(dataset, checks.check(dataset), folder=tmp_path / "copy")
    repaired = DataSet.open(tmp_path / "copy")[0].centres
    np.testing.assert_array_equal(repaired, np.array(NUCLEI, float))


def test_boxes_without_a_class_beside_others_are_told(field):
    table = {"y0": [10, 40], "x0": [10, 40], "y1": [30, 60], "x1": [30, 60]}
    io.write_csv(field / "boxes" / "a.csv", table | {"class": ["red", ""]})
    assert "box_without_class" in codes(field)
    io.write_csv(field / "boxes" / "a.csv", table)
    assert "box_without_class" not in codes(field)
