"""Markers decide which nuclei there are: drawn objects with known parts."""

import json

import numpy as np
import pytest

from nbtools import cli, io
from nbtools.data import DataSet
from nbtools.image import Image
from nbtools.inference.markers import MarkerCount, apply_markers, divide_objects
from nbtools.results import Boxes, Grid, Labels, Points


def balls(*centres, radius=8, shape=(40, 60)):
    """Label image of discs or balls, one number for all."""
    places = np.indices(shape)
    label = np.zeros(shape, int)
    for centre in centres:
        away = [(axis - at) ** 2 for axis, at in zip(places, centre, strict=True)]
        label[sum(away) <= radius**2] = 1
    return label


def test_two_touching_discs_become_two_of_equal_size():
    label = balls((20, 20), (20, 34))
    found, owner, count = divide_objects(label, np.array([[20.0, 20], [20, 34]]))
    sizes = np.bincount(found.ravel())[1:]
    assert sizes.sum() == label.sum()
    assert abs(int(sizes[0]) - int(sizes[1])) <= 17  # the middle line belongs to one of them
    assert owner == {1: 1, 2: 1}
    assert count == MarkerCount(markers=2, divided=1)


def test_two_touching_balls_become_two_in_a_volume_of_flat_voxels():
    label = balls((10, 20, 20), (10, 20, 34), shape=(20, 40, 60))
    found, _, _ = divide_objects(label, np.array([[10.0, 20, 20], [10, 20, 34]]), spacing=(2, 1, 1))
    assert np.unique(found).tolist() == [0, 1, 2]
    assert (found[..., :26][label[..., :26] > 0] == 1).all()


def test_an_object_with_one_marker_keeps_its_outline():
    label = balls((20, 20), (20, 34))
    label[:, 27:][label[:, 27:] > 0] = 2  # parted at the waist already
    found, _, count = divide_objects(label, np.array([[20.0, 15], [20, 40]]))
    np.testing.assert_array_equal(found, label)
    assert count == MarkerCount(markers=2)


def test_pieces_of_a_split_nucleus_join_around_its_marker():
    label = balls((20, 20))
    label[:20][label[:20] > 0] = 5
    found, _, count = divide_objects(label, np.array([[24.0, 20]]))
    assert (found[label > 0] == 1).all()
    assert count.dropped == 0


def test_objects_without_a_marker_are_left_out_and_markers_on_nothing_are_counted():
    label = balls((20, 15)) + 2 * balls((20, 45))
    found, _, count = divide_objects(label, np.array([[20.0, 15], [2, 2], [99, 5]]))
    assert np.unique(found).tolist() == [0, 1]
    assert count == MarkerCount(markers=3, outside=2, dropped=1)


def test_without_markers_there_is_no_nucleus():
    found, _, count = divide_objects(balls((20, 20)), np.zeros((0, 2)))
    assert not found.any()
    assert count.dropped == 1


def test_numbers_are_those_of_the_markers_and_scores_those_of_the_objects():
    label = balls((20, 15)) + 2 * balls((20, 45))
    labels = Labels(Image(label, "YX"), score={1: 0.3, 2: 0.8})
    marks = Points(np.array([[20.0, 45], [20, 15]]), Grid("YX", label.shape))
    found, _ = apply_markers(labels, marks)
    assert found.image.pixels[20, 45] == 1
    assert found.score == {1: 0.8, 2: 0.3}


def test_boxes_mark_by_their_middles():
    label = balls((20, 20), (20, 34))
    edges = np.array([[12.0, 12, 29, 28], [12, 26, 29, 43]])
    found, count = apply_markers(Labels(Image(label, "YX")), Boxes(edges, Grid("YX", label.shape)))
    assert len(np.unique(found.image.pixels)) == 3
    assert count.divided == 1


def test_time_points_have_their_own_markers():
    label = balls((20, 20), (20, 34))
    movie = Labels(Image(np.stack([label, label]), "TYX"))
    places = np.array([[20.0, 20], [20, 34], [20, 20]])
    marks = Points(places, Grid("YX", label.shape), frame=np.array([0, 0, 1]))
    found, _ = apply_markers(movie, marks)
    assert [len(np.unique(f.pixels)) - 1 for f in found.image.frames()] == [2, 1]


@pytest.fixture
def field(tmp_path):
    """Two nuclei that touch so much that thresholds take them for one."""
    label = balls((20, 20), (20, 30), radius=8)
    image = Image((label * 100 + 20).astype(np.uint8), "YX", (0.5, 0.5))
    io.write_image(tmp_path / "images" / "a.tif", image)
    io.write_csv(tmp_path / "marks" / "a.csv", {"y": [20.0, 20.0], "x": [19.0, 31.0]})
    return tmp_path


def test_predict_takes_markers_for_a_method_without_training(field, capsys):
    out = field / "out"
    run = ["predict", "otsu", str(field / "images"), "--out", str(out), "--json"]
    assert cli.main([*run, "--markers", str(field / "marks")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["images"][0]["nuclei"] == 2
    assert document["images"][0]["notes"][-1].startswith("Markers: 2")
    label = io.read_label(out / "a.tif").pixels
    assert label[20, 15] == 1
    assert label[20, 35] == 2


def test_markers_of_another_image_are_doubted(field, capsys):
    io.write_csv(field / "marks" / "a.csv", {"y": [1.0, 2.0], "x": [1.0, 50.0]})
    run = ["predict", "otsu", str(field / "images"), "--out", str(field / "out"), "--json"]
    assert cli.main([*run, "--markers", str(field / "marks")]) == 0
    codes = [one["code"] for one in json.loads(capsys.readouterr().out)["warnings"]]
    assert "markers_beside" in codes


def test_an_image_without_markers_is_not_predicted(field, capsys):
    (field / "marks" / "a.csv").rename(field / "marks" / "b.csv")
    io.write_csv(field / "marks" / "c.csv", {"y": [1.0], "x": [1.0]})
    run = ["predict", "otsu", str(field / "images"), "--out", str(field / "out")]
    assert cli.main([*run, "--markers", str(field / "marks")]) == 2
    assert "Each image needs its markers" in capsys.readouterr().err


def test_a_denoiser_takes_no_markers(field, capsys):
    run = ["predict", "nlm", str(field / "images"), "--out", str(field / "out")]
    assert cli.main([*run, "--markers", str(field / "marks")]) == 2
    assert "Markers divide the labels of a segmentation" in capsys.readouterr().err


def test_what_markers_decided_is_not_decoded_again(field, capsys):
    run = ["predict", "otsu", str(field / "images"), "--out", str(field / "out")]
    assert cli.main([*run, "--markers", str(field / "marks")]) == 0
    assert cli.main(["decode", str(field / "out"), "--set", "min_size=1"]) == 2
    assert "not decoded again" in capsys.readouterr().err
    assert len(DataSet.open(field)) == 1
