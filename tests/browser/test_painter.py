"""A hand paints in the browser; what lies on disk afterwards is right."""

import numpy as np
import pytest

from browser.driver import Hand, write_notebook
from nbtools import data, io, methods
from nbtools.data import DataSet
from nbtools.geometry import centroids
from nbtools.image import Image

CODE = """
from nbtools import io, widgets
image, classes = io.read_image("{name}.tif"), ("interphase", "mitosis")
painter = widgets.paint(image, save_to="painted", classes=classes)
painter
"""
SQUARE = ((10, 10), (10, 30), (30, 30), (30, 10), (11, 10))


@pytest.fixture
def plane(folder, rng):
    """A notebook that paints on an image of 64 x 80 pixels."""
    image = Image(
        rng.integers(100, 4000, (64, 80)).astype(np.uint16), "YX", spacing=(0.5, 0.25), name="cell"
    )
    io.write_image(folder / "cell.tif", image)
    return write_notebook(folder / "paint.ipynb", CODE.format(name="cell"))


@pytest.mark.parametrize("mode", ["voila", "lab"])
def test_a_nucleus_is_painted_undone_saved_and_there_again_after_a_reload(tab, plane, mode):
    hand = Hand(tab.open(plane, mode))
    hand.drag(*SQUARE)
    hand.wait(count=1)
    hand.drag((40, 40), (40, 60), (50, 60), (50, 40), (41, 40))
    hand.wait(count=2)
    hand.press("undo")
    hand.wait(count=1)
    hand.point((20, 20))
    hand.key("2")
    hand.wait(unsaved="true")
    hand.press("save")
    hand.wait(unsaved="false")
    [sample] = DataSet.open(plane.parent / "painted")
    assert sample.label.spacing == (0.5, 0.25)
    assert sample.classes == {1: "mitosis"}
    assert (sample.label.pixels[11:30, 11:30] == 1).all()
    assert np.count_nonzero(sample.label.pixels) == pytest.approx(21 * 21, abs=42)
    hand.press("pick")
    hand.click((20, 20))  # and the brush goes on with that nucleus
    hand.drag((50, 50), (50, 60))
    hand.wait(unsaved="true")
    tab.reload()
    again = Hand(tab)
    again.wait(count=1, unsaved="true")
    again.press("save")
    again.wait(unsaved="false")
    label = io.read_label(plane.parent / "painted" / "labels" / "cell.tif").pixels
    assert (label[50, 50:61] == 1).all()
    assert (label[11:30, 11:30] == 1).all()
    assert tab.errors == []


ASSISTED = """
from nbtools import data, methods, widgets
sample, model = data.samples("simulated2d")[0], methods.load("nuclei2d_small")
painter = widgets.paint(sample.image, save_to="clicked").assist_with(model)
painter
"""


def agree(label, found, *, at):
    """Whether the same nucleus lies at a place in both."""
    at = tuple(int(v) for v in at)
    true, other = label == label[at], found == found[at]
    return bool(label[at] and found[at]) and (true & other).sum() / (true | other).sum() > 0.6


def test_a_click_adds_the_nucleus_that_the_network_sees_and_undo_takes_it_away(tab, folder):
    sample = data.samples("simulated2d")[0]
    label = sample.label.pixels
    seen = methods.load("nuclei2d_small").predict(sample.image).labels.pixels
    inner = [place for place in centroids(label) if min(*place, *(len(label) - place)) > 30]
    first, *_, second = [place for place in inner if agree(label, seen, at=place)]
    hand = Hand(tab.open(write_notebook(folder / "click.ipynb", ASSISTED), "voila"))
    hand.press("click")
    hand.click(first)
    hand.wait(count=1)
    hand.click(second)
    hand.wait(count=2)
    tab.photograph("click_assist")
    hand.press("undo")
    hand.wait(count=1)
    hand.press("save")
    hand.wait(unsaved="false")
    [saved] = DataSet.open(folder / "clicked")
    assert saved.label.pixels.max() == 1
    assert agree(label, saved.label.pixels, at=first)
    hand.click((2, 2))
    tab.page.wait_for_selector(".nb-painter-wrong")
    assert tab.errors == []
