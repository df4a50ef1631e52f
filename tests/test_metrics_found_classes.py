"""Scores of detected nuclei by class: means over classes as COCO has them, confusion of points."""

import numpy as np
import pytest

from nbtools import cli, io
from nbtools.image import Image
from nbtools.metrics import found_classes
from nbtools.results import Boxes, Grid, Labels, Points
from nbtools.tasks import DETECTION
from nbtools.tasks.detection import as_points

GRID = Grid("YX", (60, 60), name="a")


def boxes(*corners, classes=(), score=None):
    edges = np.array([[y, x, y + 10, x + 10] for y, x in corners], float).reshape(-1, 4)
    return Boxes(edges, GRID, score, classes)


def test_each_class_counts_alike_however_many_it_has():
    true = boxes((0, 0), (0, 20), (0, 40), (30, 0), classes=("red",) * 3 + ("white",))
    found = boxes((0, 0), (0, 20), (0, 40), classes=("red",) * 3, score=np.ones(3))
    scores = DETECTION.evaluate([("a", true, found)])
    assert scores["per_class"]["red"]["ap50"] == 1
    assert scores["per_class"]["white"]["ap50"] == 0
    assert scores["ap50"] == 0.5  # the mean of 1 and 0
    assert scores["ap50_any_class"] == 0.75  # three of four, all right


def test_a_class_that_is_only_predicted_is_listed_and_not_averaged():
    true, found = boxes((0, 0), classes=("red",)), boxes((0, 0), (30, 30), classes=("red", "blue"))
    scores = DETECTION.evaluate([("a", true, found)])
    assert scores["ap50"] == 1
    assert scores["per_class"]["blue"]["n_found"] == 1


def test_an_image_without_a_result_counts_as_missed_in_each_class():
    true = boxes((0, 0), classes=("red",))
    scores = DETECTION.evaluate([("a", true, true), ("b", true, None)])
    assert scores["per_class"]["red"]["n_true"] == 2
    assert scores["ap50"] == 0.5


def test_without_classes_on_both_sides_there_is_one_ap():
    true, found = boxes((0, 0), classes=("red",)), boxes((0, 0))
    assert "per_class" not in DETECTION.evaluate([("a", true, found)])


def test_points_of_another_class_are_extra_for_one_and_missed_for_the_other():
    places = np.array([[5.0, 5], [20, 20], [40, 40]])
    true = Points(places, GRID, classes=("a", "a", "b"))
    found = Points(places[[0, 2]] + 1, GRID, classes=("a", "a"))
    scores = DETECTION.evaluate([("x", true, found)])
    assert scores["confusion"] == {"a": {"a": 1, "missed": 1}, "b": {"a": 1}}
    assert scores["per_class"]["a"] == pytest.approx(
        {"precision": 0.5, "recall": 0.5, "f1": 0.5, "n_true": 2, "n_found": 2}
    )
    assert scores["f1"] == pytest.approx(0.8)  # 2 x 2 of 3 + 2, whatever the class


def test_points_beyond_the_gate_are_missed_and_extra():
    true = Points(np.array([[5.0, 5]]), GRID, classes=("a",))
    found = Points(np.array([[5.0, 11]]), GRID, classes=("a",))
    assert DETECTION.evaluate([("x", true, found)])["confusion"] == {
        "a": {"missed": 1},
        "extra": {"a": 1},
    }


def test_the_gate_in_micrometres_holds_for_classes_too():
    grid = Grid("YX", (60, 60), (2.0, 0.5), name="a")
    true = Points(np.array([[5.0, 5]]), grid, classes=("a",))
    found = Points(np.array([[6.0, 5]]), grid, classes=("a",))  # 2 µm away
    near = DETECTION.evaluate([("x", true, found)], gate_um=2.5)
    far = DETECTION.evaluate([("x", true, found)], gate_um=1.5)
    assert near["per_class"]["a"]["f1"] == 1
    assert far["per_class"]["a"]["f1"] == 0


def test_centres_of_labels_have_the_classes_of_the_nuclei():
    pixels = np.zeros((9, 9), int)
    pixels[0:3, 0:3], pixels[5:8, 5:8] = 4, 2
    label = Labels(Image(pixels, "YX"), classes={2: "b", 4: "a"})
    points = as_points(label)
    assert points.classes == ("b", "a")
    assert points.coordinates.tolist() == [[6, 6], [1, 1]]


def test_the_middle_of_a_box_is_the_centre_of_its_pixels():
    label = np.zeros((20, 20), int)
    label[2:8, 3:13] = 1
    box = Boxes(np.array([[2.0, 3, 8, 13]]), GRID)
    centre = as_points(Labels(Image(label, "YX"))).coordinates
    np.testing.assert_allclose(as_points(box).coordinates, centre)


def test_classes_of_points_are_read_from_the_tables_of_both_sides(tmp_path, capsys):
    io.write_image(tmp_path / "set/images/a.tif", Image(np.zeros((60, 60), np.uint8), "YX"))
    table = {"y": [5.0, 20.0], "x": [5.0, 20.0], "class": ["a", "b"]}
    io.write_csv(tmp_path / "set/centres/a.csv", table)
    io.write_csv(tmp_path / "found/a.csv", table | {"class": ["a", "a"]})
    run = ["evaluate", str(tmp_path / "found"), str(tmp_path / "set"), "--task", "detection"]
    assert cli.main(run) == 0
    assert "Class b: 1 true, 0 found; F1 0.000" in capsys.readouterr().out


def test_the_gate_in_micrometres_knows_the_pixel_size_of_a_result(tmp_path, capsys):
    image = {"name": "a", "axes": "YX", "spacing": [0.5, 0.5], "unit": "um"}
    io.write_json(tmp_path / "found/result.json", {"method": "blob", "images": [image]})
    io.write_csv(tmp_path / "found/a.csv", {"y": [5.0], "x": [5.0]})
    pixels = Image(np.zeros((60, 60), np.uint8), "YX", (0.5, 0.5))
    io.write_image(tmp_path / "set/images/a.tif", pixels)
    io.write_csv(tmp_path / "set/centres/a.csv", {"y": [8.0], "x": [5.0]})  # 1.5 µm away
    run = ["evaluate", str(tmp_path / "found"), str(tmp_path / "set"), "--task", "detection"]
    assert cli.main([*run, "--gate-um", "1.6"]) == 0
    assert "1 matched, 0 missed" in capsys.readouterr().out


def test_the_curve_tells_f1_at_each_score():
    true = Points(np.array([[5.0, 5], [20, 20]]), GRID)
    found = Points(np.array([[5.0, 5], [40, 40]]), GRID, np.array([0.9, 0.5]))
    curve = DETECTION.evaluate([("x", true, found)])["curve"]
    assert curve["score"] == [0.9, 0.5]
    assert curve["f1"] == pytest.approx([2 / 3, 1 / 2])  # 2 TP / (true + found)


def test_names_are_those_of_both_sides():
    assert found_classes.list_names([(("b",), ("a", "b"))]) == ["a", "b"]
