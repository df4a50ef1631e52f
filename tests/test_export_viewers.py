"""Labels for Cellpose and napari, and tables for OMERO."""

import csv

import numpy as np
import pytest
import tifffile

from nbtools import io
from nbtools.cli import main
from nbtools.data import DataSet
from nbtools.image import Image


@pytest.fixture
def result(tmp_path):
    """An image, and its labels in a result with a table."""
    pixels = np.zeros((30, 40), np.uint16)
    pixels[3:9, 4:12], pixels[15:20, 20:33] = 1, 2
    (tmp_path / "raw").mkdir()
    io.write_image(tmp_path / "raw" / "field.tif", Image(pixels * 100, "YX", spacing=(0.5, 0.5)))
    words = ["predict", "otsu", str(tmp_path / "raw"), "--out", str(tmp_path / "result")]
    assert main([*words, "--quiet"]) == 0
    return tmp_path / "result"


def export(result, out, format):
    return main(["export", str(result), "--format", format, "--out", str(out)])


def test_cellpose_finds_masks_beside_their_image_by_name(result, tmp_path, capsys):
    assert export(result / "field.tif", tmp_path / "raw" / "field", "cellpose") == 0
    masks = tifffile.imread(tmp_path / "raw" / "field_cp_masks.tif")
    assert np.array_equal(masks, io.read_label(result / "field.tif").pixels)
    assert "Load masks" in capsys.readouterr().out
    dataset = DataSet.open(tmp_path / "raw")  # as the folders of Cellpose are read
    assert np.array_equal(dataset[0].label.pixels, masks)


def test_napari_takes_the_file_for_labels(result, tmp_path, capsys):
    assert export(result / "field.tif", tmp_path / "field", "napari") == 0
    found = tifffile.imread(tmp_path / "field_labels.tif")
    assert found.dtype == np.uint32  # napari.layers: whole numbers of 32 or 64 bit are labels
    assert np.array_equal(found, io.read_label(result / "field.tif").pixels)
    assert "napari IMAGE" in capsys.readouterr().out


def test_a_table_for_omero_tells_types_and_names_files(result, tmp_path):
    words = ["measure", str(result), "--out", str(result / "nuclei.csv"), "--quiet"]
    assert main([*words, "--images", str(tmp_path / "raw")]) == 0
    assert export(result, tmp_path / "table", "omero") == 0
    with (tmp_path / "table.csv").open(newline="") as file:
        head, names, *rows = csv.reader(file)
    assert head[0].startswith("# header ")
    kinds = [head[0].removeprefix("# header "), *head[1:]]
    assert len(kinds) == len(names)
    known = dict(zip(names, kinds, strict=True))
    assert known["Image Name"] == "s"
    assert known["label"] == "l"
    assert {row[names.index("Image Name")] for row in rows} == {"field.tif"}
    for row in rows:
        for kind, cell in zip(kinds, row, strict=True):
            assert kind == "s" or cell == "" or float(cell) is not None
