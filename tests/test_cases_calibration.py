"""Pixel sizes that files state twice, wrongly, by halves or in odd units.

A ball of radius 3 µm has a volume of 4/3 π 27 = 113.1 µm³ and a flatness of 1, whatever grid of
voxels it was drawn on (here 0.5 x 0.2 x 0.2 µm, to within 2 %).
"""

import csv
import math
import shutil

import numpy as np
import pytest
import tifffile
from test_cases_files import run

from nbtools import checks, io, measure
from nbtools.data import DataSet, InputOptions
from nbtools.data.calibration import is_dummy, join_spacing
from nbtools.image import Image

VOLUME = 4 / 3 * math.pi * 27
SIZE = (0.5, 0.2, 0.2)
Z, Y, X = np.indices((20, 80, 80))
BALL = ((Z - 10) * 0.5) ** 2 + ((Y - 40) * 0.2) ** 2 + ((X - 40) * 0.2) ** 2 < 9
GREY = (900 * BALL + np.random.default_rng(0).normal(100, 8, BALL.shape)).astype(np.uint16)


def write_fiji(path, pixels, unit, spacing, step, extra=""):
    """As Fiji saves a stack: unit and step in the description, the rest in the tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["ImageJ=1.54f", f"images={len(pixels)}", f"slices={len(pixels)}", f"unit={unit}"]
    text = "\n".join([*lines, *([f"spacing={step}"] if step is not None else []), extra, ""])
    tifffile.imwrite(
        path,
        pixels,
        photometric="minisblack",
        metadata=None,
        resolution=(1 / spacing, 1 / spacing),
        resolutionunit="NONE",
        description=text,
    )


def read_table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measure_both_ways(folder):
    """Rows of the same two files, once given apart and once as a data set; and the warnings."""
    shutil.copytree(folder / "images", folder / "set" / "images")
    shutil.copytree(folder / "labels", folder / "set" / "labels")
    found = []
    for words in (("labels", "--images", folder / "images"), ("set",)):
        table = folder / f"{words[0]}.csv"
        _, document = run("measure", folder / words[0], *words[1:], "--out", table)
        found.append((read_table(table)[0], " ".join(document["warnings"])))
    return found


@pytest.mark.parametrize("unit", ["pixel", "micron", "um", ""])
def test_the_size_of_the_image_wins_over_a_dummy_of_the_labels(tmp_path, unit):
    write_fiji(tmp_path / "images" / "a.tif", GREY, "micron", 0.2, 0.5)
    write_fiji(tmp_path / "labels" / "a.tif", BALL.astype(np.uint16), unit, 1, 1.0)
    for row, warnings in measure_both_ways(tmp_path):
        assert float(row["volume_um3"]) == pytest.approx(VOLUME, rel=0.02)
        assert float(row["flatness"]) == pytest.approx(1, abs=0.03)
        assert warnings == ""


def test_two_sizes_that_disagree_are_told_and_the_image_counts(tmp_path):
    write_fiji(tmp_path / "images" / "a.tif", GREY, "micron", 0.2, 0.5)
    write_fiji(tmp_path / "labels" / "a.tif", BALL.astype(np.uint16), "micron", 0.1, 0.3)
    for row, warnings in measure_both_ways(tmp_path):
        assert float(row["volume_um3"]) == pytest.approx(VOLUME, rel=0.02)
        assert "0.3 x 0.1 x 0.1 µm" in warnings
        assert "0.5 x 0.2 x 0.2 µm" in warnings
        assert "--spacing" in warnings
    requirements = checks.Requirements()
    findings = checks.check(tmp_path / "set", requirements)
    assert "spacing_disagrees" in {f.code for f in findings}
    given = DataSet.open(tmp_path / "set", options=InputOptions(spacing=SIZE))
    assert "spacing_disagrees" not in {f.code for f in checks.check(given, requirements)}


def test_the_size_of_the_labels_counts_where_the_image_has_a_dummy(tmp_path):
    write_fiji(tmp_path / "images" / "a.tif", GREY, "pixel", 1, 1.0)
    write_fiji(tmp_path / "labels" / "a.tif", BALL.astype(np.uint16), "micron", 0.2, 0.5)
    for row, warnings in measure_both_ways(tmp_path):
        assert float(row["volume_um3"]) == pytest.approx(VOLUME, rel=0.02)
        assert "that of the labels is used" in warnings


def test_given_sizes_win_and_their_remedy_is_not_given_again(tmp_path):
    write_fiji(tmp_path / "images" / "a.tif", GREY, "micron", 0.4, None)
    write_fiji(tmp_path / "labels" / "a.tif", BALL.astype(np.uint16), "micron", 0.1, 0.3)
    words = (tmp_path / "labels", "--images", tmp_path / "images")
    _, document = run("measure", *words, "--out", tmp_path / "a.csv")
    assert "do not state their Z step" in " ".join(document["warnings"])
    spacing = ("--spacing", "0.5,0.2,0.2")
    _, document = run("measure", *words, *spacing, "--out", tmp_path / "b.csv")
    assert document["warnings"] == []
    assert float(read_table(tmp_path / "b.csv")[0]["volume_um3"]) == pytest.approx(VOLUME, rel=0.02)
    codes = ("z_step_assumed", "z_step_missing", "spacing_missing", "spacing_default")
    _, document = run("check", tmp_path / "images", "--for", "otsu", *spacing)
    assert not {f["code"] for f in document["findings"]} & set(codes)


def test_measure_tells_of_labels_alone_that_nobody_measured_their_size(tmp_path):
    write_fiji(tmp_path / "labels" / "a.tif", BALL.astype(np.uint16), "micron", 1, 1.0)
    _, document = run("measure", tmp_path / "labels", "--out", tmp_path / "a.csv")
    assert "exactly 1 x 1 x 1 µm" in " ".join(document["warnings"])
    write_fiji(tmp_path / "labels" / "a.tif", BALL.astype(np.uint16), "", 1, None)
    _, document = run("measure", tmp_path / "labels", "--out", tmp_path / "b.csv")
    assert "do not state their pixel size" in " ".join(document["warnings"])


def test_measure_in_python_takes_the_size_of_the_image_too():
    label = Image(BALL.astype(np.uint16), "ZYX", (1, 1, 1), "um")
    image = Image(GREY, "ZYX", SIZE)
    volume = measure.measure(label, image)["volume_um3"]
    assert volume == pytest.approx(VOLUME, rel=0.02)


# --- units of each axis


@pytest.mark.parametrize(
    ("unit", "extra", "spacing", "step"),
    [
        ("micron", "", 0.2, 0.5),
        ("\\u00B5m", "", 0.2, 0.5),
        ("um", "zunit=nm", 0.2, 500),
        ("nm", "zunit=micron", 200, 0.5),
        ("nm", "", 200, 500),
        ("mm", "", 0.0002, 0.0005),
        ("inch", "", 0.2 / 25400, 0.5 / 25400),
        ("cm", "", 0.2e-4, 0.5e-4),
        ("Micrometers", "", 0.2, -0.5),
    ],
)
def test_fijis_units_of_each_axis_count(tmp_path, unit, extra, spacing, step):
    write_fiji(tmp_path / "a.tif", GREY, unit, spacing, step, extra)
    assert io.read_image(tmp_path / "a.tif").spacing_um == pytest.approx(SIZE, rel=1e-3)


@pytest.mark.parametrize("step", ["0", "0.0", None, "nan"])
def test_a_step_of_0_is_none(tmp_path, step):
    """Fiji counts on 1 there; that is said."""
    write_fiji(tmp_path / "a.tif", GREY, "micron", 0.2, step)
    found = io.open_image(tmp_path / "a.tif")
    assert (found.image.spacing, found.guesses) == (pytest.approx((1, 0.2, 0.2)), ("z_step",))


OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels '
    'ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="80" SizeY="80" SizeZ="20" SizeC="1" '
    'SizeT="1" {sizes}><Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/></Pixels></Image>'
    "</OME>"
)


@pytest.mark.parametrize(
    ("sizes", "spacing", "guesses"),
    [
        ({"X": "0.2", "Y": "0.2", "Z": "500", "ZUnit": "nm"}, SIZE, ()),
        ({"X": "0,2", "Y": "0,2", "Z": "0,5"}, SIZE, ()),
        ({"X": "200", "XUnit": "nm", "Y": "0.2", "Z": "0.5"}, SIZE, ()),
        ({"X": "0.2", "Y": "0.2", "Z": "0"}, None, ("z_step_missing",)),
        ({"X": "0.2", "Y": "0.2"}, None, ("z_step_missing",)),
        ({"X": "0.2", "Y": "0.2", "Z": "1", "ZUnit": "pixel"}, None, ("z_step_missing",)),
        ({"X": "unknown", "Y": "unknown"}, None, ()),
    ],
)
def test_ome_units_of_each_axis_count(tmp_path, sizes, spacing, guesses):
    words = " ".join(f'PhysicalSize{key}="{value}"' for key, value in sizes.items())
    tifffile.imwrite(
        tmp_path / "a.ome.tif", GREY, description=OME.format(sizes=words), metadata=None
    )
    found = io.open_image(tmp_path / "a.ome.tif")
    assert found.image.spacing_um == (spacing and pytest.approx(spacing))
    assert found.guesses == guesses


# --- which of two counts


def of(spacing, unit="um"):
    return Image(np.zeros((2, 3, 4), np.uint8), "ZYX", spacing, unit)


@pytest.mark.parametrize(
    ("label", "image", "expected", "told"),
    [
        (of(None), of(SIZE), SIZE, False),
        (of(SIZE), of(None), SIZE, False),
        (of((1, 1, 1), "pixel"), of(SIZE), SIZE, False),
        (of((1, 1, 1)), of(SIZE), SIZE, False),
        (of(SIZE), of((1, 1, 1), "pixel"), SIZE, True),
        (of((0.505, 0.2, 0.2)), of(SIZE), SIZE, False),
        (of((0.6, 0.2, 0.2)), of(SIZE), SIZE, True),
        (of((2.5, 1, 1), "pixel"), of(SIZE), SIZE, False),
        (of((5, 1, 1), "pixel"), of(SIZE), SIZE, True),
        (of(SIZE), of((2.5, 1, 1), "pixel"), SIZE, False),
    ],
)
def test_of_two_sizes_one_counts(label, image, expected, told):
    found, sentence = join_spacing(label, image)
    assert (found.spacing, bool(sentence)) == (expected, told)


def test_a_ratio_is_no_dummy():
    assert not is_dummy(of((2.18, 1, 1), "pixel"))
    assert is_dummy(of((1, 1, 1), "pixel"))
