"""The crosshair viewer and the turntable: move a slider, read the picture. Runs under ipywidgets 7
and 8 alike.
"""

import io

import ipywidgets
import numpy as np
import PIL.Image
import pytest

from nbtools import widgets
from nbtools.errors import UserError
from nbtools.image import Image

ABOUT = {"axes": "ZYX", "spacing": (2.0, 0.5, 0.5)}


@pytest.fixture
def volume(rng) -> tuple[Image, Image]:
    """Noise with one bright nucleus, number 7, around (3, 10, 20)."""
    pixels, label = (
        rng.integers(0, 50, (6, 20, 30)).astype(np.uint16),
        np.zeros((6, 20, 30), np.int32),
    )
    label[2:5, 7:14, 16:25] = 7
    pixels[label > 0] += 900
    return Image(pixels, **ABOUT), Image(label, **ABOUT)


def read(picture: ipywidgets.Image) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(picture.value)).convert("RGB")).astype(int)


def test_it_begins_in_the_middle_of_the_nucleus_and_says_what_is_there(volume):
    viewer = widgets.orthogonal(*volume)
    assert viewer.value == (3, 10, 20)
    assert "z 6, y 5, x 10 µm" in viewer.place_text
    assert viewer.place_text.endswith("nucleus 7")
    assert viewer.place_text in viewer.place.value.replace("&gt;", ">")


def test_moving_a_slider_moves_the_slice(volume):
    viewer = widgets.orthogonal(volume[0])
    viewer.sliders["Z"].value = 3
    inside = read(viewer.picture)[:300].mean()
    viewer.sliders["Z"].value = 0
    assert viewer.value[0] == 0
    assert read(viewer.picture)[:300].mean() < inside - 5
    assert "nucleus" not in viewer.place_text


def test_outlines_come_and_go(volume):
    viewer = widgets.orthogonal(*volume)
    with_outlines = read(viewer.picture)
    viewer.outlines.value = False
    assert (np.abs(with_outlines - read(viewer.picture)).max(axis=-1) > 30).mean() > 0.002


def test_a_place_can_be_given_and_must_exist(volume):
    assert widgets.orthogonal(volume[0], at=(1, 2, 3)).value == (1, 2, 3)
    with pytest.raises(UserError, match="inside the volume"):
        widgets.orthogonal(volume[0], at=(9, 2, 3))
    with pytest.raises(UserError, match="needs a volume"):
        widgets.orthogonal(volume[0].select(Z=0))


def test_channels_and_movies_are_looked_at_too(volume):
    pixels = np.stack([np.stack([volume[0].pixels] * 2)] * 2)
    viewer = widgets.orthogonal(Image(pixels, "TCZYX", ABOUT["spacing"]))
    assert viewer.place_text.count(",") == 3  # two in the place, one between two grey values


def test_the_turntable_turns_and_keeps_its_size(volume):
    table = widgets.turntable(*volume)
    before = read(table.picture)
    table.slider.value = 90
    after = read(table.picture)
    assert table.value == 90
    assert before.shape == after.shape
    assert (before != after).any()
