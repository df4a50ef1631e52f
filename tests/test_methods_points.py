"""What detectors of points take from the training images: radius, classes, outlines."""

import dataclasses

import numpy as np
import pytest
from small import make_sample, tiny

from nbtools import data, io, losses, training
from nbtools.inference import ScaleSearch
from nbtools.io.points_and_boxes import read_centre_classes
from nbtools.methods.domain import Domain
from nbtools.methods.points import measure_radius
from nbtools.training.examples import crop_example


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


@pytest.mark.parametrize(
    ("radius_of", "tuned", "searches"),
    [("each", {"threshold": 0.5}, True), ("each", {}, False), ("all", {"threshold": 0.5}, False)],
)
def test_the_magnification_is_searched_where_peaks_tell_the_size(radius_of, tuned, searches):
    method = tiny("kinet")
    method.domain, method.tuned = Domain(2, nucleus_size=20.0), tuned
    method.settings = method.settings.replace(radius=6.0, radius_of=radius_of, auto_scale=True)
    assert isinstance(method.inference(), ScaleSearch) == searches
    method.settings = method.settings.replace(auto_scale=False)
    assert not isinstance(method.inference(), ScaleSearch)


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


def test_labels_tell_the_size_of_each_nucleus_and_a_radius_that_is_given_goes_before():
    method, sample = tiny("kinet"), make_sample(0, 2)
    train = data.DataSet.of([dataclasses.replace(sample, centres=None)])
    method.begin_fit(train)
    assert (method.settings.radius_of, method.target().radius_of) == ("each", "each")
    # discs of radius 7
    np.testing.assert_allclose(method.make_example(train[0]).point_sizes, 14, atol=0.6)
    assert method.make_example(sample).point_sizes == pytest.approx(14, abs=0.6)  # under centres
    bare = dataclasses.replace(sample, label=None)
    assert method.make_example(bare).point_sizes is None
    method = tiny("kinet")
    method.settings = method.settings.replace(radius=9.0)
    method.begin_fit(train)
    assert method.settings.radius_of == "all"
    assert method.notes() == ("Proximity ends 9 px from the centre of a nucleus.",)


@pytest.mark.parametrize("name", ["kinet", "yolo"])
def test_a_nucleus_that_touches_void_is_neither_there_nor_background(name):
    sample = make_sample(0, 2)
    label = sample.label.pixels.astype(np.int32)
    first = np.argwhere(label == 1)
    label[:, : int(first[:, 1].min()) + 2] = -1  # covers an edge of the first nucleus
    cut = sample.label.replace(pixels=label)
    sample = dataclasses.replace(sample, centres=None, boxes=None, label=cut)
    method = tiny(name)
    method.begin_fit(data.DataSet.of([sample]))
    example = method.make_example(sample)
    marks = example.points if name == "kinet" else example.boxes
    assert len(marks) == len(np.unique(label[label > 0])) - 1
    assert example.void[label < 0].all()
    assert example.void[label == 1].all()
    assert not example.void[label == 0].any()
    part = crop_example(example, (slice(0, 32), slice(0, 32)))
    np.testing.assert_array_equal(part.void, example.void[:32, :32])
