"""Twin of click_assist: a nucleus that was taken away, or lies below the threshold, comes back by
one click, can be undone, and is there after a restart.
"""

import numpy as np
import pytest

from nbtools import data, methods, widgets
from nbtools.errors import UserError
from nbtools.geometry import centroids
from nbtools.image import Image
from nbtools.widgets import click_assist
from nbtools.widgets.click_assist import ClickAssist


@pytest.fixture(scope="module")
def sample():
    return data.samples("simulated2d")[0]


@pytest.fixture(scope="module", params=["nuclei2d", "nuclei2d_small"])
def model(request):
    """Flows, and the method fast_nuclei."""
    return methods.load(request.param)


def place_of(label: np.ndarray, number: int) -> tuple[int, int]:
    """A pixel well inside a nucleus."""
    return tuple(np.round(centroids((label == number).astype(int))[0]).astype(int).tolist())


def click(place, width):
    return {"do": "click", "z": 0, "place": place[0] * width + place[1]}


def test_a_nucleus_that_was_missed_is_added_by_a_click_and_undone(sample, model, tmp_path):
    found = model.predict(sample.image, raw=True)
    label = found.labels.pixels
    missing = int(label[label > 0][0])
    given = found.labels.replace(pixels=np.where(label == missing, 0, label))
    painter = widgets.paint(sample.image, given, save_to=tmp_path).assist_with(model)
    assert painter.about["assist"]
    painter.apply(click(place_of(label, missing), label.shape[1]))
    added = (painter.label.pixels > 0) & (given.pixels == 0)
    overlap = (added & (label == missing)).sum() / (added | (label == missing)).sum()
    assert overlap > 0.95
    assert len(np.unique(painter.label.pixels)) == len(np.unique(label))
    again = widgets.paint(sample.image, given, save_to=tmp_path)  # from the journal, no network
    np.testing.assert_array_equal(again.label.pixels, painter.label.pixels)
    painter.apply({"do": "undo"})
    np.testing.assert_array_equal(painter.label.pixels, given.pixels)
    painter.apply({"do": "redo"})
    assert ((painter.label.pixels > 0) & (given.pixels == 0)).sum() == added.sum()


def test_a_nucleus_below_the_threshold_is_found_at_a_lower_one(sample, model):
    before = dict(model.tuned)
    normal = model.predict(sample.image).labels.pixels
    try:
        model.tuned |= {"threshold": 1.0}
        assert not model.predict(sample.image).labels.pixels.any()
        assist = ClickAssist(model, sample.image)
        number = int(np.bincount(normal[normal > 0]).argmax())
        indices = assist.find((0, *place_of(normal, number)), np.zeros((1, *normal.shape), int))
    finally:
        model.tuned = before
    added = np.zeros(normal.size, bool)
    added[indices] = True
    truth = normal.ravel() == number
    assert (added & truth).sum() / (added | truth).sum() > 0.6


def test_other_nuclei_keep_their_pixels_and_are_not_added_twice(sample, model):
    label = model.predict(sample.image).labels.pixels
    number = int(label[label > 0][0])
    assist = ClickAssist(model, sample.image)
    place = place_of(label, number)
    with pytest.raises(UserError, match="where none is yet"):
        assist.find((0, *place), label[None])
    half = np.where(label == number, 0, label)
    rows, columns = np.nonzero(label == number)
    half[rows[: len(rows) // 4], columns[: len(rows) // 4]] = 999  # a part is another nucleus's
    indices = assist.find((0, int(rows[-1]), int(columns[-1])), half[None])
    assert (half.ravel()[indices] == 0).all()


def test_where_the_network_sees_nothing_it_says_so(model):
    image = Image(np.random.default_rng(0).normal(100, 3, (64, 64)).astype(np.float32), "YX")
    with pytest.raises(UserError, match="Draw it with the outline"):
        ClickAssist(model, image).find((0, 5, 5), np.zeros((1, 64, 64), int))


def test_maps_of_a_prediction_are_used_and_nothing_is_predicted_again(sample, model, monkeypatch):
    found = model.predict(sample.image, raw=True)
    assist = ClickAssist(model, sample.image.to("YX"), prediction=found)
    monkeypatch.setattr(model, "predict", None)
    label = found.labels.pixels
    number = int(label[label > 0][0])
    indices = assist.find((0, *place_of(label, number)), np.zeros((1, *label.shape), int))
    assert (label.ravel()[indices] == number).mean() > 0.95


def test_of_a_large_image_a_part_around_the_click_is_predicted(sample, model, monkeypatch):
    monkeypatch.setattr(click_assist, "LARGEST", 10_000)
    monkeypatch.setattr(click_assist, "PART", {"Z": 4, "Y": 128, "X": 128})
    seen, predict = [], model.predict
    monkeypatch.setattr(model, "predict", lambda i, **k: seen.append(i.shape) or predict(i, **k))
    label = predict(sample.image).labels.pixels
    number = int(label[label.shape[0] // 2].max())
    place = place_of(label, number)
    found = ClickAssist(model, sample.image).find((0, *place), np.zeros((1, *label.shape), int))
    assert seen == [(128, 128)]
    assert (label.ravel()[found] == number).mean() > 0.9


def test_a_click_in_a_volume_adds_a_whole_body(tmp_path):
    sample, model = data.samples("simulated3d")[0], methods.load("nuclei3d")
    found = model.predict(sample.image, raw=True)
    label = found.labels.pixels
    number = int(np.bincount(label[label > 0]).argmax())
    given = found.labels.replace(pixels=np.where(label == number, 0, label))
    painter = widgets.paint(sample.image, given, save_to=tmp_path).assist_with(model)
    z, y, x = (int(v) for v in np.round(np.argwhere(label == number).mean(axis=0)))
    painter.apply({"do": "click", "z": z, "place": y * label.shape[2] + x})
    added = (painter.label.pixels > 0) & (given.pixels == 0)
    assert (added & (label == number)).sum() / (label == number).sum() > 0.95
    assert added.any(axis=(1, 2)).sum() > 2


def test_without_a_network_there_is_no_such_tool(sample, tmp_path):
    painter = widgets.paint(sample.image, save_to=tmp_path)
    assert not painter.about["assist"]
    with pytest.raises(UserError, match="assist_with"):
        painter.apply(click((0, 0), 4))
