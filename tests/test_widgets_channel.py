"""The menu of channels: a valid default, and a sentence that says which."""

import numpy as np
import pytest

from nbtools import io, widgets
from nbtools.data import DataSet, Sample
from nbtools.image import RGB, Image

PIXELS = np.random.default_rng(0).integers(0, 99, (3, 16, 16)).astype(np.uint8)


def pick(pixels, axes="CYX", channels=()):
    return widgets.pick_channel(Sample("a", Image(pixels, axes, channels=channels)))


@pytest.mark.parametrize(
    ("channels", "taken"),
    [
        (("DAPI", "actin", "tubulin"), 0),
        (("actin", "Hoechst 33342", "tubulin"), 1),
        (("", "", ""), 0),
        (("GFP", "RFP", "Nuclei"), 2),
    ],
)
def test_the_stain_of_dna_is_taken_where_a_name_says_so(channels, taken):
    picker = pick(PIXELS, channels=channels if any(channels) else ())
    np.testing.assert_array_equal(picker.value.image.pixels, PIXELS[taken])
    assert str(taken) in picker.sentence
    assert picker.sentence in picker.status.value.replace("&#x27;", "'")


def test_another_channel_is_taken_by_the_menu():
    picker = pick(PIXELS, channels=("DAPI", "actin", "tubulin"))
    picker.menu.value = 2
    np.testing.assert_array_equal(picker.value.image.pixels, PIXELS[2])
    assert "2: tubulin is taken" in picker.sentence


def test_a_channel_that_shows_nothing_is_not_the_default():
    empty = np.concatenate([np.zeros((1, 16, 16), np.uint8), PIXELS[:1]])
    assert pick(empty).menu.value == 1
    assert pick(np.zeros((2, 16, 16))).menu.value == 0


def test_an_image_of_one_channel_is_left_as_it_is():
    for pixels, axes in ((PIXELS[0], "YX"), (PIXELS[:1], "CYX"), (PIXELS, "ZYX")):
        picker = pick(pixels, axes)
        assert picker.value.image.size("C") == 1
        assert picker.menu not in picker.children


def test_of_a_stained_section_nuclei_are_bright_in_grey():
    light = np.full((16, 16, 3), 230, np.uint8)
    light[4:9, 4:9] = (70, 40, 130)
    picker = pick(light, "YXC", RGB)
    assert picker.value.image.is_rgb
    assert picker.grey.pixels[5, 5] > picker.grey.pixels[0, 0]
    picker.menu.value = 1
    assert picker.value.image.axes == "YX"


def test_equal_colours_are_grey_values():
    picker = pick(np.stack([PIXELS[0]] * 3, -1), "YXC", RGB)
    np.testing.assert_array_equal(picker.grey.pixels, PIXELS[0])
    assert not picker.value.image.is_rgb


def test_the_channel_is_taken_of_all_images_in_files_and_in_memory(tmp_path):
    images = {"a": PIXELS, "b": PIXELS[::-1]}
    samples = [Sample(name, Image(pixels, "CYX")) for name, pixels in images.items()]
    for name, pixels in images.items():
        io.write_image(tmp_path / f"{name}.tif", Image(pixels, "CYX"))
    for dataset in (DataSet.of(samples), DataSet.open(tmp_path)):
        picker = widgets.pick_channel(dataset[0])
        picker.menu.value = 1
        taken = picker.apply(dataset)
        assert taken.names == ["a", "b"]
        np.testing.assert_array_equal(taken.image(0).pixels, PIXELS[1])
        np.testing.assert_array_equal(taken[1].image.pixels, PIXELS[::-1][1])
        assert taken.image(0).axes == "YX"


def test_an_image_of_one_channel_and_a_section_stay_as_they_are():
    grey = DataSet.of([Sample("a", Image(PIXELS[0], "YX"))])
    assert widgets.pick_channel(grey[0]).apply(grey) is grey
    bright = np.where(PIXELS > 80, 120, 240).astype(np.uint8)
    section = DataSet.of([Sample("a", Image(bright, "CYX", channels=RGB))])
    assert widgets.pick_channel(section[0]).apply(section)[0].image.size("C") == 3
