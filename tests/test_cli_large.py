"""Large images on the command line: OME-Zarr in and out, levels, and results beside their image."""

import json

import numpy as np
import pytest
from drawn_cells import draw_cells

from nbtools import io
from nbtools.cli import main
from nbtools.image import Image
from nbtools.tasks import reading


@pytest.fixture
def field(tmp_path):
    """An OME-Zarr image with a pyramid."""
    grey, _ = draw_cells((1100, 400))
    io.write_image(tmp_path / "field.ome.zarr", Image(grey, "YX", spacing=(0.5, 0.5)))
    return tmp_path / "field.ome.zarr"


def run(*words):
    assert main([*map(str, words), "--quiet"]) == 0


def test_labels_in_zarr_are_those_in_tiff_and_are_measured_and_scored(
    field, tmp_path, monkeypatch, capsys
):
    run("predict", "otsu", field, "--out", tmp_path / "tiff")
    run("predict", "otsu", field, "--out", tmp_path / "zarr", "--zarr")
    whole = io.read_label(tmp_path / "tiff" / "field.tif")
    path = tmp_path / "zarr" / "field.ome.zarr"
    assert np.array_equal(io.read_label(path).pixels, whole.pixels)
    coarse = io.open_image(path, level=1).image
    assert np.array_equal(coarse.pixels, whole.pixels[::2, ::2])
    monkeypatch.setattr(reading, "is_large", lambda image: True)  # labels stay in their files
    for kind in ("tiff", "zarr"):
        table = tmp_path / f"{kind}.csv"
        run("measure", tmp_path / kind, "--images", field, "--out", table)
    assert (tmp_path / "tiff.csv").read_text() == (tmp_path / "zarr.csv").read_text()
    capsys.readouterr()
    run("evaluate", tmp_path / "tiff", tmp_path / "zarr", "--json")
    assert json.loads(capsys.readouterr().out)["mean_ap"] == 1.0
    run("predict", "otsu", field, "--out", tmp_path / "zarr", "--zarr", "--resume")


def test_labels_go_beside_the_image_that_they_were_found_in(field, tmp_path):
    run("predict", "otsu", field, "--out", tmp_path / "result")
    place = field / "labels" / "nuclei"
    run("export", tmp_path / "result", "--format", "ome-zarr", "--out", place)
    assert io.list_labels(field) == [place]
    whole = io.read_label(tmp_path / "result" / "field.tif")
    assert np.array_equal(io.read_label(place).pixels, whole.pixels)


def test_a_coarser_level_is_predicted_with_its_pixel_size(field, tmp_path):
    run("predict", "otsu", field, "--out", tmp_path / "result", "--level", 1)
    label = io.read_label(tmp_path / "result" / "field.tif")
    assert label.shape == (550, 200)
    assert label.spacing == (1.0, 1.0)
    run("measure", tmp_path / "result", "--images", field, "--out", tmp_path / "nuclei.csv")
    assert len(io.read_csv(tmp_path / "nuclei.csv")) == label.pixels.max()
