"""The painter on the page: the kernel holds the labels, the page shows one plane and sends strokes.

Messages are text and plain numbers, since Colab drops binary parts: a plane of the image is a PNG,
a plane of labels deflated runs, a stroke runs of pixels. The page numbers its actions; each answer
names the last action it includes, so that the page can draw later strokes on top of it.
"""

from __future__ import annotations

import base64
import io as bytestream
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import anywidget
import numpy as np
import traitlets
from PIL import Image as Picture

from nbtools.data import Sample
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.show.colors import PALETTE, color_labels
from nbtools.show.contrast import Contrast, measure_contrast
from nbtools.widgets.annotation_store import AnnotationStore
from nbtools.widgets.click_assist import ClickAssist
from nbtools.widgets.common import channels_last
from nbtools.widgets.label_editor import Journal, LabelEditor, encode_runs, pack_plane

if TYPE_CHECKING:
    from nbtools.methods import Method, Prediction

HERE = Path(__file__).parent
SCRIPTS = ("raster.js", "painter.js")
# pixels of a label whose neighbours get different colours; beyond, colours go round by number
MOST_COLORED = 5_000_000


class Painter(anywidget.AnyWidget):
    """A painter widget, made by `paint`.

    `label`, `classes` and `value` hold the current annotations, saved or not.
    """

    _esm = "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)
    _css = (HERE / "painter.css").read_text("utf-8")
    about = traitlets.Dict().tag(sync=True)
    scene = traitlets.Any().tag(sync=True, to_json=lambda _, painter: painter.write_scene())

    def __init__(
        self, image: Image, editor: LabelEditor, *, store: AnnotationStore, names: tuple[str, ...]
    ):
        self._image, self._editor, self._store, self._names = image, editor, store, names
        self._contrast = measure_contrast(channels_last(image), rgb=image.is_rgb)
        self._brightness = 0.0
        self._journal = Journal(store.journal_path(editor.label))
        self._plane = len(editor.label) // 2
        self._last_number = 0
        self._assist: ClickAssist | None = None
        self._saved: list[Callable[[], None]] = []
        self._set_message("")
        page = self._describe_page()
        if store.start_over:
            self._journal.clear()
        self._unsaved = self._resume()
        super().__init__(about=page)
        self.add_class("nb-painter")
        self.on_msg(self._on_message)

    @property
    def label(self) -> Image:
        """The current label image, with axes and pixel size of the image."""
        image = self._image
        pixels = self._editor.label.copy().reshape(image.space_shape)
        return Image(pixels, image.spatial, image.spacing, image.unit, name=image.name)

    @property
    def classes(self) -> dict[int, str]:
        """Class of each nucleus that has one."""
        return dict(self._editor.classes)

    @property
    def value(self) -> Sample:
        """The image with its annotations, as a data set takes it."""
        return self._store.make_sample(
            self.label, self.classes if self._names or self.classes else None
        )

    @property
    def seconds(self) -> float:
        """Working time in seconds, without pauses of more than half a minute."""
        return self._editor.seconds

    def assist_with(self, model: Method, prediction: Prediction | None = None) -> Painter:
        """Offer the tool Click: it adds the nucleus that a network sees at a lower threshold.

        Parameters
        ----------
        model : trained method that labels nuclei.
        prediction : of this image, made with `raw=True`; without it, the first click takes longer.

        Returns
        -------
        The painter.

        Raises
        ------
        UserError : the painter marks something else than nuclei.
        """
        if self._store.mark != "nuclei":
            raise UserError(
                "A click adds a nucleus.", f"a painter of {self._store.mark}", 'Use mark="nuclei".'
            )
        self._assist = ClickAssist(model, self._image, prediction=prediction)
        self.about = {**self.about, "assist": True}
        return self

    def apply(self, action: Mapping) -> None:
        """Apply one action of `label_editor.LabelEditor`, and add it to the journal.

        Parameters
        ----------
        action : {"do": kind, …}, as the page sends it; or {"do": "click", "z": plane, "place":
            index of a pixel in it}, which becomes the pixels of the nucleus there.
        """
        action = dict(action) | {"at": round(action.get("at", time.time()), 1)}
        if action.get("do") == "click":
            action = self._find_clicked(action)
        plane = self._editor.apply(action)
        if plane is not None:
            self._journal.add(self._editor.journal_entry(action))
            self._unsaved = True
            self._plane = plane

    def _find_clicked(self, action: Mapping) -> dict:
        """The action that adds the nucleus at the place of a click."""
        if self._assist is None:
            raise UserError(
                "A click needs a network.",
                "a painter without one",
                "Give it one: paint(image).assist_with(model).",
            )
        shape = self._editor.label.shape
        place = np.unravel_index(int(action["place"]), shape[1:])
        found = self._assist.find((int(action["z"]), *map(int, place)), self._editor.label)
        part = [self._editor.next_label, encode_runs(found).ravel().tolist()]
        self._set_message(f"Nucleus {part[0]} added: {len(found)} pixels")
        return {
            "do": "put",
            "parts": [part],
            "classes": dict(self._editor.classes),
            "plane": int(action["z"]),
            "at": action["at"],
        }

    def save(self) -> Path:
        """Write the annotations, and at first the image, into the data set; returns the file."""
        path = self._store.write(self.value)
        self._journal.clear()
        self._journal = Journal(self._store.journal_path(self._editor.label))
        self._journal.clear()
        self._unsaved = False
        self._set_message(f"Saved {self._count()} in {path}")
        for callback in self._saved:
            callback()
        return path

    def on_save(self, callback: Callable[[], None]) -> None:
        """Call a function whenever the annotations were saved."""
        self._saved.append(callback)

    def describe(self) -> str:
        """Describe in one line how much was annotated, and how fast."""
        if not self._editor.action_count:
            return f"{self._count()}; nothing painted yet."
        count = 0 if self._editor.empty else len(self._editor.counts)
        pace = f", {self.seconds / count:.0f} s per nucleus" if count and self.seconds else ""
        return (
            f"{self._count()}; {self._editor.action_count} strokes and other actions in "
            f"{self.seconds / 60:.1f} min{pace}."
        )

    def _count(self) -> str:
        if self._editor.empty:
            share = np.mean(self._editor.label != self._editor.empty)
            return f"scribbles on {share:.1%} of the pixels"
        return format_count(len(self._editor.counts))

    def write_scene(self) -> dict:
        """The shown plane with its labels, as text; made anew for each page that opens."""
        return self._write_plane(picture=True)

    def _resume(self) -> bool:
        """Apply the actions of the journal: work that was not saved."""
        actions = self._journal.read()
        try:
            for action in actions:
                plane = self._editor.apply(action)
                self._plane = self._plane if plane is None else plane
        except (UserError, KeyError, TypeError, ValueError):
            self._set_message("Some of the unsaved work could not be restored", error=True)
            return True
        if actions:
            self._set_message(
                f"Unsaved work of the last session is restored: {len(actions)} actions"
            )
        return bool(actions)

    def _on_message(self, _widget: object, message: Mapping, _buffers: object) -> None:
        """Answer the page; errors are shown there."""
        self._set_message("")
        action = message.get("action")
        shown = int(message.get("z", self._plane))
        self._last_number = max(self._last_number, int(message.get("number", 0)))
        self._plane = min(max(shown, 0), len(self._editor.label) - 1)
        picture = message.get("ask") == "plane"
        try:
            if message.get("ask") == "save":
                self.save()
            elif message.get("ask") == "brightness":
                self._brightness = float(message["value"])
                picture = True
            elif action:
                self.apply(action)
        except UserError as error:
            self._set_message(str(error), error=True)
        if picture or (action and (action["do"] != "paint" or self._error)):
            self.send(
                {"kind": "plane", **self._write_plane(picture=picture or self._plane != shown)}
            )
        else:
            self.send({"kind": "state", **self._write_state()})

    def _set_message(self, text: str, *, error: bool = False) -> None:
        self._message = text
        self._error = error

    def _write_state(self) -> dict:
        index = {name: k for k, name in enumerate(self._names, 1)}
        marks = [
            [label, index[name]] for label, name in self._editor.classes.items() if name in index
        ]
        return {
            "heard": self._last_number,
            "count": len(self._editor.counts),
            "next": self._editor.next_label,
            "unsaved": self._unsaved,
            "told": self._message,
            "error": self._error,
            "classes": marks,
            "undo": len(self._editor.done),
            "redo": len(self._editor.undone),
        }

    def _write_plane(self, *, picture: bool) -> dict:
        """State and labels of the shown plane; its picture where the page does not have it."""
        found = {"z": self._plane, "label": pack_plane(self._editor.label[self._plane])}
        if picture:
            plane = channels_last(self._image.select(Z=self._plane))
            rgb = brighten(self._contrast, self._brightness).color(plane)
            found["picture"] = to_png_text(rgb)
        return found | self._write_state()

    def _describe_page(self) -> dict:
        planes, height, width = self._editor.label.shape
        colors = (PALETTE * 255).round().astype(int).tolist()
        return {
            "width": width,
            "height": height,
            "planes": planes,
            "colors": colors,
            "names": list(self._names),
            "shades": choose_shades(self._editor.label),
            "name": self._image.name,
            "folder": str(self._store.folder),
            "empty": self._editor.empty,
            "mark": self._store.mark,
            "assist": self._assist is not None,
        }


