"""Compare two images by a line across the picture: before left of it, after right of it."""

from __future__ import annotations

import ipywidgets
import numpy as np

from nbtools import show
from nbtools.image import Image
from nbtools.show.contrast import measure_contrast
from nbtools.show.pictures import as_image
from nbtools.show.restoration import check_same_size, find_contrast
from nbtools.show.views import enlarge
from nbtools.widgets.common import channels_last, format_note, make_picture, with_class
from nbtools.widgets.viewer import make_sliders

LINE = (255, 212, 0)
STEPS = 100


def compare_slider(before: object, after: object, *, width: int = 520) -> Comparison:
    """Make a slider that moves a line across a picture: before on its left, after on its right.

    Both images share one grey range, which noise does not set; a checkbox gives each its own.

    Parameters
    ----------
    before, after : Images, Predictions or arrays of the same size; volumes and movies have a slider
        for planes and frames.
    width : of the picture on the page, in pixels.

    Examples
    --------
    >>> compare_slider(noisy, model.predict(noisy))  # doctest: +SKIP
    """
    return Comparison(as_image(before), as_image(after), width=width)


class Comparison(ipywidgets.VBox):
    """The widget of `compare_slider`.

    `line` is the slider of the line, from 0 (all after) to 100 (all before); `sliders` move through
    Z and T; `picture` shows both images.
    """

    def __init__(self, before: Image, after: Image, *, width: int):
        check_same_size(before, after)
        self.images = (before, after)
        self.planes = (None, None, [])
        common = find_contrast(after, before)
        self.contrasts = {
            False: (common, common),
            True: tuple(measure_contrast(channels_last(i), rgb=i.is_rgb) for i in self.images),
        }
        self.line = ipywidgets.IntSlider(
            value=STEPS // 2, max=STEPS, readout=False, layout={"width": f"{width}px"}
        )
        self.line.add_class("nb-compare-line")
        self.sliders = make_sliders(before)
        self.own = with_class(
            ipywidgets.Checkbox(
                value=False, description="each in its own grey range", indent=False
            ),
            "nb-compare-own",
        )
        self.picture = make_picture("nb-compare-picture", width)
        ends = ipywidgets.HBox(
            [ipywidgets.HTML(format_note("◀ before")), ipywidgets.HTML(format_note("after ▶"))]
        )
        ends.layout = {"width": f"{width}px", "justify_content": "space-between"}
        for control in (self.line, *self.sliders.values(), self.own):
            control.observe(lambda _: self.draw(), "value")
        super().__init__([ends, self.picture, self.line, *self.sliders.values(), self.own])
        self.add_class("nb-compare")
        self.draw()

    def draw(self) -> None:
        """Draw the current plane of both images, divided at the line."""
        self.picture.value = show.array_to_png(
            join_halves(*self._draw_both(), share=self.line.value / STEPS)
        )

    def _draw_both(self) -> list[np.ndarray]:
        """Both planes as colours; kept while only the line moves."""
        wanted = ({axis: slider.value for axis, slider in self.sliders.items()}, self.own.value)
        if self.planes[:-1] != wanted:
            pairs = zip(self.images, self.contrasts[self.own.value], strict=True)
            pictures = [
                enlarge(show.view(image.select(**wanted[0]), contrast=c).rgb) for image, c in pairs
            ]
            self.planes = (*wanted, pictures)
        return self.planes[-1]


def join_halves(before: np.ndarray, after: np.ndarray, *, share: float) -> np.ndarray:
    """Join the left part of one picture and the right part of another, with a line between them.

    Parameters
    ----------
    before, after : (H, W, 3) uint8.
    share : of the width taken from `before`, 0 to 1.

    Examples
    --------
    >>> black, other = np.zeros((1, 4, 3), np.uint8), np.ones((1, 4, 3), np.uint8)
    >>> join_halves(black, other, share=0.5)[0, :, 1].tolist()
    [0, 0, 212, 1]
    """
    column = round(share * before.shape[1])
    both = np.concatenate([before[:, :column], after[:, column:]], axis=1)
    if 0 < column < before.shape[1]:
        both[:, column : column + max(1, before.shape[1] // 300)] = LINE
    return both
