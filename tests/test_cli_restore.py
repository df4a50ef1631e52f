"""Restored images on the command line: their grey values, their type, the picture for a first look,
and a report that fits them.
"""

import json

import numpy as np
import pytest

from nbtools import cli, io
from nbtools.image import Image


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A folder with one noisy plane, uint16, of known pixel size."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("noisy")
    clean = np.full((60, 72), 20.0)
    clean[20:45, 25:50] = 400
    pixels = (rng.poisson(clean) + rng.normal(0, 3, clean.shape)).clip(0).round().astype(np.uint16)
    io.write_image(folder / "field.tif", Image(pixels, "YX", spacing=(0.2, 0.2)))
    return folder


@pytest.mark.parametrize(("wished", "dtype"), [("float32", np.float32), ("input", np.uint16)])
def test_restored_images_are_float_or_of_the_type_of_the_input(noisy, tmp_path, wished, dtype):
    out = tmp_path / "result"
    assert (
        cli.main(["predict", "nlm", str(noisy), "--out", str(out), "--dtype", wished, "--quiet"])
        == 0
    )
    before, after = io.read_image(noisy / "field.tif"), io.read_image(out / "field.tif")
    assert after.pixels.dtype == dtype
    assert (after.axes, after.shape, after.spacing) == (before.axes, before.shape, before.spacing)
    assert (
        abs(float(after.pixels.mean()) - float(before.pixels.mean())) < 5
    )  # grey values of the input
    assert after.pixels[:15].std() < before.pixels[:15].std() / 2
    assert json.loads((out / "result.json").read_text("utf-8"))["dtype"] == wished


def test_before_and_after_stand_in_the_overlay_and_in_the_report(noisy, tmp_path):
    out = tmp_path / "result"
    cli.main(["predict", "nlm", str(noisy), "--out", str(out), "--quiet"])
    both = io.read_image(out / "overlays" / "field.png")
    assert both.size("X") > 2 * 72
    assert both.size("Y") == 60
    assert cli.main(["report", str(out), "--quiet"]) == 0
    html = (out / "report.html").read_text("utf-8")
    assert "1 image was restored with" in html
    assert html.count("data:image/png") == 1
