"""Figures of images: alone, with labels on top, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.show.figure import Figure, draw_single, draw_view, new_grid, new_rows, shorten
from nbtools.show.views import View, choose_cuts, paint, view


def images(data: object, *, columns: int = 4, limit: int = 16) -> Figure:
    """Draw images side by side, each with its own contrast.

    A volume is shown as maximum projections and slices.

    Parameters
    ----------
    data : an Image, a sample, a data set, an array, or several of these; name → image as a
        mapping.
    columns : images per row.
    limit : how many are shown; only these are read.

    Examples
    --------
    >>> images([np.eye(8), np.ones((8, 8))]).alt
    '2 images'
    >>> images({"one nucleus": np.eye(8)}).alt
    '1 image'
    """
    shown = [view(i) for i in collect_images(data, limit)]
    figure, places = new_grid(
        shown, columns, alt=_describe_count(len(shown)), inches=_choose_width(len(shown))
    )
    for axes, seen in zip(places, shown, strict=True):
        draw_view(axes, seen)
    _note_rest(figure, data, len(shown))
    return figure


def overlay(image: Image, label: Image, *, title: str | None = None) -> Figure:
    """Draw label outlines on one image; neighbours differ in colour.

    Parameters
    ----------
    image, label : image and label image of one size.
    title : by default the name of the image and the number of nuclei.
    """
    seen = view(as_image(image), as_image(label))
    count = _count_labels(label)
    return draw_single(
        seen,
        alt=f"{count} outlined nuclei on {seen.name or 'the image'}",
        title=_make_title(seen.name, count) if title is None else title,
        rgb=paint(seen.rgb, seen.label),
    )


def labels(label: Image, *, title: str | None = None) -> Figure:
    """Draw a label image alone, in colours that differ between neighbours."""
    label = as_image(label)
    seen = view(label.replace(pixels=np.zeros(label.shape, np.uint8)), label)
    count = _count_labels(label)
    blank = (
        np.where((seen.rgb == 255).all(axis=-1, keepdims=True), 255, 18)
        .astype(np.uint8)
        .repeat(3, axis=-1)
    )
    return draw_single(
        seen,
        alt=f"{count} labelled nuclei",
        title=_make_title(label.name, count) if title is None else title,
        rgb=paint(blank, seen.label, fill=0.85),
        inches=4.5,
    )


def sample(item: object) -> Figure:
    """Draw one sample: its image, and beside it the label outlines or the clean image."""
    return pairs([item], limit=1)


def pairs(data: Iterable, *, limit: int = 4) -> Figure:
    """Draw samples row by row: the image, its labels and its clean image, where it has them.

    Parameters
    ----------
    data : samples, or (image, label) pairs.
    limit : number of samples shown.
    """
    rows = _require_some([_make_row(item) for item in islice(data, limit)])
    return draw_rows(rows, alt=f"{len(rows)} images beside their partners")


def patches(data: Iterable, *, columns: int = 6, limit: int = 12) -> Figure:
    """Draw training patches as the network gets them, with label outlines on top.

    Augmentation must move image and label alike: the outlines show at a glance whether it does.

    Parameters
    ----------
    data : samples or (image, label) pairs of Images or arrays.
    columns : patches per row.
    limit : number of patches shown.
    """
    found = _require_some([_find_partners(item) for item in islice(data, limit)])
    shown = [view(i, label) for i, label, _ in found]
    figure, places = new_grid(
        shown, columns, alt=f"{len(shown)} training patches", inches=1.7, titles=False
    )
    for axes, seen in zip(places, shown, strict=True):
        draw_view(
            axes,
            seen if axes is places[0] else replace(seen, spacing_um=None),
            title="",
            rgb=None if seen.label is None else paint(seen.rgb, seen.label, fill=0.12, least=220),
        )
    return figure


def predictions(data: Iterable, predicted: Sequence, *, limit: int = 4) -> Figure:
    """Draw images row by row: the image, the prediction, and the true labels where there are some.

    Parameters
    ----------
    data : images or samples.
    predicted : label images or Predictions, in the same order.
    limit : number of images shown.
    """
    rows = _require_some(
        [
            _make_predicted_row(item, found)
            for item, found in islice(zip(data, predicted, strict=False), limit)
        ]
    )
    return draw_rows(rows, alt=f"predictions in {len(rows)} images")


def collect_images(data: object, limit: int) -> list[Image]:
    """Return the first images of an image, sample, data set, array, or several of these."""
    if isinstance(data, (Image, np.ndarray, str, Path)) or any(
        isinstance(getattr(data, part, None), Image) for part in ("image", "labels")
    ):
        return [as_image(data)]
    if callable(getattr(data, "image", None)):  # a data set: its labels need not be read
        found = [data.image(i) for i in range(min(limit, len(data)))]
    elif isinstance(data, Mapping):
        found = [as_image(item).replace(name=name) for name, item in islice(data.items(), limit)]
    else:
        found = [as_image(item) for item in islice(data, limit)]
    return _require_some(found)


def as_image(item: object) -> Image:
    """Convert an Image, a sample, a Prediction, an array or a path to an Image.

    Parameters
    ----------
    item : arrays have 2 or 3 dimensions; 8-bit ones with 3 channels last are colours; the path of
        a file is read.

    Raises
    ------
    UserError : none of these.
    """
    if getattr(item, "ndim", 0) == 3 and item.shape[-1] == 1 and not isinstance(item, Image):
        item = item[..., 0]
    return io.as_image(item, axes="ZYX")


def _find_partners(item: object) -> tuple[Image, Image | None, Image | None]:
    if isinstance(item, (tuple, list)):
        both = [as_image(part) for part in item[:2]]
        return both[0], both[1], None
    return as_image(item), getattr(item, "label", None), getattr(item, "clean", None)


def _make_row(item: object) -> list[tuple[View, str, bool]]:
    image, label, clean = _find_partners(item)
    name = shorten(getattr(item, "name", "") or image.name or "image")
    row = [(view(image, label), name, False)]
    if label is not None:
        row.append((row[0][0], _make_title("", _count_labels(label)), True))
    if clean is not None:
        row.append((view(clean), "clean", False))
    return row


def _make_predicted_row(item: object, found: object) -> list[tuple[View, str, bool]]:
    image, truth, _ = _find_partners(item)
    label = as_image(getattr(found, "labels", None) or found)
    cuts = choose_cuts(label if truth is None else truth)  # the same planes in all pictures
    seen = view(image, label, cuts=cuts)
    name = shorten(getattr(item, "name", "") or image.name or "image")
    row = [(seen, name, False), (seen, f"predicted: {_count_labels(label)}", True)]
    if truth is not None:
        row.append((view(image, truth, cuts=cuts), f"true: {_count_labels(truth)}", True))
    return row


def draw_rows(
    rows: list[list[tuple[View, str, bool]]],
    *,
    alt: str = "",
    head: float = 0.3,
    inches: float = 3.4,
) -> Figure:
    """Draw views row by row.

    Parameters
    ----------
    rows : (view, title, whether its labels are painted on it) for each picture.
    alt : text alternative.
    head : inches above each row for its titles.
    inches : width of a picture, at most.
    """
    columns = max(map(len, rows))
    inches = min(inches, 10 / columns)
    heights = [
        inches * row[0][0].size[0] / row[0][0].size[1]
        + (head if any(title for _, title, _ in row) else 0.06)
        for row in rows
    ]
    figure, grid = new_rows(inches * columns, heights, columns=columns, alt=alt)
    for r, row in enumerate(rows):
        for c, (seen, title, painted) in enumerate(row):
            draw_view(
                figure.add_subplot(grid[r, c]),
                seen,
                title=title,
                rgb=paint(seen.rgb, seen.label) if painted else None,
            )
    return figure


def _choose_width(count: int) -> float:
    return {1: 5.5, 2: 4.2, 3: 3.4}.get(count, 2.7)


def _count_labels(label: Image) -> int:
    return int(np.count_nonzero(np.unique(as_image(label).pixels) > 0))


def _make_title(name: str, count: int) -> str:
    text = f"{count} {'nucleus' if count == 1 else 'nuclei'}"
    return f"{shorten(name)} · {text}" if name else text


def _describe_count(shown: int) -> str:
    return f"{shown} image{'' if shown == 1 else 's'}"


def _note_rest(figure: Figure, data: object, shown: int) -> None:
    total = len(data) if hasattr(data, "__len__") and not isinstance(data, np.ndarray) else shown
    if total > shown:
        figure.supxlabel(f"the first {shown} of {total} images", fontsize=8, color="#767676")


def _require_some(found: list) -> list:
    if not found:
        raise UserError(
            "There must be at least one image to show.", "none", "Choose a data set with images."
        )
    return found
