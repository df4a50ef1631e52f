"""Repaired copies of a data set; the original is not changed.

A repair is a line in `label_repairs`, `restoration_pairs` or `points_and_boxes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nbtools import io
from nbtools.checks.background import BACKGROUND_CHECKS
from nbtools.checks.depth import DEPTH_CHECKS
from nbtools.checks.finding import Finding, Requirements, View, read_view
from nbtools.checks.image_label_pairs import PAIR_CHECKS, is_swapped
from nbtools.checks.images import IMAGE_CHECKS
from nbtools.checks.label_repairs import (
    IMAGE_REPAIRS,
    LABEL_REPAIRS,
    RepairOptions,
    count_nuclei,
    mark_unknown,
)
from nbtools.checks.labels import PARTNER_CHECKS
from nbtools.checks.placement import PLACEMENT_CHECKS
from nbtools.checks.points_and_boxes import POINT_AND_BOX_CHECKS, POINT_AND_BOX_REPAIRS
from nbtools.checks.restoration_pairs import CLEAN_CHECKS, CLEAN_REPAIRS
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

LEAVE_OUT = (
    "unreadable",
    "axes_unknown",
    "missing_labels",
    "missing_clean",
    "unequal_shapes",
    "negative_label",
    "label_is_image",
    "image_is_label",
    "misplaced_label",
    "clean_is_image",
    "unlike_clean",
    "duplicate",
    "duplicate_between_splits",
    "missing_boxes",
    "missing_centres",
    "missing_classes",
)
RENUMBERED = (
    "binary_label",
    "antialiased_label",
    "label_in_parts",
    "background_label",
)
MAX_ROUNDS = 6  # a colour mask becomes grey, then a mask of two values, then labels
CHECKS = (
    *IMAGE_CHECKS,
    *BACKGROUND_CHECKS,
    *PARTNER_CHECKS,
    *PAIR_CHECKS,
    *PLACEMENT_CHECKS,
    *DEPTH_CHECKS,
    *CLEAN_CHECKS,
    *POINT_AND_BOX_CHECKS,
)
REPAIRED = {*LABEL_REPAIRS, *IMAGE_REPAIRS, *CLEAN_REPAIRS, *POINT_AND_BOX_REPAIRS, "swapped"}
MUST_REPAIR = {*LABEL_REPAIRS, *CLEAN_REPAIRS, "not_finite"}


class Changes(list):
    """What `fix` did: a line per file that was changed or left out, in words.

    Attributes
    ----------
    counts : for each image with labels, its file, its nuclei before and after the repair, and
        whether it was left out.
    """

    def __init__(self, lines: Sequence[str] = (), counts: Sequence[dict] = ()):
        super().__init__(lines)
        self.counts = list(counts)


def fix(
    dataset: DataSet,
    findings: Sequence[Finding],
    *,
    folder: str | Path,
    overwrite: bool = False,
    options: RepairOptions | None = None,
) -> Changes:
    """Write a repaired copy of a data set.

    Masks get numbers, whole real numbers become integers, separate parts of a label get numbers of
    their own, interpolated labels their inner values, background becomes 0, labels and clean images
    are turned where that is certain, grey colours become one channel, NaN the median, and boxes end
    at the border. Images that cannot be read, lack their partner or do not fit it are left out, and
    so are those whose labels would hold fewer nuclei afterwards, unless the options allow it.
    Everything else is copied unchanged.

    Parameters
    ----------
    dataset : the data set to repair.
    findings : of `check` on this data set.
    folder : of the copy.
    overwrite : replace a folder that holds an earlier copy.
    options : what else may be done.

    Returns
    -------
    One line per file that was changed or left out, and the numbers of nuclei.

    Raises
    ------
    UserError : the folder exists and must not be replaced.
    """
    codes: dict[str, set[str]] = {}
    for finding in findings:
        codes.setdefault(finding.file, set()).add(finding.code)
    changes, kept, options = Changes(), [], options or RepairOptions()
    with io.new_folder(folder, overwrite=overwrite, inputs=dataset.files()) as temporary:
        for entry in dataset.entries:
            view = read_view(dataset, entry)
            repaired, lines = _repair_sample(view, _find_codes(view, codes), options=options)
            changes += lines
            if view.label is not None and view.image is not None:
                changes.counts.append(_count(view, repaired, options=options))
            if repaired is None:
                continue
            kept.append(entry)
            target = temporary / entry.part
            if lines or entry.sample is not None or not _are_files_kept(dataset):
                write_sample(target, _to_sample(entry, repaired))
            else:
                copy_files(target, entry, kinds=tuple(entry.files))
        for part in {e.part for e in kept}:
            write_tables(
                temporary / part, [e for e in kept if e.part == part], meta=_meta(dataset, changes)
            )
    return changes


def _find_codes(view: View, codes: dict[str, set[str]]) -> set[str]:
    """Codes of the findings about the files of one sample."""
    files = (
        view.file,
        view.label_file,
        view.clean_file,
        view.boxes_file,
        view.centres_file,
        view.classes_file,
    )
    return set().union(*(codes.get(file, set()) for file in files))


def _count(view: View, repaired: View | None, *, options: RepairOptions) -> dict:
    """Nuclei of a sample before and after its repair; what is said to be unknown is no nucleus."""
    known = repaired if _are_exchanged(view, repaired) else view
    if _holds_unknown(known, options):
        known = replace(known, label=mark_unknown(known, options))
    return {
        "file": view.label_file or view.file,
        "before": count_nuclei(known),
        "after": 0 if repaired is None else count_nuclei(repaired),
        "left_out": repaired is None,
    }


def _are_exchanged(view: View, repaired: View | None) -> bool:
    """Whether the repair put the image in the place of the labels."""
    return repaired is not None and is_swapped(view)


def _repair_sample(
    view: View, found_codes: set[str], *, options: RepairOptions
) -> tuple[View | None, list[str]]:
    """The repaired files of a sample, None where it is left out, and what was done."""
    repaired, lines = view, []
    if view.image is not None and (found_codes & REPAIRED or _holds_unknown(view, options)):
        repaired, lines = _repair(view, found_codes, options=options)
    remaining = found_codes & set(LEAVE_OUT)
    if lines and not remaining:
        errors = {f.code for f in check_sample(repaired) if f.severity == "error"}
        remaining = errors & MUST_REPAIR
    if remaining or (found_codes & MUST_REPAIR and not lines):
        return None, [_describe_omission(view, sorted(remaining or found_codes))]
    counted = bool(lines) and view.label is not None
    count = _count(view, repaired, options=options) if counted else None
    if count and repaired.label is not view.label:
        before, after = count["before"], count["after"]
        if after < before and not options.allow_fewer:
            fewer = f"the repair would keep only {after} of {before} nuclei; see --allow-fewer"
            return None, [_describe_omission(view, [fewer])]
        lines.append(f"{view.label_file or view.file}: {before} nuclei before, {after} after")
    if view.classes and any(f"({code})" in line for line in lines for code in RENUMBERED):
        repaired = replace(repaired, classes=None)
        lines.append(f"{view.classes_file}: left out, because the nuclei have new numbers")
    return repaired, lines


def _describe_omission(view: View, reasons: Sequence[str]) -> str:
    """The line for a sample that is left out, with the nuclei that are lost by that."""
    count = count_nuclei(view) if view.image is not None else None
    lost = f"; with it {count} nuclei" if count else ""
    return f"{view.file}: left out ({', '.join(reasons)}){lost}"


def _repair(view: View, found_codes: set[str], *, options: RepairOptions) -> tuple[View, list[str]]:
    """Repair what was found, and what appears only after a first repair."""
    lines, done = [], set()
    if "swapped" in found_codes:
        view = replace(
            view, image=view.label.replace(channels=()), label=view.image.replace(channels=())
        )
        lines.append(f"{view.file}: swap image and label (swapped)")
    if _holds_unknown(view, options):
        view = replace(view, label=mark_unknown(view, options))
        lines.append(f"{view.label_file}: {_describe_repair(mark_unknown)} (unknown_label)")
    for _ in range(MAX_ROUNDS):
        found = [f.code for f in check_sample(view)]
        codes = [c for c in found if c in (found_codes | set(LABEL_REPAIRS)) - done]
        repaired, code, line = _repair_once(view, codes, options=options)
        if repaired is None:
            break
        view = repaired
        done.add(code)
        lines.append(line)
    return view, lines


def _repair_once(
    view: View, codes: list[str], *, options: RepairOptions
) -> tuple[View | None, str, str]:
    """The first repair that can be made for one of the codes, its code, and what was done."""
    for code in codes:
        file, repair, repaired = _apply(view, code, options=options)
        if repaired is not None:
            return repaired, code, f"{file}: {_describe_repair(repair)} ({code})"
    return None, "", ""


def _apply(
    view: View, code: str, *, options: RepairOptions
) -> tuple[str, Callable | None, View | None]:
    """The file that a code is about, its repair, and the view after it or None."""
    for attribute, file, repairs in (
        ("image", view.file, IMAGE_REPAIRS),
        ("label", view.label_file, LABEL_REPAIRS),
    ):
        if code in repairs:
            image = repairs[code](view, options)
            repaired = None if image is None else replace(view, **{attribute: image})
            return file, repairs[code], repaired
    if code in CLEAN_REPAIRS:
        return view.clean_file, CLEAN_REPAIRS[code], CLEAN_REPAIRS[code](view)
    if code in POINT_AND_BOX_REPAIRS:
        file = view.centres_file if code.startswith("centre") else view.boxes_file
        return file, POINT_AND_BOX_REPAIRS[code], POINT_AND_BOX_REPAIRS[code](view)
    return "", None, None


def _holds_unknown(view: View, options: RepairOptions) -> bool:
    """Whether the label image has pixels of a value that is said to mark what is unknown."""
    if not options.unknown or view.regions is None:
        return False
    return bool(set(options.unknown) & set(view.regions.values.tolist()))


def _describe_repair(repair: Callable) -> str:
    return repair.__name__.replace("_", " ")


def check_sample(view: View) -> list[Finding]:
    """Run all checks that need the files of one sample only, without requirements of a method."""
    return [f for find in CHECKS for f in find(view, Requirements())]


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
