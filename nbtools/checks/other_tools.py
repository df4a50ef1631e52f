"""Notes on labels that other programs wrote: what was decided, and how to convert the folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from nbtools import data, io
from nbtools.checks.finding import Finding, Overview, Regions, Requirements, View

MIN_LABELS = 3  # fewer regions of one grey value each may be a picture


def find_label_notes(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Tell what was decided while outlines or masks became a label image."""
    for note in view.label_notes:
        if note.code == io.MASKS:
            continue  # told once for the set, see `find_other_tool`
        yield Finding(note.code, note.severity, view.label_file, note.message, note.remedy)


def find_labels_as_image(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find images that hold labels: whole numbers, each a region of its own."""
    image = view.near.image
    if view.label is not None or image.pixels.dtype.kind not in "iu" or image.is_rgb:
        return
    if not data.hold_labels(image.pixels):
        return
    regions = Regions.of(image.pixels)
    if len(regions.values) >= MIN_LABELS and len(regions.part_values) <= 1.2 * len(regions.values):
        yield Finding(
            "image_is_label",
            "warning",
            view.file,
            f"The image looks like a label image: {len(regions.values)} numbers, each a region.",
            "Put label images into labels/ beside images/, under the names of their images.",
        )


def find_other_tool(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Name the program whose layout the folder has, and the command that converts it."""
    dataset = overview.dataset
    words = dataset.about.other_tool or _name_labels(overview)
    if not words or dataset.folder is None:
        return
    source = shlex.quote(os.path.normpath(dataset.folder))
    name = os.path.basename(os.path.abspath(dataset.folder))
    target = os.path.join(os.path.dirname(os.path.normpath(dataset.folder)), f"{name}_converted")
    yield Finding(
        "other_tool",
        "note",
        "",
        f"This looks like {words}. It is read as it is.",
        "To write it as a data set with images/ and labels/: "
        f"nbtools convert {source} --out {shlex.quote(target)}",
    )


def _name_labels(overview: Overview) -> str:
    """What the labels look like, where the folders are those of a data set."""
    reader = overview.dataset.reader
    for fact in overview.facts:
        if any(note.code == io.MASKS for note in reader.notes(fact.entry)):
            return "one mask per nucleus, in planes or files (as MoNuSeg has them)"
    return ""
