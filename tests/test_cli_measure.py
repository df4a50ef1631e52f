"""`nbtools measure` on the command line, with all that can be asked for."""

import csv
import json

import numpy as np
import pytest

from nbtools import io
from nbtools.image import Image


@pytest.fixture
def folder(tmp_path):
    """Labels and images of one volume: two nuclei, the first with a bright spot; the second too
    thin for its shape to be reliable.
    """
    label, pixels = np.zeros((14, 40, 60), np.uint16), np.full((14, 40, 60), 100, np.uint16)
    label[1:13, 5:35, 5:35], label[6:8, 5:35, 40:55] = 1, 2
    pixels[label > 0] = 300
    pixels[4:9, 15:23, 15:23] = 900
    about = {"axes": "ZYX", "spacing": (0.5, 0.2, 0.2), "name": "field"}
    io.write_label(tmp_path / "labels" / "field.tif", Image(label, **about))
    io.write_image(tmp_path / "images" / "field.tif", Image(pixels, **about))
    return tmp_path


def test_chromocentres_and_texture_are_columns_where_asked_for(run, folder):
    given = ["measure", folder / "labels", "--images", folder / "images", "--json"]
    code, out, err = run(
        *given,
        "--chromocentres",
        "--texture",
        "--spots",
        folder / "spots",
        "--out",
        folder / "nuclei.csv",
    )
    assert code == 0, err
    rows = list(csv.DictReader((folder / "nuclei.csv").read_text().splitlines()))
    assert [int(row["chromocentres"]) for row in rows] == [1, 0]
    volume = 5 * 8 * 8 * 0.5 * 0.2 * 0.2
    assert float(rows[0]["chromocentre_volume_um3"]) == pytest.approx(volume, rel=0.15)
    assert float(rows[0]["rhf_volume"]) == pytest.approx(
        volume / float(rows[0]["volume_um3"]), rel=0.15
    )
    assert float(rows[0]["rhf_intensity"]) > 3 * float(
        rows[0]["rhf_volume"]
    )  # four times as bright, the background of 100 subtracted
    assert {"haralick_contrast_0", "shell_1", "image_border_um", "tilt_deg"} <= rows[0].keys()
    assert io.read_label(folder / "spots" / "field.tif").pixels.max() == 1
    assert [row["reliable"] for row in rows] == ["True", "False"]
    assert {"surface_um2", "sphericity"} <= set(rows[1]["unreliable"].split())
    assert rows[0]["unreliable"] == ""
    assert json.loads(out)["unreliable"] == 1
    assert json.loads(out)["may_be_off"]["surface_um2"] == 1


def test_the_reader_is_told_what_says_little(run, folder):
    out = run("measure", folder / "labels", "--out", folder / "nuclei.csv")[1]
    assert "1 of them have too few pixels" in out
    assert "sphericity of 1" in out


@pytest.mark.parametrize("option", [["--chromocentres"], ["--texture"], ["--spots", "spots"]])
def test_what_is_seen_in_the_image_needs_the_image(run, folder, option):
    code, _, err = run("measure", folder / "labels", *option, "--out", folder / "nuclei.csv")
    assert code == 2
    assert f"Received: {option[0]} without --images" in err
    assert not (folder / "nuclei.csv").exists()


def test_figures_that_evaluate_left_beside_the_labels_are_no_labels(run, tmp_path, nuclei):
    run("predict", "otsu", nuclei, "--out", tmp_path / "found")
    run("evaluate", tmp_path / "found", nuclei, "--save")
    assert (tmp_path / "found" / "scores" / "strata.png").is_file()
    code, out, _ = run("measure", tmp_path / "found", "--out", tmp_path / "n.csv", "--json")
    assert (code, json.loads(out)["images"]) == (0, 3)
