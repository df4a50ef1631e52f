"""Twin of weights: those that fit are compared on an image of one's own, and one is taken."""

import numpy as np
import pytest

from nbtools import data, methods, widgets
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.widgets.weights import SHOWN, cut_shown


@pytest.fixture(scope="module")
def picker():
    return widgets.pick_weights(data.samples("simulated2d")[:2])


def test_without_a_click_the_suggested_weights_are_taken(picker):
    assert picker.value == "nuclei2d"
    assert picker.model.name == methods.load("nuclei2d").name
    assert "nuclei2d is taken" in picker.status.value


def test_all_that_fit_are_shown_at_work_with_their_counts(picker):
    names = [*picker.menu.options]
    assert {"nuclei2d", "nuclei2d_small", "nuclei2d_flows", "otsu"} <= set(names)
    assert not {"nuclei3d", "nuclei2d_histology", "denoise2d"} & set(names)
    for name in names:
        assert bytes(picker.pictures[name].value).startswith(b"\x89PNG")
        assert f"{picker.found[name]} nuclei" in picker.captions[name].value
    image = cut_shown(data.samples("simulated2d")[0].image)
    label = picker.model.predict(image).labels.pixels
    assert picker.found["nuclei2d"] == len(np.unique(label)) - 1


def test_another_image_is_shown_and_other_weights_are_taken():
    picker = widgets.pick_weights(data.samples("simulated2d")[:2])
    before = picker.pictures["otsu"].value
    picker.image.value = 1
    assert picker.pictures["otsu"].value != before
    picker.menu.value = "otsu"
    assert picker.value == "otsu"
    assert picker.model.name == "otsu"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image(np.zeros((4, 32, 32), np.uint8), "ZYX"), {"nuclei3d"}),
        (Image(np.zeros((32, 32, 3), np.uint8), "YXC", channels=RGB), {"nuclei2d_histology"}),
        (Image(np.zeros((2, 32, 32), np.uint8), "CYX"), set()),
    ],
)
def test_dimension_and_channels_decide_which_fit(image, expected):
    found = set(methods.list_weights(image))
    assert expected <= found
    assert bool(found) == bool(expected)
    assert not {"nuclei2d", "denoise2d"} & found


def test_of_several_channels_one_is_to_be_chosen_first():
    image = Image(np.zeros((2, 32, 32), np.uint8), "CYX")
    with pytest.raises(UserError, match="Choose one channel"):
        widgets.pick_weights(DataSet.of([Sample("a", image)]))


def test_of_a_large_image_the_middle_is_shown_and_said(picker):
    large = Image(np.zeros((2, 900, 700), np.uint8), "TYX")
    assert cut_shown(large).shape == (SHOWN["Y"], SHOWN["X"])
    assert "its middle is shown" not in picker.status.value
