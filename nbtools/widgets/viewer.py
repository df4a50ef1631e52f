"""Browse a volume or a movie, and explore the effect of a threshold."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets
import numpy as np

from nbtools import show
from nbtools.image import Image
from nbtools.show.colors import color_labels
from nbtools.show.contrast import measure_contrast
from nbtools.widgets.common import (
    STYLE,
    WIDE,
    channels_last,
    format_note,
    make_html,
    make_outlines_box,
    make_picture,
    with_class,
)

AXES = {"T": "frame t", "Z": "plane z", "Y": "row y", "X": "column x"}


def browse(image: Image, label: Image | None = None, *, width: int = 520) -> Browser:
    """Make sliders through the planes of a volume or the frames of a movie.

    Parameters
    ----------
    image : any image.
    label : label image, drawn as outlines.
    width : of the picture on the page, in pixels.

    Examples
    --------
    >>> browse(volume, labels)  # doctest: +SKIP
    """
    return Browser(image, label, width=width)


class Browser(ipywidgets.VBox):
    """The widget of `browse`: `sliders` over T and Z, and `picture`, the current plane."""

    def __init__(self, image: Image, label: Image | None = None, *, width: int = 520):
        self.image, self.label, self.colors = image, label, None
        if label is not None:
            dense, self.colors = color_labels(np.maximum(label.pixels, 0))
            self.label = label.replace(pixels=dense)
        self.contrast = measure_contrast(channels_last(image), rgb=image.is_rgb)
        self.sliders = make_sliders(image)
        self.outlines = make_outlines_box("nb-browse-outlines")
        self.picture = make_picture("nb-browse-picture", width)
        controls = [*self.sliders.values(), self.outlines]
        for control in controls:
            control.observe(lambda _: self.draw(), "value")
        if label is None:
            controls.remove(self.outlines)
        super().__init__([*controls, self.picture])
        self.add_class("nb-browse")
        self.draw()

    def draw(self) -> None:
        """Draw the current plane."""
        planes = {axis: slider.value for axis, slider in self.sliders.items()}
        label = None
        if self.label is not None and self.outlines.value:
            label = self.label.select(**planes)
        seen = show.view(self.image.select(**planes), label, contrast=self.contrast)
        rgb = seen.rgb
        if label is not None:
            rgb = show.paint(rgb, seen.label, colors=self.colors, fill=0.15)
        self.picture.value = show.array_to_png(rgb)


def explore_threshold(
    image: Image,
    decide: Callable[[float], Image],
    *,
    start: float = 0.5,
    limits: tuple = (0.0, 1.0),
) -> Explorer:
    """Make a slider of a threshold, with the outlines and the count that it gives.

    Parameters
    ----------
    image : image to segment.
    decide : function from threshold to label image, called once the slider rests.
    start : first value.
    limits : lowest and highest value.
    """
    return Explorer(image, decide, start=start, limits=limits)


class Explorer(ipywidgets.VBox):
    """The widget of `explore_threshold`; `value` is the threshold, `label` its label image."""

    def __init__(
        self,
        image: Image,
        decide: Callable[[float], Image],
        *,
        start: float,
        limits: tuple[float, float],
    ):
        self.image, self.decide, self.label = image, decide, None
        low, high = limits
        self.slider = ipywidgets.FloatSlider(
            value=start,
            min=low,
            max=high,
            step=(high - low) / 100,
            description="threshold",
            continuous_update=False,
            layout=WIDE,
            style=STYLE,
        )
        self.slider.add_class("nb-explore-slider")
        self.count = make_html("nb-explore-count")
        self.picture = make_picture("nb-explore-picture", 520)
        self.slider.observe(lambda _: self.draw(), "value")
        super().__init__([self.slider, self.count, self.picture])
        self.add_class("nb-explore")
        self.draw()

    @property
    def value(self) -> float:
        """The threshold."""
        return self.slider.value

    def draw(self) -> None:
        """Segment with the current threshold, and draw the result."""
        self.label = self.decide(self.value)
        count = int(np.count_nonzero(np.unique(self.label.pixels) > 0))
        self.count.value = format_note(
            f"{count} {'nucleus' if count == 1 else 'nuclei'} at threshold {self.value:.3g}"
        )
        self.picture.value = show.array_to_png(show.overlay_rgb(self.image, self.label))


def make_sliders(image: Image) -> dict[str, ipywidgets.IntSlider]:
    """Make sliders over the frames (T) and planes (Z) that an image has, by axis."""
    return {axis: make_axis_slider(axis, image.size(axis)) for axis in "TZ" if image.size(axis) > 1}


def make_axis_slider(
    axis: str, count: int, *, start: int | None = None, widget: str = "browse"
) -> ipywidgets.IntSlider:
    """Make a slider over the frames (T), planes (Z), rows (Y) or columns (X) of an image.

    Parameters
    ----------
    axis, count : name and length of the axis.
    start : first value; by default the middle plane, or the first frame.
    widget : part of the CSS class, "nb-WIDGET-AXIS".
    """
    if start is None:
        start = count // 2 if axis == "Z" else 0
    slider = ipywidgets.IntSlider(
        value=int(start), max=count - 1, description=AXES[axis], layout=WIDE, style=STYLE
    )
    return with_class(slider, f"nb-{widget}-{axis.lower()}")
