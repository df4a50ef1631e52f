"""What detectors of points take from the training images: radius, classes, outlines."""

import dataclasses

import numpy as np
import pytest
from small import make_sample, tiny

from nbtools import data, io, losses, training
from nbtools.io.points_and_boxes import read_centre_classes
from nbtools.methods.points import measure_radius


def make_classed(seed: int, ndim: int = 2) -> data.Sample:
    sample = make_sample(seed, ndim)
    return dataclasses.replace(sample, label=None, centre_classes=("round", "flat"))


def test_the_radius_is_half_the_diameter_of_the_smaller_nuclei():
    # discs of radius 7: their diameter is 14, so that half of it is 7
    train = data.DataSet.of([make_sample(0, 2), make_sample(2, 2)])
    assert measure_radius(train) == pytest.approx(7, abs=0.3)


def test_without_labels_the_distance_between_points_stands_for_the_diameter():
    points = np.array([[10.0, 10], [10, 20], [40, 40], [40, 50]])
    sample = dataclasses.replace(make_sample(0, 2), label=None, centres=points)
    assert measure_radius(data.DataSet.of([sample])) == 5.0
    bare = dataclasses.replace(sample, centres=points[:1])
    assert measure_radius(data.DataSet.of([bare])) == 4.0


def test_classes_of_points_survive_a_folder_and_are_learned(tmp_path):
    train = data.DataSet.of([make_classed(0), make_classed(2)])
    data.write_dataset(train, tmp_path / "set")
    again = data.DataSet.open(tmp_path / "set")
    assert again[0].centre_classes == ("round", "flat")
    assert again.nucleus_classes == ("flat", "round")
    method = tiny("kinet")
    method.fit(again, plan=training.TrainingPlan(seed=0))
    assert method.domain.classes == ("flat", "round")
    found = method.predict(make_sample(4, 2).image).points
    assert len(found.classes) == len(found)
    assert set(found.classes) <= {"flat", "round"}


def test_classes_of_labels_become_those_of_their_points():
    method = tiny("kinet")
    named = {1: "round", 2: "flat"}
    sample = dataclasses.replace(make_sample(0, 2), centres=None, classes=named)
    method.fit(data.DataSet.of([sample]), plan=training.TrainingPlan(seed=0))
    example = method.make_example(sample)
    assert example.point_classes.tolist() == [2, 1]


def test_a_table_without_classes_has_none(tmp_path):
    io.write_centres(tmp_path / "a.csv", np.zeros((2, 2)), spatial="YX")
    assert read_centre_classes(tmp_path / "a.csv") == ()


def test_an_image_without_nuclei_costs_something_finite_and_a_perfect_answer_nothing(rng):
    truth = np.zeros((2, 8, 8, 1), np.float32)
    truth[1, 3:5, 3:5] = 1
    wrong = rng.random(truth.shape, dtype=np.float32)
    cost = np.asarray(losses.proximity_error(truth, wrong))
    assert np.isfinite(cost).all()
    assert (cost > 0.01).all()
    assert np.asarray(losses.proximity_error(truth, truth)).max() == 0


def test_a_rare_pixel_weighs_as_much_as_many():
    truth = np.zeros((1, 1, 11, 1), np.float32)
    truth[0, 0, 0] = 1
    logit = np.zeros_like(truth)
    logit[0, 0, 0] = 1.0
    # one pixel of weight 10 and ten of weight 1: log(1 + e^-1) and log 2
    expected = (10 * np.log1p(np.exp(-1)) + 10 * np.log(2)) / 20
    assert float(losses.rare_cross_entropy(10.0)(truth, logit)[0]) == pytest.approx(expected)


def test_the_shape_prior_rewards_what_lies_within_an_outline():
    outline = np.zeros((1, 7, 7), np.float32)
    outline[0, 1:6, 1:6] = 1
    outline[0, 2:5, 2:5] = 0
    truth = np.zeros((1, 15, 15, 2), np.float32)
    truth[0, 5:10, 5:10, 1] = 1
    truth[0, 6:9, 6:9, 1] = 0
    inside, outside = np.zeros((2, 1, 15, 15, 1), np.float32)
    inside[0, 7, 7] = outside[0, 1, 1] = 1
    cost = losses.shape_prior_error(outline / outline.sum(), weight=1.0, reach=5)
    plain = losses.shape_prior_error(outline, weight=0.0, reach=5)
    assert float(plain(truth, inside)[0]) == float(plain(truth, outside)[0])
    assert float(cost(truth, inside)[0]) < float(cost(truth, outside)[0])


def test_outlines_come_from_labels_and_are_a_disc_where_there_are_points_alone():
    method, train = tiny("sp_cnn"), data.DataSet.of([make_sample(0, 2)])
    method.begin_fit(train)
    assert len(method.outlines) == 2
    bare = data.DataSet.of([dataclasses.replace(make_sample(0, 2), label=None)])
    method = tiny("sp_cnn")
    method.begin_fit(bare)
    assert len(method.outlines) == 1
    assert method.outlines.sum() == pytest.approx(1)
