"""Checks of boxes, centres and classes of single nuclei.

A check takes a View and Requirements and yields findings; add it to POINT_AND_BOX_CHECKS, and its
repair to POINT_AND_BOX_REPAIRS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from nbtools.checks.correspondence import Comparison
from nbtools.checks.finding import Finding, Requirements, View
from nbtools.checks.marks import (
    drop_repeated_centres,
    find_boxes_without_class,
    find_marks_on_nothing,
    find_repeated_centres,
)

MAX_OVERHANG_PX = 1.0  # of a box beyond the image: programs count from 0 or from 1
MAX_BESIDE_SHARE = 0.25
MIN_MARKS = 3  # boxes or centres, below which their places tell little
MAX_RADIUS_PX = 12  # of the disc that is drawn around a centre
MARKS = {"box": "boxes", "centre": "centres"}
EXCHANGED = "with X and Y exchanged"
BOX_FAULTS = {  # code: severity, fault, remedy
    "box_without_area": (
        "error",
        "end before they begin",
        (
            "nbtools check --fix leaves them out; the near corner comes first, and columns are "
            "y0, x0, y1, x1."
        ),
    ),
    "box_outside": (
        "warning",
        "reach beyond the image",
        (
            "nbtools check --fix clips them at the border; if most boxes are affected, x and y are "
            "exchanged, or the image was scaled."
        ),
    ),
    "box_twice": ("warning", "are listed twice", "nbtools check --fix keeps one of each."),
}


def find_bad_boxes(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find boxes without area, outside the image or listed twice, and empty tables of boxes."""
    if view.boxes is None:
        return
    count, file = len(view.boxes), view.boxes_file
    if not count:
        yield Finding(
            "empty_boxes",
            "warning",
            file,
            "The table of boxes is empty.",
            "Keep it if the image shows no nuclei; otherwise draw boxes, or remove the pair.",
        )
    found = {
        "box_without_area": int((~_have_area(view)).sum()),
        "box_outside": int((_overhang(view) > MAX_OVERHANG_PX).sum()),
        "box_twice": count - len(np.unique(view.boxes, axis=0)),
    }
    for code, number in found.items():
        if number:
            severity, fault, remedy = BOX_FAULTS[code]
            yield Finding(code, severity, file, f"{number} of {count} boxes {fault}.", remedy)


