"""Sort crops of nuclei into classes with the keyboard: a grid, keys for classes, and undo."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import ipywidgets
import numpy as np

from nbtools import methods, show
from nbtools.data import DataSet
from nbtools.data.crops import MASK
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods.method import Method
from nbtools.show.colors import name_colors
from nbtools.show.contrast import Contrast, measure_contrast
from nbtools.widgets.answers import Answers
from nbtools.widgets.common import (
    WIDE,
    channels_last,
    format_note,
    make_html,
    make_picture,
    with_class,
)

COLUMNS, SIDE, FRAME = 8, 72, 4  # crops in a row; px of a crop, and of the frame around it
LARGE = 224  # px of the current crop beside the grid
MEASURED = 64  # crops on which the grey range of all is measured
FOREST = {"trees": 60}  # of a forest: enough to tell what it is not sure of
HELP = "Click into this field once, then type"


def sort_images(
    images: DataSet,
    *,
    classes: Sequence[str] = (),
    folder: str | Path | None = None,
    learner: str | Method | None = "feature_forest",
    per_page: int = 24,
) -> SortImages:
    """Make a grid of images that are sorted into classes by the keyboard alone.

    A digit gives the framed image its class and goes on, 0 or a space skips it, comma and point go
    back and on, Backspace undoes. Each answer is stored in classes.csv at once, so that a session
    goes on where it stopped. Once each class has three images, those come next that the learner is
    least sure of.

    Parameters
    ----------
    images : crops of nuclei, or any images; those with a class are sorted already.
    classes : names, in the order of the keys 1 to 9; classes of the images are added.
    folder : of the table; None: that of the images, and of images in memory "runs/sorted", where
        the images are written, too.
    learner : method that learns from the sorted images for each page, a trained classifier, or None
        for the order of the images.
    per_page : images of a grid.

    Returns
    -------
    SortImages : `.value` is the data set of the sorted images.

    Raises
    ------
    UserError : no classes or more than 9, or a folder with other images.

    Examples
    --------
    >>> sort_images(crops, classes=("interphase", "mitosis"))  # doctest: +SKIP
    """
    place = Path(folder or images.folder or "runs/sorted")
    chosen = _make_learner(learner) if isinstance(learner, str) else learner
    about = {"folder": place, "learner": chosen, "per_page": per_page}
    return SortImages(Answers(images, classes, **about))


class SortImages(ipywidgets.VBox):
    """The widget of `sort_images`.

    `field` is typed into: what stands in it are the answers of this session, one letter each.
    `grid` shows the page, `large` the image that is asked for, `status` the counts.
    """

    def __init__(self, answers: Answers):
        self.answers, self.typed = answers, ""
        self.contrast = _measure_range(answers.images)
        self.colors = name_colors(answers.names)
        self.legend, self.status = make_html("nb-sort-legend"), make_html("nb-sort-status")
        width = COLUMNS * (SIDE + 2 * FRAME)
        self.grid = make_picture("nb-sort-grid", width)
        self.large = make_picture("nb-sort-large", LARGE)
        field = ipywidgets.Text(placeholder=HELP, continuous_update=True, layout=WIDE)
        self.field = with_class(field, "nb-sort-field")
        self.thumbnails: dict[str, np.ndarray] = {}
        self.field.observe(lambda change: self.type(change["new"]), "value")
        self.legend.value = self._draw_legend()
        pictures = ipywidgets.HBox([self.grid, self.large])
        super().__init__([self.legend, self.field, self.status, pictures])
        self.add_class("nb-sort")
        self.draw()

    @property
    def value(self) -> DataSet:
        """The images with an answer, with their classes."""
        return self.answers.sorted_images()

    def sort(self, name: str, kind: str) -> None:
        """Give an image a class, as a key does; see `Answers.sort`."""
        self.answers.sort(name, kind)
        self.draw()

    def type(self, text: str) -> None:
        """Take what stands in the field: new letters are answers, letters taken away are undone.

        Parameters
        ----------
        text : all that stands in the field now.
        """
        same = 0
        while same < min(len(self.typed), len(text)) and self.typed[same] == text[same]:
            same += 1
        for _ in self.typed[same:]:
            self.answers.undo()
        for key in text[same:]:
            self.press(key)
        self.typed = text
        self.draw()

    def press(self, key: str) -> None:
        """Take one key.

        Parameters
        ----------
        key : a digit, a space, "," or "."; another one changes nothing.
        """
        if key in (",", "."):
            self.answers.move(1 if key == "." else -1)
        else:
            skips = key in (" ", "0")
            number = int(key) if key in "123456789" else -1
            self.answers.answer(0 if skips else number)

    def draw(self) -> None:
        """Draw the page and the image that is asked for."""
        answers = self.answers
        tiles = [self._draw_tile(name) for name in answers.page]
        self.grid.value = show.array_to_png(join_tiles(tiles))
        blank = np.full((LARGE, LARGE, 3), 255, np.uint8)
        name = answers.current
        self.large.value = show.array_to_png(
            blank if name is None else fit(self._picture(name), LARGE)
        )
        counts = [f"{list(answers.classes.values()).count(kind)} {kind}" for kind in answers.names]
        words = [", ".join(counts), f"{len(answers.left)} left", answers.note]
        self.status.value = format_note(" · ".join(word for word in words if word))

    def _draw_tile(self, name: str) -> np.ndarray:
        """An image in the frame of its class; black around the one that is asked for."""
        side = SIDE + 2 * FRAME
        tile = np.full((side, side, 3), 255, np.uint8)
        kind = self.answers.classes.get(name)
        if kind is not None:
            tile[:] = list(bytes.fromhex(self.colors[kind].lstrip("#")))
        elif name in self.answers.skipped:
            tile[:] = 190
        if name == self.answers.current:
            tile[: FRAME // 2] = tile[-FRAME // 2 :] = 0
            tile[:, : FRAME // 2] = tile[:, -FRAME // 2 :] = 0
        tile[FRAME:-FRAME, FRAME:-FRAME] = fit(self._picture(name), SIDE)
        return tile

    def _picture(self, name: str) -> np.ndarray:
        if name not in self.thumbnails:
            image = self.answers.images.image(self.answers.images.names.index(name))
            self.thumbnails[name] = self.contrast.color(flatten(image))
        return self.thumbnails[name]

    def _draw_legend(self) -> str:
        chips = []
        for number, kind in enumerate(self.answers.names, 1):
            style = f"background:{self.colors[kind]};color:white;padding:1px 6px"
            chips.append(f"<span style='{style}'><b>{number}</b> {escape(kind)}</span>")
        chips.append("<b>0</b> skip · <b>,</b> back · <b>.</b> on · <b>Backspace</b> undo")
        return f"<div style='padding:2px 8px'>{' '.join(chips)}</div>"


def flatten(image: Image) -> np.ndarray:
    """The pixels (Y, X, C) of an image; of a volume the maximum along Z, outlines left out."""
    image = image.select(T=0)
    pixels = channels_last(image)
    if image.channels and MASK in image.channels:
        kept = [i for i, name in enumerate(image.channels) if name != MASK]
        pixels = pixels[..., kept]
    return pixels.max(axis=0) if pixels.ndim == 4 else pixels


def fit(rgb: np.ndarray, side: int) -> np.ndarray:
    """Enlarge or reduce a picture to fit into a square, black around it.

    Parameters
    ----------
    rgb : (H, W, 3) uint8.
    side : of the square, in pixels.

    Examples
    --------
    >>> fit(np.full((2, 4, 3), 9, np.uint8), 4)[..., 0].tolist()
    [[0, 0, 0, 0], [9, 9, 9, 9], [9, 9, 9, 9], [0, 0, 0, 0]]
    """
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = [max(1, round(n * scale)) for n in (height, width)]
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(int)
        for new, old in zip(size, (height, width), strict=True)
    )
    square = np.zeros((side, side, 3), np.uint8)
    top, left = ((side - n) // 2 for n in size)
    square[top : top + size[0], left : left + size[1]] = rgb[np.ix_(rows, columns)]
    return square


def join_tiles(tiles: list[np.ndarray]) -> np.ndarray:
    """Pictures of one size in rows of COLUMNS, white where there are none."""
    side = SIDE + 2 * FRAME
    rows = max(1, -(-len(tiles) // COLUMNS))
    page = np.full((rows * side, COLUMNS * side, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        page[row * side : (row + 1) * side, column * side : (column + 1) * side] = tile
    return page


def _measure_range(images: DataSet) -> Contrast:
    """One grey range for all images, so that brightness can be compared."""
    if not len(images):
        raise UserError(
            "There must be images to sort.", "none", "Cut some first: nbtools.data.cut_crops."
        )
    chosen = np.unique(np.linspace(0, len(images) - 1, MEASURED).astype(int)).tolist()
    seen = [flatten(images.image(i)) for i in chosen]
    pixels = np.concatenate([one.reshape(-1, one.shape[-1]) for one in seen])
    return measure_contrast(pixels, rgb=images.image(0).is_rgb)


def _make_learner(name: str) -> object:
    """A function that trains a method on the sorted images."""
    kind = methods.get(name)
    known = {declared.name for declared in kind.Settings.declarations()}
    settings = {key: value for key, value in FOREST.items() if key in known}

    def learn(images: DataSet) -> Method:
        method = kind(**settings)
        method.fit(images)
        return method

    return learn
