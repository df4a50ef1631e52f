"""Results: what each kind holds, and how sure a method is of an object."""

import numpy as np
import pytest

from nbtools.image import Image
from nbtools.methods import Prediction
from nbtools.results import Boxes, Classes, Grid, Labels, Points, Restored, score_labels

IMAGE = Image(np.arange(12.0).reshape(3, 4), "YX", (0.5, 0.5), name="a")
GRID = Grid.of(IMAGE)


def test_a_grid_is_what_coordinates_need_of_an_image():
    assert (GRID.axes, GRID.shape, GRID.spacing_um, GRID.name) == ("YX", (3, 4), (0.5, 0.5), "a")
    assert Grid.of(IMAGE.replace(unit="pixel")).spacing_um is None


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (Labels(IMAGE), "labels"),
        (Restored(IMAGE), "image"),
        (Points(np.zeros((2, 2)), GRID), "points"),
        (Boxes(np.zeros((2, 4)), GRID), "boxes"),
        (Classes(("wild type", "mutant"), np.array([[0.2, 0.8]])), "classes"),
    ],
)
def test_a_prediction_gives_its_result_by_the_name_of_its_kind_alone(result, kind):
    prediction = Prediction(result)
    given = {
        name for name in ("labels", "image", "points", "boxes", "classes")
        if getattr(prediction, name) is not None
    }  # fmt: skip
    assert given == {kind}


def test_the_most_probable_class_is_the_best_one():
    assert Classes(("a", "b"), np.array([[0.9, 0.1], [0.4, 0.6]])).best == ["a", "b"]


def test_the_score_of_an_object_is_the_mean_of_its_pixels_on_any_grid():
    label = np.array([[1, 1, 0, 7], [1, 1, 0, 7]])
    fine = np.array([[1.0, 0.5, 0.9, 0.2], [0.5, 0.0, 0.9, 0.4]])
    assert score_labels(label, fine) == pytest.approx({1: 0.5, 7: 0.3})
    assert score_labels(label, np.array([[0.6, 0.1]])) == pytest.approx({1: 0.6, 7: 0.1})
    assert score_labels(np.zeros((2, 2), int), np.ones((2, 2))) == {}
