"""Label nuclei by hand, or correct what a method has found; scribble for a method that learns from
it; mark centres or boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools.errors import UserError
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
    """A painter of labels on an image; `.label` is the label image as it stands, `.save()` writes
    it into a data set.

    Parameters
    ----------
    image : Image, sample or array of 2 or 3 dimensions, any bit depth. A sample's own label is
        begun with.
    label : labels to begin with, such as a Prediction to be corrected; without, nothing is
        labelled.
    classes : names of the classes that nuclei can be given with the keys 1 to 9.
    save_to : folder of the data set that takes images/NAME.tif, labels/NAME.tif and
        classes/NAME.csv. What is saved there already is gone on with, and so is unsaved work of an
        interrupted session.
    mark : "nuclei", their labels; "scribbles", some pixels as nucleus (1) or background (0), all
        others -1: nobody has said what they are; "centres" or "boxes" of nuclei, which go to
        centres/NAME.csv or boxes/NAME.csv.
    start_over : begin with `label` whatever lies there.

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
    if mark not in MARKS:
        raise UserError(
            "What is marked must be one of the painter's kinds.",
            repr(mark),
            f"Use one of: {', '.join(MARKS)}.",
        )
    given = getattr(image, "label", None) if label is None else label
    image, empty = prepare_image(as_image(image)), -1 if mark == "scribbles" else 0
    store = AnnotationStore(Path(save_to).expanduser(), image, mark=mark, start_over=start_over)
    saved, known = store.read()
    start = (
        saved
        if saved is not None
        else prepare_label(given if mark in LABELS else None, image, empty=empty)
    )
    editor = LabelEditor(start.to("ZYX").pixels, known, empty=empty)
    return _load_canvas()(image, editor, store=store, names=name_classes(classes, known.values()))


def name_classes(wanted: Sequence[str], known: object) -> tuple[str, ...]:
    """The classes asked for, and those that nuclei have already; nine at most, one for each
    digit.
    """
    names = tuple(dict.fromkeys([*wanted, *sorted(known)]))
    if len(names) > 9 or not all(str(n).strip() for n in names):
        raise UserError(
            "The digits 1 to 9 stand for classes.",
            f"{len(names)} classes: {', '.join(names)}",
            "Give at most nine names.",
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
