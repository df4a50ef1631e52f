"""`nbtools expect` says how good results without truth probably are."""

import csv
import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from nbtools import io
from nbtools.image import Image


def draw_fields(folder, rng, *, noises, label=True):
    """Discs in more and more noise: what a threshold finds in them gets worse and worse."""
    y, x = np.indices((120, 120))
    for number, noise in enumerate(noises):
        label_pixels = np.zeros((120, 120), np.uint16)
        for nucleus in range(12):
            top, left = 20 + 28 * (nucleus // 4), 18 + 28 * (nucleus % 4)
            label_pixels[np.hypot(y - top, x - left) < rng.uniform(6, 10)] = nucleus + 1
        grey = 400 + 900.0 * (label_pixels > 0) + rng.normal(0, noise, label_pixels.shape)
        image = Image(grey.clip(0, 65535).astype(np.uint16), "YX", name=f"field{number}")
        io.write_image(folder / "images" / f"field{number}.tif", image)
        if label:
            io.write_label(folder / "labels" / f"field{number}.tif", Image(label_pixels, "YX"))
    return folder


@pytest.fixture
def model(run, tmp_path, rng):
    """A forest trained on one easy field."""
    easy = draw_fields(tmp_path / "easy", rng, noises=[60])
    assert run("train", "forest", easy, "--out", tmp_path / "model", "--set", "trees=8")[0] == 0
    return tmp_path / "model"


def test_calibrated_by_labelled_images_it_expects_scores_of_others(run, model, tmp_path, rng):
    noises = np.linspace(50, 900, 10)
    labelled = draw_fields(tmp_path / "labelled", rng, noises=noises)
    code, out, err = run("expect", model, labelled, "--calibrate", "--json")
    assert code == 0, err
    told = json.loads(out)["calibration"]
    assert told["images"] == 10
    assert told["rank_correlation"] > 0.6
    others = draw_fields(tmp_path / "others", rng, noises=noises[::-1], label=False)
    table = tmp_path / "expected.csv"
    code, out, err = run("expect", model, others, "--out", table, "--json")
    assert code == 0, err
    told = json.loads(out)
    expected = {row["image"]: row["expected_mean_ap"] for row in told["images"]}
    assert all(row["low"] <= row["expected_mean_ap"] <= row["high"] for row in told["images"])
    by_noise = [expected[f"field{number}"] for number in range(10)]
    assert spearmanr(by_noise, noises).statistic > 0.6  # the last field has least noise
    agreements = [row["agreement"] for row in told["images"]]
    assert agreements == sorted(agreements)
    gains = [row["gain"] for row in told["nuclei"]]
    assert gains == sorted(gains, reverse=True)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [float(row["expected_mean_ap"]) for row in rows] == sorted(expected.values())


def test_a_line_of_other_weights_is_not_believed(run, model, tmp_path, rng):
    labelled = draw_fields(tmp_path / "labelled", rng, noises=np.linspace(50, 900, 8))
    assert run("expect", model, labelled, "--calibrate")[0] == 0
    about = json.loads((model / "expected_quality.json").read_text())
    assert about["weights"]
    about["weights"] = dict.fromkeys(about["weights"], "0" * 64)
    (model / "expected_quality.json").write_text(json.dumps(about))
    code, out, _ = run("expect", model, labelled, "--json")
    assert code == 0
    assert json.loads(out)["calibration"] is None
    about["margin"] = "wide"
    (model / "expected_quality.json").write_text(json.dumps(about))
    code, _, err = run("expect", model, labelled)
    assert code == 2
    assert "margin" in err


def test_without_a_line_images_are_put_in_an_order(run, tmp_path, rng):
    fields = draw_fields(tmp_path / "fields", rng, noises=[900, 50], label=False)
    code, out, _ = run("expect", "otsu", fields)
    assert code == 0
    assert "not calibrated" in out
    told = json.loads(run("expect", "otsu", fields, "--json")[1])
    assert [row["image"] for row in told["images"]] == ["field0", "field1"]
    assert {row["expected_mean_ap"] for row in told["images"]} == {None}


@pytest.mark.parametrize("source", ["otsu", "nuclei2d"])
def test_what_has_no_folder_of_the_user_is_not_calibrated(run, source, tmp_path, rng):
    fields = draw_fields(tmp_path / "fields", rng, noises=[50])
    code, _, err = run("expect", source, fields, "--calibrate")
    assert code == 2
    assert "trained here" in err


def test_a_data_set_without_labels_cannot_calibrate(run, model, tmp_path, rng):
    fields = draw_fields(tmp_path / "fields", rng, noises=[50], label=False)
    code, _, err = run("expect", model, fields, "--calibrate")
    assert code == 2
    assert "labelled images" in err
