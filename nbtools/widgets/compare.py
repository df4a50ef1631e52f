"""Pull a line across a picture: before on its left, after on its right."""

from __future__ import annotations

import ipywidgets
import numpy as np

from nbtools import show
from nbtools.image import Image
from nbtools.show.contrast import measure_contrast
from nbtools.show.pictures import as_image
from nbtools.show.restoration import check_same_size, find_contrast
from nbtools.show.views import enlarge
from nbtools.widgets.common import format_note, make_picture, with_class
from nbtools.widgets.viewer import slide_over

LINE = (255, 212, 0)
STEPS = 100


def compare_slider(before: object, after: object, *, width: int = 520) -> Comparison:
    """A line to be pulled across an image: left of it the image as it was, right of it what came of
    it.

    before, after : Images, Predictions or arrays of the same size; volumes and movies have a slider
        for planes and frames.
    width : of the picture on the page, in pixels.

    Both are shown in one grey range, which noise does not set. The box shows each in its own.

    Examples
    --------
    >>> compare_slider(noisy, model.predict(noisy))  # doctest: +SKIP
    """
    return Comparison(as_image(before), as_image(after), width=width)


class Comparison(ipywidgets.VBox):
    """`line` is the slider of the line, from 0 (all after) to 100 (all before); `sliders` lead
    through Z and T; `picture` shows both.
    """

    def __init__(self, before: Image, after: Image, *, width: int):
        check_same_size(before, after)
        self.images, self.planes = (before, after), (None, None, [])
        common = find_contrast(after, before)
        self.contrasts = {
            False: (common, common),
            True: tuple(measure_contrast(_channels_last(i), rgb=i.is_rgb) for i in self.images),
        }
        scale = {
            "min": 0,
            "max": STEPS,
            "step": 1,
            "readout": False,
            "layout": {"width": f"{width}px"},
        }
        self.line = with_class(ipywidgets.IntSlider(value=STEPS // 2, **scale), "nb-compare-line")
        self.sliders = {
            axis: slide_over(axis, before.size(axis)) for axis in "TZ" if before.size(axis) > 1
        }
        self.own = with_class(
            ipywidgets.Checkbox(
                value=False, description="each in its own grey range", indent=False
            ),
            "nb-compare-own",
        )
        self.picture = make_picture("nb-compare-picture", width)
        words = ipywidgets.HBox(
            [ipywidgets.HTML(format_note("◀ before")), ipywidgets.HTML(format_note("after ▶"))]
        )
        words.layout = {"width": f"{width}px", "justify_content": "space-between"}
        for control in (self.line, *self.sliders.values(), self.own):
            control.observe(lambda _: self.draw(), "value")
        super().__init__([words, self.picture, self.line, *self.sliders.values(), self.own])
        self.add_class("nb-compare")
        self.draw()

    def draw(self) -> None:
        """Show the plane that the sliders point at, parted at the line."""
        self.picture.value = show.array_to_png(
            join_halves(*self._pictures(), share=self.line.value / STEPS)
        )

    def _pictures(self) -> list[np.ndarray]:
        """Both planes as colours; kept while only the line moves."""
        wanted = ({axis: slider.value for axis, slider in self.sliders.items()}, self.own.value)
        if self.planes[:-1] != wanted:
            pairs = zip(self.images, self.contrasts[self.own.value], strict=True)
            self.planes = (
                *wanted,
                [
                    enlarge(show.view(image.select(**wanted[0]), contrast=c).rgb)
                    for image, c in pairs
                ],
            )
        return self.planes[-1]


def join_halves(before: np.ndarray, after: np.ndarray, *, share: float) -> np.ndarray:
    """One picture of two (H, W, 3) uint8: the left `share` of `before`, the rest of `after`, a line
    between them.

    >>> join_halves(np.zeros((1, 4, 3), np.uint8), np.ones((1, 4, 3), np.uint8), share=0.5)[0, :, 1].tolist()
    [0, 0, 212, 1]
    """
    column = round(share * before.shape[1])
    both = np.concatenate([before[:, :column], after[:, column:]], axis=1)
    if 0 < column < before.shape[1]:
        both[:, column : column + max(1, before.shape[1] // 300)] = LINE
    return both


def _channels_last(image: Image) -> np.ndarray:
    return image.to(image.axes.replace("C", "") + "C").pixels
