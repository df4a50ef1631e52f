"""Twin of show.groups: what the figures say, and what they hold."""

import numpy as np
import pytest

from nbtools import show
from nbtools.errors import UserError
from nbtools.image import Image


@pytest.fixture
def table(rng) -> dict:
    plant = np.repeat(np.arange(6), 10)
    line = np.where(plant < 3, "wild type", "mutant")
    return {
        "volume_um3": 100 + 15 * (plant >= 3) + rng.standard_normal(60),
        "plant": plant,
        "line": line,
    }


def test_every_nucleus_and_every_plant_is_a_dot_and_the_difference_has_its_interval(table):
    figure = show.groups(table, "volume_um3", group="line", unit="plant")
    assert figure.alt.startswith("volume_um3 of wild type, mutant: mutant: +1")
    drawn = [len(line.get_xdata()) for line in figure.axes[0].lines]
    assert drawn == [30, 3, 2, 30, 3, 2]  # nuclei, plants, mean of a group
    assert "3 and 3 plants" in figure.axes[1].get_xlabel()
    low, high = figure.axes[1].lines[1].get_ydata()
    assert low < 15 < high


def test_a_comparison_is_a_table_in_words(table):
    from nbtools.metrics.statistics import compare_groups

    words = str(show.group_table(compare_groups(table, "volume_um3", group="line", unit="plant")))
    assert "mutant – wild type" in words
    assert " to " in words
    assert "share of variance between plants" in words


def test_with_nuclei_as_units_the_figure_says_so(table):
    figure = show.groups(table, "volume_um3", group="line", unit=None)
    assert "30 and 30 nuclei" in figure.axes[1].get_xlabel()
    assert "disc" not in figure.axes[0].get_title(loc="left")


def test_a_row_of_the_table_is_found_again_in_the_image():
    label = np.zeros((40, 40), np.uint8)
    label[5:15, 5:15], label[20:35, 20:35] = 4, 9
    image = Image(np.random.default_rng(0).random((40, 40)), "YX")
    figure = show.highlight(image, Image(label, "YX"), labels=[9])
    assert figure.alt == "1 of 2 nuclei: 9"
    plain, marked = (
        np.asarray(f.axes[0].images[0].get_array()) for f in (show.images(image), figure)
    )
    factor = marked.shape[0] // 40
    changed = (
        marked[::factor, ::factor] != plain[:: plain.shape[0] // 40, :: plain.shape[1] // 40]
    ).any(axis=-1)
    assert changed[20:35, 20:35].any()
    assert not changed[4:16, 4:16].any()
    with pytest.raises(UserError, match="Received: 7"):
        show.highlight(image, Image(label, "YX"), labels=[7])
