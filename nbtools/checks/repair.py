"""Repaired copies of a data set; the original is not changed.

A repair is a line in LABEL_REPAIRS or IMAGE_REPAIRS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.checks.finding import Finding, Requirements, View, read_view
from nbtools.checks.image_label_pairs import PAIR_CHECKS, fill_holes
from nbtools.checks.images import IMAGE_CHECKS
from nbtools.checks.labels import PARTNER_CHECKS
from nbtools.checks.points_and_boxes import POINT_AND_BOX_CHECKS, POINT_AND_BOX_REPAIRS
from nbtools.data import (
    INPUT_KEYS,
    DataSet,
    Entry,
    Sample,
    copy_files,
    describe_input_options,
    write_sample,
    write_tables,
)
from nbtools.image import Image

LEAVE_OUT = (
    "unreadable",
    "axes_unknown",
    "missing_labels",
    "missing_clean",
    "unequal_shapes",
    "negative_label",
    "label_is_image",
    "duplicate",
    "duplicate_between_splits",
    "missing_boxes",
    "missing_centres",
    "missing_classes",
)
RENUMBERED = ("binary_label", "antialiased_label", "label_in_parts")
MAX_ROUNDS = 6  # a colour mask becomes grey, then a mask of two values, then labels


def number_objects(label: Image) -> Image:
    """Number the separate objects of a mask; values above half of the largest are foreground."""
    from skimage.measure import label as label_parts

    pixels = label.pixels
    return label.replace(
        pixels=label_parts(pixels > pixels.max() / 2, connectivity=pixels.ndim).astype(np.int32)
    )


def number_parts(label: Image) -> Image:
    """Give each separate part of a label a number of its own; pixels marked -1 stay."""
    from skimage.measure import label as label_parts

    parts = label_parts(
        np.maximum(label.pixels, 0), background=0, connectivity=label.pixels.ndim
    ).astype(np.int32)
    return label.replace(pixels=np.where(label.pixels < 0, -1, parts))


def round_label(label: Image) -> Image | None:
    """Convert whole numbers stored as real numbers to integers; None where they are not whole."""
    whole = np.isfinite(label.pixels).all() and (label.pixels == np.rint(label.pixels)).all()
    return label.replace(pixels=label.pixels.astype(np.int64)) if whole else None


def keep_one_channel(image: Image) -> Image | None:
    """Keep one channel of a grey image stored as colours; None where the channels differ."""
    if not (image.pixels == image.pixels[..., :1]).all():
        return None
    return image.select(C=0).replace(channels=())


def exchange_axes(label: Image) -> Image:
    """Exchange Y and X."""
    return label.replace(pixels=np.ascontiguousarray(np.swapaxes(label.pixels, -1, -2)))


def fill_with_median(image: Image) -> Image | None:
    """Replace NaN and infinity by the median of the other pixels; None where there are none."""
    finite = np.isfinite(image.pixels)
    return (
        image.replace(pixels=np.where(finite, image.pixels, np.median(image.pixels[finite])))
        if finite.any()
        else None
    )


LABEL_REPAIRS: dict[str, Callable[[Image], Image | None]] = {
    "rgb_label": keep_one_channel,
    "float_label": round_label,
    "binary_label": number_objects,
    "antialiased_label": number_objects,
    "label_in_parts": number_parts,
    "transposed_label": exchange_axes,
    "holes": fill_holes,
}
IMAGE_REPAIRS: dict[str, Callable[[Image], Image | None]] = {
    "grey_as_rgb": keep_one_channel,
    "not_finite": fill_with_median,
}


def fix(
    dataset: DataSet, findings: Sequence[Finding], *, folder: str | Path, overwrite: bool = False
) -> list[str]:
    """Write a repaired copy of a data set.

    Masks get numbers, whole real numbers become integers, separate parts of a label get numbers of
    their own, grey colours one channel, NaN the median, and boxes end at the border. Images that
    cannot be read, lack their partner or do not fit it are left out. Everything else is copied
    unchanged.

    Parameters
    ----------
    dataset : the data set to repair.
    findings : of `check` on this data set.
    folder : of the copy.
    overwrite : replace a folder that holds an earlier copy.

    Returns
    -------
    One line per file that was changed or left out.

    Raises
    ------
    UserError : the folder exists and must not be replaced.
    """
    codes: dict[str, set[str]] = {}
    for finding in findings:
        codes.setdefault(finding.file, set()).add(finding.code)
    changes, kept = [], []
    with io.new_folder(folder, overwrite=overwrite) as temporary:
        for entry in dataset.entries:
            lines, written = _fix_entry(temporary / entry.part, dataset, entry, codes=codes)
            changes += lines
            kept += [entry] if written else []
        for part in {e.part for e in kept}:
            write_tables(
                temporary / part, [e for e in kept if e.part == part], meta=_meta(dataset, changes)
            )
    return changes


def _fix_entry(
    folder: Path, dataset: DataSet, entry: Entry, *, codes: dict[str, set[str]]
) -> tuple[list[str], bool]:
    """What was changed in one sample, and whether it was written."""
    view = read_view(dataset, entry)
    files = (
        view.file,
        view.label_file,
        view.clean_file,
        view.boxes_file,
        view.centres_file,
        view.classes_file,
    )
    found_codes = set().union(*(codes.get(file, set()) for file in files))
    lines = []
    if (
        found_codes & {*LABEL_REPAIRS, *IMAGE_REPAIRS, *POINT_AND_BOX_REPAIRS, "swapped"}
        and view.image is not None
    ):
        view, lines = _repair(view, found_codes)
    remaining = found_codes & set(LEAVE_OUT) or (
        {f.code for f in check_sample(view) if f.severity == "error"} & {*LABEL_REPAIRS}
        if lines
        else set()
    )
    if remaining or (found_codes & {*LABEL_REPAIRS, "not_finite"} and not lines):
        return [f"{view.file}: left out ({', '.join(sorted(remaining or found_codes))})"], False
    if view.classes and any(f"({code})" in line for line in lines for code in RENUMBERED):
        view = replace(view, classes=None)
        lines.append(f"{view.classes_file}: left out, because the nuclei have new numbers")
    if lines or entry.sample is not None or not _are_files_kept(dataset):
        write_sample(folder, _to_sample(entry, view))
    else:
        copy_files(folder, entry, kinds=tuple(entry.files))
    return lines, True


def _repair(view: View, found_codes: set[str]) -> tuple[View, list[str]]:
    """Repair what was found_codes, and what appears only after a first repair."""
    lines = []
    if "swapped" in found_codes:
        view = replace(
            view, image=view.label.replace(channels=()), label=view.image.replace(channels=())
        )
        lines.append(f"{view.file}: swap image and label (swapped)")
    for _ in range(MAX_ROUNDS):
        codes = [
            f.code for f in check_sample(view) if f.code in found_codes or f.code in LABEL_REPAIRS
        ]
        repaired, line = _repair_once(view, codes)
        if repaired is None:
            break
        view = repaired
        lines.append(line)
    return view, lines


def _repair_once(view: View, codes: list[str]) -> tuple[View | None, str]:
    """The first repair for one of the codes, and what was done; None where there is none."""
    for attribute, file, repairs in (
        ("image", view.file, IMAGE_REPAIRS),
        ("label", view.label_file, LABEL_REPAIRS),
    ):
        code = next((c for c in codes if c in repairs), None)
        repaired = repairs[code](getattr(view, attribute)) if code else None
        if repaired is not None:
            return replace(
                view, **{attribute: repaired}
            ), f"{file}: {_describe_repair(repairs[code])} ({code})"
    code = next((c for c in codes if c in POINT_AND_BOX_REPAIRS), None)
    if code is None:
        return None, ""
    file = view.centres_file if code.startswith("centre") else view.boxes_file
    return POINT_AND_BOX_REPAIRS[code](
        view
    ), f"{file}: {_describe_repair(POINT_AND_BOX_REPAIRS[code])} ({code})"


def _describe_repair(repair: Callable) -> str:
    return repair.__name__.replace("_", " ")


def check_sample(view: View) -> list[Finding]:
    """Run all checks that need the files of one sample only, without requirements of a method."""
    return [
        f
        for find in (*IMAGE_CHECKS, *PARTNER_CHECKS, *PAIR_CHECKS, *POINT_AND_BOX_CHECKS)
        for f in find(view, Requirements())
    ]


def _to_sample(entry: Entry, view: View) -> Sample:
    return Sample(
        entry.name,
        view.image,
        view.label,
        view.clean,
        classes=view.classes,
        boxes=view.boxes,
        box_classes=view.box_classes,
        centres=view.centres,
    )


def _are_files_kept(dataset: DataSet) -> bool:
    """Whether files can be copied unchanged: no channel, time point or series was selected."""
    return dataset.options.reads_whole_files


def _meta(dataset: DataSet, changes: list[str]) -> dict:
    """dataset.toml of the copy, with the axes and spacing given on reading.

    They are left out where colours became grey or planes were selected.
    """
    meta = {k: v for k, v in dataset.meta.items() if k not in INPUT_KEYS}
    if not _are_files_kept(dataset):
        return meta
    gone = ("axes", "channels") if any("grey_as_rgb" in line for line in changes) else ()
    return {k: v for k, v in describe_input_options(dataset).items() if k not in gone} | meta
