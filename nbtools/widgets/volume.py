"""View a volume without a plug-in: orthogonal slices with a crosshair, and a rotating view."""

from __future__ import annotations

import ipywidgets
import numpy as np

from nbtools import show
from nbtools.image import Image
from nbtools.show.colors import color_labels
from nbtools.show.contrast import measure_contrast
from nbtools.show.scene import prepare_scene
from nbtools.show.views import enlarge
from nbtools.show.volumes import check_place, choose_place
from nbtools.widgets.common import (
    STYLE,
    WIDE,
    format_note,
    make_html,
    make_outlines_box,
    make_picture,
)
from nbtools.widgets.viewer import make_axis_slider


def orthogonal(
    image: Image,
    label: Image | None = None,
    *,
    at: tuple[int, int, int] | None = None,
    width: int = 640,
) -> Orthogonal:
    """Make sliders through a volume along z, y and x: three slices in true proportions.

    Parameters
    ----------
    image : volume.
    label : label image, drawn as outlines.
    at : plane z, row y, column x to begin with; by default the middle of the labelled voxels, else
        of the volume.
    width : of the picture on the page, in pixels.

    Examples
    --------
    >>> orthogonal(volume, labels).value  # doctest: +SKIP
    (12, 48, 50)
    """
    return Orthogonal(image, label, at=at, width=width)


class Orthogonal(ipywidgets.VBox):
    """The widget of `orthogonal`; `value` is the place (z, y, x) under the crosshair."""

    def __init__(
        self,
        image: Image,
        label: Image | None = None,
        *,
        at: tuple[int, int, int] | None = None,
        width: int = 640,
    ):
        at = at or choose_place(image, label)
        check_place(at, image)
        self.image = image.select(T=0).to("ZYXC")
        self.label = self.colors = self.names = None
        if label is not None:
            self.names = label.select(T=0).to("ZYX")
            dense, self.colors = color_labels(np.maximum(self.names.pixels, 0))
            self.label = self.names.replace(pixels=dense)
        self.contrast = measure_contrast(self.image.pixels, rgb=image.is_rgb)
        self.sliders = {
            axis: make_axis_slider(axis, image.size(axis), start=value, widget="orthogonal")
            for axis, value in zip("ZYX", at, strict=True)
        }
        self.outlines = make_outlines_box("nb-orthogonal-outlines")
        self.place = make_html("nb-orthogonal-place")
        self.picture = make_picture("nb-orthogonal-picture", width)
        controls = [*self.sliders.values(), self.outlines]
        for control in controls:
            control.observe(lambda _: self.draw(), "value")
        if label is None:
            controls.remove(self.outlines)
        super().__init__([*controls, self.place, self.picture])
        self.add_class("nb-orthogonal")
        self.draw()

    @property
    def value(self) -> tuple[int, int, int]:
        """Plane z, row y, column x."""
        return tuple(self.sliders[axis].value for axis in "ZYX")

    @property
    def place_text(self) -> str:
        """Position in µm, grey values and label number under the crosshair."""
        at = self.value
        facts = ["grey value " + ", ".join(f"{v:g}" for v in self.image.pixels[at].tolist())]
        if spacing := self.image.spacing_um:
            places = zip("zyx", at, spacing, strict=True)
            facts.insert(0, ", ".join(f"{axis} {v * s:.4g}" for axis, v, s in places) + " µm")
        if self.names is not None and self.names.pixels[at] > 0:
            facts.append(f"nucleus {self.names.pixels[at]}")
        return " · ".join(facts)

    def draw(self) -> None:
        """Draw the slices through the current place."""
        label = self.label if self.outlines.value else None
        rgb = show.slices_rgb(
            self.image, label, at=self.value, contrast=self.contrast, colors=self.colors
        )
        self.place.value = format_note(self.place_text)
        self.picture.value = show.array_to_png(rgb)


def turntable(
    image: Image, label: Image | None = None, *, axis: str = "Y", width: int = 420
) -> Turntable:
    """Make a slider that rotates a volume; with labels, nuclei are coloured bodies.

    Parameters
    ----------
    image : volume.
    label : label image.
    axis : axis of rotation: "Y", "X" or "Z".
    width : of the picture on the page, in pixels.
    """
    return Turntable(image, label, axis=axis, width=width)


class Turntable(ipywidgets.VBox):
    """The widget of `turntable`; `value` is the angle in degrees."""

    def __init__(
        self, image: Image, label: Image | None = None, *, axis: str = "Y", width: int = 420
    ):
        self.scene = prepare_scene(image, label)
        self.axis = axis
        self.slider = ipywidgets.IntSlider(
            value=30,
            max=360,
            step=5,
            description="angle (°)",
            continuous_update=False,
            layout=WIDE,
            style=STYLE,
        )
        self.slider.add_class("nb-turntable-angle")
        self.picture = make_picture("nb-turntable-picture", width)
        self.slider.observe(lambda _: self.draw(), "value")
        super().__init__([self.slider, self.picture])
        self.add_class("nb-turntable")
        self.draw()

    @property
    def value(self) -> int:
        """The angle in degrees."""
        return self.slider.value

    def draw(self) -> None:
        """Draw the volume at the current angle."""
        self.picture.value = show.array_to_png(enlarge(self.scene.draw(self.value, self.axis), 420))
