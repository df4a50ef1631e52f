"""Pictures of findings: the outlines of the labels on their image, or two partners side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nbtools.checks import Finding
from nbtools.checks.finding import View as Files
from nbtools.checks.finding import read_view
from nbtools.checks.restoration_pairs import turn_clean
from nbtools.data import DataSet
from nbtools.image import Image
from nbtools.show.figure import Figure, draw_view, new_grid
from nbtools.show.views import View, paint, view

PICTURED = (
    "background_label",
    "binary_label",
    "clean_is_image",
    "doubtful_label",
    "exchanged_clean",
    "fades_with_depth",
    "holes",
    "image_is_label",
    "interpolated_label",
    "label_in_parts",
    "misplaced_label",
    "oversized_label",
    "shifted_clean",
    "shifted_label",
    "swapped",
    "turned_clean",
    "turned_label",
    "unknown_label",
    "unlabelled_nuclei",
    "unlike_clean",
)
MOST_PIXELS = 1024  # of the longest side of a panel


def found_pictures(
    dataset: DataSet, findings: Sequence[Finding], *, most: int = 12
) -> Iterator[tuple[Finding, Figure]]:
    """Draw what findings speak of, one picture per image, the gravest first.

    The labels are outlined on their image, and where a turn makes them fit, once more after it. A
    clean image stands beside the noisy one.

    Parameters
    ----------
    dataset : that was checked.
    findings : of `checks.check`.
    most : number of pictures.

    Yields
    ------
    The first finding about an image, and its figure.
    """
    named = {f.file: f for f in reversed(findings) if f.code in PICTURED}
    order = {id(f): place for place, f in enumerate(findings)}
    chosen = []
    for entry in dataset.entries:
        files = {dataset.relative(path) for path in entry.files.values()} | {entry.name}
        about = [named[file] for file in files if file in named]
        if about:
            chosen.append((min(about, key=lambda f: order[id(f)]), entry))
    for finding, entry in sorted(chosen, key=lambda pair: order[id(pair[0])])[:most]:
        yield finding, draw_found(read_view(dataset, entry), finding)


def draw_found(files: Files, finding: Finding) -> Figure:
    """Draw the files of one sample with what was found.

    Parameters
    ----------
    files : of the sample.
    finding : about one of them.
    """
    panels = [(view(_flatten(files.image), most=MOST_PIXELS), None, "image")]
    if files.label is not None and not files.label.is_rgb:
        panels += list(_draw_labels(files))
    if files.clean is not None and files.clean.axes == files.image.axes:
        panels.append((view(_flatten(files.clean), most=MOST_PIXELS), None, "clean"))
        turned = turn_clean(files) if finding.code == "turned_clean" else None
        if turned is not None:
            panels.append((view(turned.clean, most=MOST_PIXELS), None, "clean, turned"))
    alt = f"{finding.file}: {finding.message}"
    figure, places = new_grid([p[0] for p in panels], len(panels), alt=alt, inches=3.4)
    for axes, (seen, rgb, title) in zip(places, panels, strict=True):
        draw_view(axes, seen, title=title, rgb=rgb)
    return figure


def _draw_labels(files: Files) -> Iterator[tuple[View, np.ndarray | None, str]]:
    """The outlines on the image; after a turn, too; or the labels alone where shapes differ."""
    image, label = _flatten(files.image), _to_numbers(files.label)
    if label.shape != image.space_shape:
        yield view(Image(label.pixels, label.axes), most=MOST_PIXELS), None, "labels"
        return
    shown = view(image, label, most=MOST_PIXELS)
    yield shown, paint(shown.rgb, shown.label), "labels on the image"
    if files.fit is not None and files.fit.turned:
        turn = files.fit.turn
        turned = label.replace(pixels=np.ascontiguousarray(turn.apply(label.pixels)))
        shown = view(image, turned, most=MOST_PIXELS)
        yield shown, paint(shown.rgb, shown.label), f"labels {turn.name}"


def _flatten(image: Image) -> Image:
    """Without NaN, which has no grey level."""
    if image.pixels.dtype.kind != "f":
        return image
    return image.replace(pixels=np.nan_to_num(image.pixels))


def _to_numbers(label: Image) -> Image:
    """Labels as 32-bit numbers, whatever type they were stored in."""
    numbers = np.rint(np.nan_to_num(label.pixels)).astype(np.int64).clip(-1, 2**31 - 1)
    return label.replace(pixels=numbers.astype(np.int32), channels=())