def find_bad_centres(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find centres outside the image or beside the labelled nuclei, and empty tables of centres."""
    if view.centres is None:
        return
    count, file = len(view.centres), view.centres_file
    if not count:
        yield Finding(
            "empty_centres",
            "warning",
            file,
            "There are no centres.",
            "Keep it if the image shows no nuclei; otherwise mark them, or remove the pair.",
        )
    inside = _are_inside(view)
    if not inside.all():
        yield Finding(
            "centre_outside",
            "error",
            file,
            f"{int((~inside).sum())} of {count} centres lie outside the image.",
            (
                "nbtools check --fix leaves them out; check whether x and y are exchanged, or "
                "given in µm instead of pixels."
            ),
        )
    elif count and view.label is not None and view.label.shape == view.image.space_shape:
        highest = np.array(view.image.space_shape) - 1
        places = tuple(np.rint(view.centres).astype(int).clip(0, highest).T)
        beside = int((view.label.pixels[places] == 0).sum())
        if beside > MAX_BESIDE_SHARE * count:
            yield Finding(
                "centre_beside_nucleus",
                "warning",
                file,
                f"{beside} of {count} centres lie beside the labelled nuclei.",
                "Check that both belong to this image, and the order of y and x.",
            )


def find_bad_classes(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find classes of labels that the label image does not contain."""
    if not view.classes or view.regions is None:
        return
    unknown = sorted(set(view.classes) - set(view.regions.values.tolist()))
    if unknown:
        some = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        yield Finding(
            "class_without_nucleus",
            "warning",
            view.classes_file,
            (
                f"{len(unknown)} of {len(view.classes)} classes belong to labels that do not "
                f"exist: {some}."
            ),
            "Export table and labels together; editing can change the numbers of labels.",
        )


def find_misplaced_marks(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Find boxes and centres that do not lie on the nuclei of their image, as for X and Y."""
    view = view.near
    turned = list(_find_turned_marks(view))
    yield from turned
    if not turned:
        yield from find_marks_on_nothing(view, requirements)


def _find_turned_marks(view: View) -> Iterator[Finding]:
    for kind, file, marks in (
        ("box", view.boxes_file, draw_boxes(view)),
        ("centre", view.centres_file, draw_centres(view)),
    ):
        if marks is None or "T" in view.image.axes or len(np.unique(marks)) <= MIN_MARKS:
            continue
        fit = Comparison(view.image, marks).fit
        if fit is None or not fit.structured or not fit.turned:
            continue
        exchanged = fit.turn.name == EXCHANGED
        yield Finding(
            f"turned_{kind}",
            "error",
            file,
            (f"The {MARKS[kind]} do not lie on the nuclei of this image; {fit.turn.name} they do."),
            "nbtools check --fix exchanges y and x; see how the columns are named."
            if exchanged
            else "Export them with the orientation of the image.",
        )


def draw_centres(view: View) -> np.ndarray | None:
    """(*space) label image of small discs around the centres; None without centres.

    Parameters
    ----------
    view : image and centres, which lie inside it.
    """
    from scipy import spatial

    if view.centres is None or len(view.centres) < 2 or not _are_inside(view).all():
        return None
    near = spatial.cKDTree(view.centres).query(view.centres, k=2)[0][:, 1]
    radius = int(np.clip(np.median(near) / 4, 2, MAX_RADIUS_PX))
    marks = np.zeros(view.image.space_shape, np.int32)
    for number, place in enumerate(np.rint(view.centres).astype(int), start=1):
        marks[tuple(slice(max(0, p - radius), p + radius + 1) for p in place)] = number
    return marks


def draw_boxes(view: View) -> np.ndarray | None:
    """(*space) label image of the boxes; None without boxes that lie inside the image.

    Parameters
    ----------
    view : image and boxes.
    """
    if view.boxes is None or not len(view.boxes) or _overhang(view).max() > MAX_OVERHANG_PX:
        return None
    if not _have_area(view).all():
        return None
    near, far = (np.rint(c).astype(int) for c in _corners(view))
    order = {2: [0, 1], 3: [2, 0, 1]}[near.shape[1]]
    marks = np.zeros(view.image.space_shape, np.int32)
    sizes = (far - near).prod(axis=1)
    for number in np.argsort(-sizes):  # small boxes over large ones
        low, high = near[number, order].clip(0), far[number, order]
        marks[tuple(map(slice, low, high))] = number + 1
    return marks


def exchange_columns_of_centres(view: View) -> View | None:
    """Exchange y and x of centres where that makes them fit; None otherwise."""
    marks = draw_centres(view)
    fit = None if marks is None else Comparison(view.image, marks).fit
    if fit is None or not fit.turned or fit.turn.name != EXCHANGED:
        return None
    order = [*range(view.centres.shape[1] - 2), -1, -2]
    return replace(view, centres=view.centres[:, order])


def exchange_columns_of_boxes(view: View) -> View | None:
    """Exchange y and x of boxes where that makes them fit; None otherwise."""
    marks = draw_boxes(view)
    fit = None if marks is None else Comparison(view.image, marks).fit
    if fit is None or not fit.turned or fit.turn.name != EXCHANGED:
        return None
    return replace(view, boxes=view.boxes[:, [1, 0, 3, 2, *range(4, view.boxes.shape[1])]])


def drop_flat_boxes(view: View) -> View:
    """Drop boxes that have no area."""
    return _keep_boxes(view, _have_area(view))


def clip_boxes(view: View) -> View:
    """Clip boxes at the border of the image; those that lie outside are dropped."""
    low, high = _limits(view)
    clipped = replace(view, boxes=view.boxes.clip(low, high))
    return _keep_boxes(clipped, _have_area(clipped))


def drop_repeated_boxes(view: View) -> View:
    """Keep one of each box."""
    return _keep_boxes(
        view,
        np.isin(np.arange(len(view.boxes)), np.unique(view.boxes, axis=0, return_index=True)[1]),
    )


def drop_outer_centres(view: View) -> View:
    """Drop centres outside the image."""
    return replace(view, centres=view.centres[_are_inside(view)])


POINT_AND_BOX_CHECKS = [
    find_bad_boxes,
    find_boxes_without_class,
    find_bad_centres,
    find_repeated_centres,
    find_bad_classes,
    find_misplaced_marks,
]
POINT_AND_BOX_REPAIRS: dict[str, Callable[[View], View | None]] = {
    "box_without_area": drop_flat_boxes,
    "box_outside": clip_boxes,
    "box_twice": drop_repeated_boxes,
    "centre_outside": drop_outer_centres,
    "centre_twice": drop_repeated_centres,
    "turned_centre": exchange_columns_of_centres,
    "turned_box": exchange_columns_of_boxes,
}


def _keep_boxes(view: View, kept: np.ndarray) -> View:
    return replace(
        view,
        boxes=view.boxes[kept],
        box_classes=tuple(c for c, keep in zip(view.box_classes, kept, strict=False) if keep),
    )


def _corners(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Near and far corners (n, ndim), in the order Y, X, Z."""
    columns = [0, 1, 4][: view.boxes.shape[1] // 2]
    step = np.array([2, 2, 1][: len(columns)])
    return view.boxes[:, columns], view.boxes[:, np.array(columns) + step]


def _have_area(view: View) -> np.ndarray:
    near, far = _corners(view)
    return (far > near).all(axis=1)


def _limits(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each column of boxes."""
    size = view.image.size
    high = [size("Y"), size("X"), size("Y"), size("X"), size("Z"), size("Z")][: view.boxes.shape[1]]
    return np.zeros(len(high)), np.array(high, float)


def _overhang(view: View) -> np.ndarray:
    """How far each box reaches beyond the image, in px."""
    low, high = _limits(view)
    return np.maximum(low - view.boxes, view.boxes - high).max(axis=1, initial=0)


def _are_inside(view: View) -> np.ndarray:
    return ((view.centres >= -0.5) & (view.centres <= np.array(view.image.space_shape) - 0.5)).all(
        axis=1
    )
