"""Detection: centres of labels as points, and the table of several methods."""

import json

import numpy as np
import pytest
from small import make_sample

from nbtools import data, io, methods, show
from nbtools.image import Image
from nbtools.results import Boxes, Grid, Labels, Points
from nbtools.tasks import detection


def test_a_label_becomes_its_centre_of_gravity_with_its_score_and_class():
    label = np.zeros((20, 20), np.int32)
    label[2:5, 2:7], label[10:12, 10:12] = 3, 8
    found = Labels(Image(label, "YX"), {3: 0.9, 8: 0.4}, {3: "round", 8: "flat"})
    points = detection.convert(found)
    assert points.coordinates.tolist() == [[3.0, 4.0], [10.5, 10.5]]
    assert points.score.tolist() == [0.9, 0.4]
    assert points.classes == ("round", "flat")


def test_the_points_of_a_movie_know_their_time():
    label = np.zeros((2, 9, 9), np.int32)
    label[0, 1, 1] = label[1, 4, 4] = 1
    label[1, 7, 7] = 2
    points = detection.convert(Labels(Image(label, "TYX"), {(0, 1): 0.5, (1, 1): 0.6, (1, 2): 1.0}))
    assert points.frame.tolist() == [0, 1, 1]
    assert points.coordinates.tolist() == [[1, 1], [4, 4], [7, 7]]
    assert points.score.tolist() == [0.5, 0.6, 1.0]


def test_points_and_boxes_stay_as_they_are():
    points = Points(np.zeros((1, 2)), Grid("YX", (5, 5)))
    boxes = Boxes(np.array([[0.0, 0, 2, 2]]), Grid("YX", (5, 5)))
    assert detection.convert(points) is points
    assert detection.convert(boxes) is boxes


def test_a_segmentation_predicts_points_from_the_command_line(run, tmp_path):
    sample = make_sample(4, 2)
    data.write_dataset(data.DataSet.of([sample]), tmp_path / "set")
    words = ("otsu", tmp_path / "set", "--out", tmp_path / "found", "--task", "detection")
    code, out, err = run("predict", *words, "--json")
    assert code == 0, err
    assert json.loads(out)["task"] == "detection"
    rows = io.read_csv(tmp_path / "found" / "sample4.csv")
    places = np.array([[float(row["y"]), float(row["x"])] for row in rows])
    np.testing.assert_allclose(places, sample.centres, atol=0.5)
    code, out, err = run(
        "evaluate", tmp_path / "found", tmp_path / "set", "--task", "detection", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["f1"] == 1


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("otsu", "--task", "restoration"), "or use semantic, detection"),
        (("nlm", "--task", "detection"), "Leave out --task."),
        (("otsu", "--task", "detection", "--raw"), "Leave out one of the two"),
    ],
)
def test_a_task_that_a_model_cannot_serve_is_refused_with_a_remedy(run, tmp_path, words, remedy):
    data.write_dataset(data.DataSet.of([make_sample(4, 2)]), tmp_path / "set")
    model, *rest = words
    code, _, err = run("predict", model, tmp_path / "set", "--out", tmp_path / "found", *rest)
    assert code == 2
    assert remedy in err
    assert not (tmp_path / "found").exists()


def test_points_are_decoded_again_with_another_threshold(run, tmp_path):
    data.write_dataset(data.DataSet.of([make_sample(4, 2)]), tmp_path / "set")
    run("predict", "blob_log", tmp_path / "set", "--out", tmp_path / "found", "--raw")
    assert len(io.read_csv(tmp_path / "found" / "sample4.csv")) == 2
    code, _, err = run("decode", tmp_path / "found", "--set", "threshold=9")
    assert code == 0, err
    assert io.read_csv(tmp_path / "found" / "sample4.csv") == []


def test_detectors_are_listed_and_segmentations_that_serve_as_one_behind_them(run):
    names = methods.names("detection")
    assert {"blob_log", "kinet", "sp_cnn", "nuclei_detection"} <= set(names)
    assert names[-2:] == ["stardist", "qcanet"]
    rows = json.loads(run("methods", "--task", "detection", "--json")[1])
    assert {row["task"] for row in rows} == {"detection"}
    assert methods.describe("stardist")["task"] == "instances"


def test_several_methods_are_scored_and_shown_side_by_side():
    sample = make_sample(4, 2)
    points = detection.convert(Labels(sample.label))
    found = {
        "labels": [Labels(sample.label)],
        "first": [Points(points.coordinates[:1], points.grid)],
    }
    scores = detection.evaluate_each([sample], found)
    rows = detection.make_rows(scores)
    assert [row["recall"] for row in rows] == [1, 0.5]
    figure = show.points(sample.image, {"truth": points, "labels": Labels(sample.label)})
    assert [axes.get_title() for axes in figure.axes] == ["truth: 2", "labels: 2"]


def test_what_is_found_where_nobody_has_looked_is_not_wrong():
    void = np.zeros((40, 40), bool)
    void[:, 20:] = True
    grid = Grid("YX", (40, 40))
    places = np.array([[10.0, 10], [30, 30]])
    found = Points(places, grid, np.array([0.9, 0.8]))
    assert detection.tuning_score([(Points(places[:1], grid), found)]) == pytest.approx(2 / 3)
    assert detection.tuning_score([(Points(places[:1], grid, void=void), found)]) == 1
    edges = np.c_[places - 4, places + 5]
    boxes = Boxes(edges, grid, np.array([0.9, 0.8]))
    assert detection.tuning_score([(Boxes(edges[:1], grid, void=void), boxes)]) == 1
    assert detection.tuning_score([(Boxes(edges, grid, void=void), boxes)]) == 1
