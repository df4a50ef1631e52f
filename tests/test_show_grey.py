"""Histograms of grey values: what is counted, and what is said to be lost."""

import numpy as np

from nbtools import show
from nbtools.image import Image
from nbtools.show.colors import ORANGE


def count(figure: show.Figure, panel: int = 0) -> float:
    return sum(bar.get_height() for bar in figure.axes[panel].patches)


def test_every_pixel_is_counted_once(rng):
    for pixels in (
        rng.integers(0, 4096, (50, 60)).astype(np.uint16),
        rng.normal(0, 1, (50, 60)),
        np.full((50, 60), 7, np.uint8),
    ):
        assert count(show.histogram(pixels)) == 3000


def test_a_cut_off_image_is_told_and_marked(rng):
    grey = rng.normal(200, 60, (100, 100)).clip(0, 255).astype(np.uint8)
    figure = show.histogram({"good": Image(grey // 2, "YX"), "cut off": Image(grey, "YX")})
    assert "at the top" in figure.axes[1].get_xlabel()
    assert "at the top" not in figure.axes[0].get_xlabel()
    marked = [matches(axes.patches[-1].get_facecolor()) for axes in figure.axes]
    assert marked == [False, True]
    assert "cut off" in figure.alt


def test_bars_hold_as_many_grey_values_each():
    """Of 0 … 199, each once, no bar stands out."""
    figure = show.histogram(np.arange(200, dtype=np.uint16).reshape(10, 20))
    heights = {bar.get_height() for bar in figure.axes[0].patches}
    assert heights == {4}
    assert "200 in use" in figure.alt


def test_several_images_get_a_panel_each():
    images = [Image(np.eye(9, dtype=np.uint8) * i, "YX", name=f"image {i}") for i in range(1, 6)]
    figure = show.histogram(images)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"image {i}" for i in range(1, 6)
    ]


def matches(color: tuple) -> bool:
    return tuple(round(255 * c) for c in color[:3]) == tuple(
        int(ORANGE[i : i + 2], 16) for i in (1, 3, 5)
    )