def format_count(count: int) -> str:
    """Format a number of nuclei: "1 nucleus", "2 nuclei"."""
    return f"{count} {'nucleus' if count == 1 else 'nuclei'}"


def choose_shades(label: np.ndarray) -> list[list[int]]:
    """Choose a palette colour for each nucleus, unlike those of its neighbours.

    Parameters
    ----------
    label : (Z, Y, X) integers.

    Returns
    -------
    [label, index in the palette] of each nucleus; [] for large images, where colours follow
    numbers.
    """
    if not label.any() or label.size > MOST_COLORED:
        return []
    dense, colors = color_labels(np.maximum(label, 0))
    index = [int(np.argmin(np.abs(PALETTE - c).sum(axis=1))) for c in colors]
    numbers, first = np.unique(label, return_index=True)
    return [[int(n), index[dense.flat[i]]] for n, i in zip(numbers, first, strict=True) if n > 0]


def brighten(contrast: Contrast, steps: float) -> Contrast:
    """Halve the grey value that is shown as full colour at each step; pixels stay as they are.

    Parameters
    ----------
    contrast : contrast to change.
    steps : number of steps, negative to darken.
    """
    if steps == 0:
        return contrast
    high = contrast.low + (contrast.high - contrast.low) * 2.0**-steps
    return Contrast(contrast.low, high, contrast.tints)


def to_png_text(rgb: np.ndarray) -> str:
    """Encode colours (Y, X, 3) uint8 as PNG in base64, as grey where all channels are equal."""
    grey = (rgb[..., :1] == rgb).all()
    content = bytestream.BytesIO()
    Picture.fromarray(np.ascontiguousarray(rgb[..., 0] if grey else rgb)).save(
        content, format="PNG", compress_level=1
    )
    return base64.b64encode(content.getvalue()).decode("ascii")
