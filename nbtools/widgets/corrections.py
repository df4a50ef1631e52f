"""Correct the predictions of some images in the painter, and collect those that were saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from nbtools.data import DataSet, join
from nbtools.errors import UserError
from nbtools.widgets.common import format_error, format_note, make_button, make_dropdown, make_html
from nbtools.widgets.painter import paint

if TYPE_CHECKING:
    from nbtools.methods import Method
    from nbtools.widgets.canvas import Painter

FOLDER = "runs/corrected"


def correct(images: DataSet, model: Method, *, save_to: str | Path = FOLDER) -> Corrections:
    """Make a painter of the predictions of images; `.value` has those that a person has saved.

    Parameters
    ----------
    images : planes or volumes. Those that came with labels need no correction.
    model : predicts what the painting begins with, and helps where a nucleus is missing: the tool
        Click.
    save_to : folder of the data set of corrected images.

    Examples
    --------
    >>> hand = correct(images, model)  # doctest: +SKIP
    >>> hand.value  # doctest: +SKIP
    DataSet('corrected', 3 images with labels)
    """
    return Corrections(images, model, save_to=save_to)


class Corrections(ipywidgets.VBox):
    """The widget of `correct`.

    `image` is the menu of images, `painter` that of the shown one, `following` a button to the next
    image. Without a click, `value` has the images that came with labels.
    """

    def __init__(self, images: DataSet, model: Method, *, save_to: str | Path = FOLDER):
        self.images, self.model = images, model
        self.folder = Path(save_to).expanduser()
        numbers = [(name, number) for number, name in enumerate(images.names)]
        self.image = make_dropdown("Image", numbers, name="nb-correct-image", value=0)
        self.following = make_button("Next image", "nb-correct-next", icon="arrow-right")
        self.status = make_html("nb-correct-status")
        self.place = ipywidgets.Box([], layout={"width": "100%"})
        self.painter: Painter | None = None
        self.image.observe(lambda _: self._open(), "value")
        self.following.on_click(lambda _: self._go_on())
        row = ipywidgets.HBox([self.image, self.following])
        super().__init__([row, self.place, self.status])
        self.add_class("nb-correct")
        self._open()

    @property
    def value(self) -> DataSet:
        """The images whose labels can be learned from: those saved here, and those with labels.

        A prediction that nobody has saved is not among them.
        """
        saved = self._list_saved()
        parts = []
        if saved:
            opened = DataSet.open(self.folder)
            parts.append(opened.subset([opened.names.index(name) for name in saved]))
        given = [i for i in self._list_given() if self.images.names[i] not in saved]
        if given or not parts:
            parts.append(self.images.subset(given))
        return parts[0] if len(parts) == 1 else join(parts, named="corrected")

    def describe(self) -> str:
        """Which images can be learned from, in a sentence."""
        saved, given = self._list_saved(), self._list_given()
        count = len(self.images)
        of_all = f"of {count} image{'' if count == 1 else 's'}"
        told = [f"{len(saved)} {of_all} saved as corrected"] if saved else []
        rest = [i for i in given if self.images.names[i] not in saved]
        told += [f"{len(rest)} {of_all} came with labels"] if rest else []
        if told:
            return "; ".join(told) + "."
        return (
            f"None {of_all} was saved as corrected: nothing to learn from or to score by yet. "
            "Correct one, and press Save."
        )

    def _list_saved(self) -> list[str]:
        if not (self.folder / "labels").is_dir():
            return []
        opened = DataSet.open(self.folder)
        labelled = opened.which_have("labels")
        known = set(self.images.names)
        return [n for n, has in zip(opened.names, labelled, strict=True) if has and n in known]

    def _list_given(self) -> list[int]:
        return self.images.which_have("labels").nonzero()[0].tolist()

    def _open(self) -> None:
        """Show the painter on the chosen image, from its labels or the model's prediction."""
        number = self.image.value
        image = self.images.image(number).replace(name=self.images.names[number])
        self.following.disabled = number + 1 >= len(self.images)
        try:
            given = self.images[number].label
            found = self.model.predict(image, raw=True) if given is None else None
            self.painter = paint(image, found if given is None else given, save_to=self.folder)
            self.painter.assist_with(self.model, found)
        except UserError as error:
            self.painter = None
            self.place.children = []
            self.status.value = format_error(error)
            return
        self.painter.on_save(self._tell)
        self.place.children = [self.painter]
        self._tell()

    def _go_on(self) -> None:
        self.image.value = min(self.image.value + 1, len(self.images) - 1)

    def _tell(self) -> None:
        self.status.value = format_note(self.describe())
