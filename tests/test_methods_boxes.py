"""Detectors of boxes: sizes of their networks, images without boxes, classes, and suppression."""

import dataclasses

import numpy as np
import pytest
from small import data_sets, make_sample, tiny

from nbtools import data, export, methods, training
from nbtools.errors import UserError
from nbtools.inference.placing import place_results
from nbtools.results import Boxes, Grid

pytestmark = pytest.mark.usefixtures("step_by_step")
NAMES = ("yolo", "retinanet", "faster_rcnn")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("yolo", 43_475_749), ("retinanet", 31_035_983), ("faster_rcnn", 40_807_253)],
)
def test_the_published_networks_keep_their_size(name, parameters):
    assert methods.get(name)(preset="paper").build().count_params() == parameters


def without_boxes(sample: data.Sample) -> data.Sample:
    return dataclasses.replace(sample, boxes=np.zeros((0, 4)), box_classes=(), label=None)


@pytest.mark.parametrize("name", NAMES)
def test_images_without_boxes_give_a_finite_loss_and_classes_are_learned(name):
    train = []
    for i, sample in enumerate(data_sets(2)[0]):
        named = dataclasses.replace(sample, box_classes=("large", "small"), label=None)
        train.append(without_boxes(sample) if i == 0 else named)
    method = tiny(name)
    val = data.DataSet.of([without_boxes(make_sample(8, 2))])
    method.fit(data.DataSet.of(train), val, plan=training.TrainingPlan(seed=0))
    assert method.domain.classes == ("large", "small")
    assert np.isfinite([row["val_loss"] for row in method.history.rows]).all()
    method.settings = method.settings.replace(threshold=0.001)
    found = method.predict(make_sample(4, 2).image).boxes
    assert len(found.classes) == len(found)
    assert set(found.classes) <= {"large", "small"}


def test_boxes_are_cut_at_the_border_of_the_image_and_those_outside_are_left_out():
    image = make_sample(0, 2).image
    height, width = image.space_shape
    edges = np.array([[-3.0, 2, 10, 20], [60, 70, height + 9, width + 20], [80, 85, 95, 99]])
    score = np.array([0.9, 0.8, 0.7])
    found = Boxes(edges, Grid("YX", (80, 96)), score, ("a", "b", "c"))
    placed = place_results([found], image)
    assert placed.edges.tolist() == [[0, 2, 10, 20], [60, 70, height, width]]
    assert placed.score.tolist() == [0.9, 0.8]
    assert placed.classes == ("a", "b")


def test_two_stages_are_not_exported_as_the_first_of_them(tmp_path):
    method = tiny("faster_rcnn")
    method.fit(data_sets(2)[0], plan=training.TrainingPlan(seed=0))
    with pytest.raises(UserError, match="two stages"):
        export.write_model(method, tmp_path / "a.keras")
    assert not list(tmp_path.iterdir())
