"""The panel for detectors (benchmarks/detection_panel.py): its figures on results made by hand."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nbtools import data
from nbtools.image import Image
from nbtools.results import Boxes, Grid, Labels, Points

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import detection_panel

GRID = Grid("YX", (80, 80))


def make_field() -> data.Sample:
    """Two squares of 20 px with their middles at (19.5, 19.5) and (59.5, 59.5)."""
    label = np.zeros((80, 80), np.int32)
    label[10:30, 10:30], label[50:70, 50:70] = 1, 2
    image = Image((100 * (label > 0)).astype(np.uint8), "YX")
    return data.Sample("a", image, Image(label, "YX"))


def test_points_count_within_pixels_and_within_a_share_of_the_diameter():
    # 6 px off: beyond 5 px, within 0.3 of 22.6 px
    found = Points(np.array([[19.5, 19.5], [59.5, 65.5]]), GRID, np.array([0.9, 0.8]))
    row = detection_panel.score([make_field()], [found])
    assert (row["f1"], row["f1_relative"], row["nuclei"]) == (0.5, 1.0, 2)
    assert row["ap50"] is None


def test_boxes_and_labels_have_boxes():
    field = make_field()
    found = Boxes(np.array([[10.0, 10, 30, 30]]), GRID, np.array([0.9]))
    boxed = detection_panel.score([field], [found])
    assert boxed["recall"] == 0.5
    assert boxed["ap50"] == pytest.approx(0.5, abs=0.01)
    same = detection_panel.score([field], [Labels(field.label, {1: 0.9, 2: 0.7})])
    assert (same["f1"], same["ap50"]) == (1.0, 1.0)


def test_rows_are_kept_and_looks_noted(tmp_path):
    field, looks = make_field(), tmp_path / "looks.csv"
    looks.write_text("date,commit,weights,set,ap50,mean_ap\n2026-01-01,a,w,s,0.5,0.4\n")
    for result in (Labels(field.label), Points(np.zeros((0, 2)), GRID, np.zeros(0))):
        row = {"weights": type(result).__name__, "set": "dsb2018 val"}
        row |= detection_panel.score([field], [result])
        detection_panel.keep(row, tmp_path / "panel.json")
        detection_panel.note_look(row, looks)
    rows = json.loads((tmp_path / "panel.json").read_text("utf-8"))["rows"]
    assert [r["weights"] for r in rows] == ["Labels", "Points"]
    assert "| Points | 0.000" in (tmp_path / "panel.md").read_text("utf-8")
    noted = list(csv.DictReader(looks.open(encoding="utf-8")))
    assert [one["set"] for one in noted] == ["s", "dsb2018 val (boxes)", "dsb2018 val (points)"]
    assert [one["f1_5px"] for one in noted] == ["", "1.000", "0.000"]
