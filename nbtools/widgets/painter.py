"""Label nuclei by hand, correct predictions, scribble, and mark centres or boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools.errors import UserError, require_choice
from nbtools.show.pictures import as_image
from nbtools.widgets.annotation_store import LABELS, AnnotationStore, prepare_image, prepare_label
from nbtools.widgets.label_editor import LabelEditor

if TYPE_CHECKING:
    from nbtools.widgets.canvas import Painter

FOLDER = "runs/painted"
MARKS = (*LABELS, "centres", "boxes")


def paint(
    image: object,
    label: object = None,
    *,
    classes: Sequence[str] = (),
    save_to: str | Path = FOLDER,
    mark: str = "nuclei",
    start_over: bool = False,
) -> Painter:
    """Make a painter of labels on an image; `.save()` writes them into a data set.

    What is saved there already is continued, and so is unsaved work of an interrupted session.

    Parameters
    ----------
    image : Image, sample or array of 2 or 3 dimensions, any bit depth. The label of a sample is the
        label to begin with.
    label : labels to begin with, such as a Prediction to be corrected.
    classes : names of classes, given to nuclei with the keys 1 to 9.
    save_to : folder of the data set, which gets images/NAME.tif, labels/NAME.tif and
        classes/NAME.csv.
    mark : "nuclei", labels of nuclei; "scribbles", some pixels as nucleus (1) or background (0),
        all others unknown (-1); "centres" or "boxes" of nuclei, saved in centres/NAME.csv or
        boxes/NAME.csv.
    start_over : begin with `label`, and ignore what is saved.

    Raises
    ------
    UserError : another kind of mark; image and label differ in size; a movie, or planes too large
        for a page; anywidget is not installed.

    Examples
    --------
    >>> painter = paint(image, save_to="my_nuclei")  # doctest: +SKIP
    >>> painter.label  # doctest: +SKIP
    Image('embryo', YX 256 x 256, int32, 0.2 x 0.2 um)
    """
    require_choice(mark, MARKS, rule="The kind of mark must be one that the painter knows.")
    given = getattr(image, "label", None) if label is None else label
    image = prepare_image(as_image(image))
    empty = -1 if mark == "scribbles" else 0
    store = AnnotationStore(Path(save_to).expanduser(), image, mark=mark, start_over=start_over)
    saved, known = store.read()
    if saved is None:
        saved = prepare_label(given if mark in LABELS else None, image, empty=empty)
    editor = LabelEditor(saved.to("ZYX").pixels, known, empty=empty)
    return _load_canvas()(image, editor, store=store, names=name_classes(classes, known.values()))


def name_classes(wanted: Sequence[str], known: object) -> tuple[str, ...]:
    """Join the wanted classes and those that nuclei already have: nine at most, one per digit.

    Parameters
    ----------
    wanted : names in the order of the digits.
    known : names that are in use.

    Raises
    ------
    UserError : more than nine names, or an empty one.
    """
    names = tuple(dict.fromkeys([*wanted, *sorted(known)]))
    if len(names) > 9 or not all(str(n).strip() for n in names):
        raise UserError(
            "Classes need names, nine at most: one per digit.",
            f"{len(names)} classes: {', '.join(names)}",
            "Give one to nine names, none of them empty.",
        )
    return names


def _load_canvas() -> type:
    try:
        from nbtools.widgets.canvas import Painter
    except ModuleNotFoundError as error:
        if error.name != "anywidget":
            raise
        raise UserError(
            "The painter needs the package anywidget.",
            "not installed",
            "Run: pip install anywidget.",
        ) from error
    return Painter
