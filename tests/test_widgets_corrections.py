"""Twin of corrections: only what a person has saved, or what came with labels, is learned from."""

import numpy as np
import pytest

from nbtools import data, methods, widgets
from nbtools.data import DataSet, Sample
from nbtools.image import Image


@pytest.fixture(scope="module")
def model():
    return methods.load("nuclei2d_small")


@pytest.fixture
def bare():
    """Images without labels."""
    return DataSet.of([Sample(s.name, s.image) for s in data.samples("simulated2d")[:3]])


def test_a_prediction_that_nobody_saved_is_no_label(bare, model, tmp_path):
    hand = widgets.correct(bare, model, save_to=tmp_path / "c")
    assert hand.painter.label.pixels.max() > 10  # it begins with what the network has found
    assert len(hand.value) == 0
    assert "nothing to learn from" in hand.status.value
    assert [len(part) for part in hand.value.split_few()] == [0, 0, 0]


def test_saved_images_are_collected_one_after_the_other(bare, model, tmp_path):
    hand = widgets.correct(bare, model, save_to=tmp_path / "c")
    label = hand.painter.label.pixels
    number = int(label[label > 0][0])
    hand.painter.apply({"do": "remove", "label": number})
    hand.painter.save()
    assert hand.value.names == bare.names[:1]
    assert "1 of 3 images saved as corrected" in hand.status.value
    assert not (hand.value[0].label.pixels == number).any()
    hand.following.click()
    assert hand.image.value == 1
    hand.painter.save()
    assert hand.value.names == bare.names[:2]
    again = widgets.correct(bare, model, save_to=tmp_path / "c")  # tomorrow
    assert again.value.names == bare.names[:2]
    np.testing.assert_array_equal(again.painter.label.pixels == 0, hand.value[0].label.pixels == 0)


def test_images_that_came_with_labels_count_and_corrected_ones_take_their_place(model, tmp_path):
    images = data.samples("simulated2d")[:3]
    hand = widgets.correct(images, model, save_to=tmp_path / "c")
    assert hand.value.names == images.names
    np.testing.assert_array_equal(hand.painter.label.pixels, images[0].label.pixels)
    assert "3 of 3 images came with labels" in hand.describe()
    hand.painter.apply({"do": "remove", "label": int(images[0].label.pixels.max())})
    hand.painter.save()
    assert sorted(hand.value.names) == sorted(images.names)
    assert "1 of 3 images saved as corrected; 2 of 3 images came with labels" in hand.describe()
    changed = hand.value[hand.value.names.index(images.names[0])].label.pixels
    assert changed.max() < images[0].label.pixels.max()


def test_what_cannot_be_painted_is_said_in_the_widget(model, tmp_path):
    large = Image(np.zeros((8, 5000), np.uint8), "YX")
    hand = widgets.correct(DataSet.of([Sample("a", large)]), model, save_to=tmp_path / "c")
    assert hand.painter is None
    assert "pixels per side" in hand.status.value
    assert len(hand.value) == 0
