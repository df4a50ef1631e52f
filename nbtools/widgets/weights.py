"""Choose shipped weights by what they find in an image of one's own, side by side."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import ipywidgets

from nbtools import methods, show
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.export.run import count_labels
from nbtools.geometry import crop_centre
from nbtools.image import Image
from nbtools.widgets.common import format_note, make_dropdown, make_html, make_picture, with_class

if TYPE_CHECKING:
    from nbtools.methods import Method

CLASSICAL = "otsu"  # without training; for images of one channel
SHOWN = {"Z": 32, "Y": 384, "X": 384}  # pixels of an image that are compared
WIDTH = 300  # px of a picture on the page


def pick_weights(images: DataSet) -> WeightsPicker:
    """Make a menu of the shipped weights that fit some images; `.model` is the loaded method.

    Each is shown at work on the middle of one of the images; a second menu has the others.

    Parameters
    ----------
    images : all of one kind: planes or volumes, grey or in colours.

    Examples
    --------
    >>> chosen = pick_weights(images)  # doctest: +SKIP
    >>> chosen.value  # doctest: +SKIP
    'nuclei2d'
    """
    return WeightsPicker(images)


class WeightsPicker(ipywidgets.VBox):
    """The widget of `pick_weights`; without a click, the weights suggested for the images.

    `menu` has the weights, `image` the images, `pictures` what each of the weights finds.
    """

    def __init__(self, images: DataSet):
        self.images = images
        first = images.image(0).select(T=0)
        names = methods.list_weights(first)
        if first.size("C") == 1:
            names.append(CLASSICAL)
        if not names:
            raise UserError(
                "Shipped weights are for images of one channel, or of three colours.",
                f"{first.size('C')} channels, axes {first.axes}",
                "Choose one channel.",
            )
        suggested = methods.suggest_weights(first)
        self.menu = make_dropdown(
            "Weights",
            names,
            name="nb-weights-menu",
            value=suggested if suggested in names else names[0],
        )
        numbers = [(name, number) for number, name in enumerate(images.names)]
        self.image = make_dropdown("Shown image", numbers, name="nb-weights-image", value=0)
        self.pictures = {name: make_picture("nb-weights-picture", WIDTH) for name in names}
        self.captions = {name: make_html("nb-weights-caption") for name in names}
        self.status = make_html("nb-weights-status")
        self._loaded: dict[str, Method] = {}
        self.image.observe(lambda _: self._show_found(), "value")
        self.menu.observe(lambda _: self._update(), "value")
        layout = ipywidgets.Layout(display="flex", flex_flow="row wrap", grid_gap="12px")
        columns = [ipywidgets.VBox([self.captions[n], self.pictures[n]]) for n in names]
        grid = with_class(ipywidgets.Box(columns, layout=layout), "nb-weights-pictures")
        super().__init__([self.image, grid, self.menu, self.status])
        self.add_class("nb-weights")
        self._show_found()

    @property
    def value(self) -> str:
        """Name of the chosen weights."""
        return self.menu.value

    @property
    def model(self) -> Method:
        """The method with the chosen weights."""
        return self._load(self.value)

    def _load(self, name: str) -> Method:
        if name not in self._loaded:
            self._loaded[name] = methods.load(name)
        return self._loaded[name]

    def _show_found(self) -> None:
        """Show what each of the weights finds in the chosen image."""
        self.found: dict[str, int | None] = {}
        part = cut_shown(self.images.image(self.image.value))
        for name, picture in self.pictures.items():
            try:
                found = self._load(name).predict(part)
            except UserError as error:
                self.found[name] = None
                self._caption(name, str(error))
                picture.layout.display = "none"
                continue
            self.found[name] = count_labels(found.labels)
            picture.value = show.array_to_png(show.result_rgb(part, found.result))
            picture.layout.display = ""
            self._caption(name, f"{self.found[name]} nuclei, {found.seconds:.1f} s")
        self._update()

    def _caption(self, name: str, text: str) -> None:
        self.captions[
            name
        ].value = f"<div style='max-width:{WIDTH}px'><b>{escape(name)}</b><br>{escape(text)}</div>"

    def _update(self) -> None:
        whole = self.images.image(self.image.value)
        part = cut_shown(whole)
        middle = " (its middle is shown)" if part.shape != whole.select(T=0).shape else ""
        self.status.value = format_note(
            f"{self.value} is taken. Counts in {whole.name}{middle}: look whose outlines fit; the "
            "highest count is not the best one."
        )


def cut_shown(image: Image) -> Image:
    """The middle of an image, of a movie of its first frame, small enough to wait for.

    Parameters
    ----------
    image : of any axes.
    """
    still = image.select(T=0)
    sizes = [SHOWN.get(axis, still.size(axis)) for axis in still.axes]
    return still.replace(pixels=crop_centre(still.pixels, sizes))
