"""The panel of microscopes (benchmarks/panel.py): its counts on labels made by hand."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nbtools import data
from nbtools.image import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import mixture
import panel


def squares(*sides: int, shift: int = 0) -> Image:
    """Squares of these sides in a row, 1 … N, each in a field of its own of 64 px."""
    label = np.zeros((64, 64 * len(sides)), np.int32)
    for i, side in enumerate(sides):
        label[5 : 5 + side, 64 * i + 5 + shift : 64 * i + 5 + side + shift] = i + 1
    return Image(label, "YX")


def test_nuclei_found_are_counted_by_their_true_size():
    truth = squares(6, 12, 12, 50)
    found = truth.replace(pixels=np.where(truth.pixels == 2, 0, truth.pixels))
    assert panel.count_by_size([(truth, found)]) == {
        "< 10 px": {"found": 1, "nuclei": 1},
        "10–20 px": {"found": 1, "nuclei": 2},
        "> 40 px": {"found": 1, "nuclei": 1},
    }


def test_a_row_pools_nuclei_over_images_and_has_an_interval_over_images():
    one, two = squares(10, 10, 10), squares(10)
    nothing = two.replace(pixels=np.zeros_like(two.pixels))
    row = panel.score([("a", one, one), ("b", two, nothing)])
    assert row["ap50"] == pytest.approx(3 / 4)
    assert row["missed"] == 1
    assert row["interval_95"]["ap50"] == [0.0, 1.0]


def test_images_are_told_apart_by_cell_line_and_plate():
    rows = [
        {"name": f"training__d_{line}__{i}", "n_true": 2, "n_pred": 2, "ap50": ap}
        for i, (line, ap) in enumerate((("RPE1", 1.0), ("RPE1", 0.0), ("U2OS", 1.0)))
    ]
    found = panel.rate_groups(rows, "cell line")
    assert found["U2OS"] == {"images": 1, "ap50": 1.0}
    assert found["RPE1"]["ap50"] == pytest.approx(2 / 6, abs=1e-3)  # 2 of 4 found, 2 extra


def test_no_well_is_on_both_sides_of_the_panel():
    assert mixture.learns("MFGTMPcx7_1_B05f10d0") == mixture.learns("MFGTMPcx7_1_B05f12d0")


def test_about_half_of_the_cells_are_kept_for_the_panel():
    learned = [mixture.learns(f"training__2022-01-01_RPE1__{i}") for i in range(400)]
    assert 0.4 < np.mean(learned) < 0.6


def test_rows_of_other_weights_stay_where_one_is_measured_anew(tmp_path):
    one = squares(10)
    for weights in ("old", "new", "new"):
        row = {"weights": weights, "set": "dsb2018 val", "images": 1}
        panel.keep([row | panel.score([("a", one, one)])], tmp_path / "panel.json")
    rows = json.loads((tmp_path / "panel.json").read_text("utf-8"))["rows"]
    assert [r["weights"] for r in rows] == ["new", "old"]
    assert "| dsb2018 val | 1 | new | 1.000" in (tmp_path / "panel.md").read_text("utf-8")


def test_each_look_at_test_images_is_noted(tmp_path):
    row = {"weights": "w", "set": "dsb2018 test", "ap50": 0.5, "mean_ap": 0.25}
    for _ in range(2):
        panel.note_look([row], tmp_path / "looks.csv")
    noted = list(csv.DictReader((tmp_path / "looks.csv").open(encoding="utf-8")))
    assert [look["ap50"] for look in noted] == ["0.500", "0.500"]
    assert all(look["date"] for look in noted)


def test_a_field_made_of_another_size_has_the_nuclei_of_the_first():
    rng, label = np.random.default_rng(1), squares(20, 24, 28)  # 1.13 times as large
    grey = label.replace(pixels=(50 + 100 * (label.pixels > 0)).astype(np.uint8))
    made = mixture.rescale(data.Sample("a", grey, label), rng=rng)
    zoom = made.image.shape[0] / 64
    sizes = np.sqrt(np.bincount(made.label.pixels.ravel())[1:])
    assert 1.0 < zoom < 1.3
    assert sizes == pytest.approx(zoom * np.array([20, 24, 28]), rel=0.1)


def test_backgrounds_to_learn_from_hold_no_nucleus():
    made = mixture.draw_background(np.random.default_rng(1), "b")
    assert made.label.pixels.max() == 0
    assert made.image.pixels.std() > 0
