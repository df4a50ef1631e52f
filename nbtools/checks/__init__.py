"""Checks of a data set: what is wrong, in plain words, with a remedy.

A check is a function in one of the lists IMAGE_CHECKS, NOISE_CHECKS, PARTNER_CHECKS, PAIR_CHECKS,
PLACEMENT_CHECKS, POINT_AND_BOX_CHECKS (of single samples), DATASET_CHECKS, PIXEL_SIZE_CHECKS and
BALANCE_CHECKS (of the set). It yields findings. Why a finding matters is a line in `reasons`; its
repair, if there is one, a line in `repair` or `points_and_boxes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nbtools.checks.background import BACKGROUND_CHECKS
from nbtools.checks.class_balance import BALANCE_CHECKS, collect_facts
from nbtools.checks.dataset import DATASET_CHECKS, find_missing_partners, find_no_images
from nbtools.checks.depth import DEPTH_CHECKS
from nbtools.checks.finding import (
    SEVERITIES,
    Facts,
    Finding,
    Overview,
    Requirements,
    View,
    read_view,
)
from nbtools.checks.image_label_pairs import (
    PAIR_CHECKS,
    find_beside,
    find_swapped,
    is_beside,
)
from nbtools.checks.images import IMAGE_CHECKS
from nbtools.checks.label_repairs import RepairOptions
from nbtools.checks.labels import PARTNER_CHECKS
from nbtools.checks.large import is_beyond, require_memory
from nbtools.checks.noise import NOISE_CHECKS
from nbtools.checks.pixel_sizes import PIXEL_SIZE_CHECKS, are_calibrated, check_pixel_sizes
from nbtools.checks.placement import PLACEMENT_CHECKS, find_copied, find_misplaced, find_turned
from nbtools.checks.points_and_boxes import POINT_AND_BOX_CHECKS
from nbtools.checks.reasons import explain
from nbtools.checks.repair import Changes, fix
from nbtools.checks.restoration_pairs import CLEAN_CHECKS
from nbtools.data import DataSet, Entry
from nbtools.errors import UserError

__all__ = [
    "BACKGROUND_CHECKS",
    "BALANCE_CHECKS",
    "CLEAN_CHECKS",
    "DATASET_CHECKS",
    "DEPTH_CHECKS",
    "IMAGE_CHECKS",
    "NOISE_CHECKS",
    "PAIR_CHECKS",
    "PARTNER_CHECKS",
    "PIXEL_SIZE_CHECKS",
    "PLACEMENT_CHECKS",
    "POINT_AND_BOX_CHECKS",
    "Changes",
    "Finding",
    "RepairOptions",
    "Requirements",
    "View",
    "are_calibrated",
    "check",
    "check_pixel_sizes",
    "explain",
    "fix",
    "require_memory",
    "to_json",
]

QUICK = 48  # images that a quick check reads
FATAL_CHECKS = (
    *IMAGE_CHECKS,
    *BACKGROUND_CHECKS,
    *PARTNER_CHECKS,
    *CLEAN_CHECKS,
    *POINT_AND_BOX_CHECKS,
    find_swapped,
    find_copied,
    find_turned,
    find_beside,
)


def check(
    dataset: DataSet | str | Path, requirements: Requirements | None = None, *, quick: bool = False
) -> list[Finding]:
    """Check a data set and return the findings, errors first; one file is in memory at a time.

    Images larger than the memory stay in their files: a finding says what was looked at.

    Parameters
    ----------
    dataset : a data set, or its folder.
    requirements : what a method needs. Without, the partner that the set has (else labels) is
        required for each image, and colours are only noted.
    quick : return only errors, from up to QUICK images spread over the set. `train` does this
        before it starts.

    Returns
    -------
    Findings; [] where nothing is wrong. A folder that cannot be opened as a data set is a finding,
    too.

    Raises
    ------
    UserError : the folder does not exist; an image that is larger than the memory is no TIFF, or a
        movie.

    Examples
    --------
    >>> import numpy as np
    >>> from nbtools.data import Sample
    >>> from nbtools.image import Image
    >>> image = Image(np.full((64, 64), 7, np.uint8), "YX", spacing=(0.5, 0.5))
    >>> [f.code for f in check(DataSet.of([Sample("a", image)]), Requirements(needs="nothing"))]
    ['empty_image']
    """
    if not isinstance(dataset, DataSet):
        try:
            dataset = DataSet.open(dataset)
        except UserError as error:
            if not Path(dataset).exists():
                raise
            return [
                Finding(
                    "unreadable",
                    "error",
                    "",
                    f"{error.rule} Received: {error.received}.",
                    error.remedy,
                )
            ]
    requirements = requirements or _usual_requirements(dataset)
    findings, facts = [], []
    if quick:
        return _check_quickly(dataset, requirements)
    require_memory(dataset, whole=False)
    for entry in dataset.entries:
        view = read_view(dataset, entry, stored=is_beyond(dataset, entry))
        findings += check_view(view, requirements)
        facts.append(collect_facts(entry, view))
    for find in (*DATASET_CHECKS, *PIXEL_SIZE_CHECKS, *BALANCE_CHECKS, find_misplaced):
        findings += find(Overview(dataset, facts), requirements)
    return sorted(findings, key=lambda f: SEVERITIES.index(f.severity))


def _check_quickly(dataset: DataSet, requirements: Requirements) -> list[Finding]:
    """Errors only, in a selection of the images."""
    selected, findings, facts = set(range(0, len(dataset), max(1, len(dataset) // QUICK))), [], []
    # pairs of clean images stop nobody who does not learn from them
    skipped = () if requirements.needs == "clean" else CLEAN_CHECKS
    checks = [find for find in FATAL_CHECKS if find not in skipped]
    for i, entry in enumerate(dataset.entries):
        view = read_view(dataset, entry) if i in selected else View(entry.name)
        findings += check_view(view, requirements, checks=checks)
        facts.append(_collect_placement(entry, view))
    overview = Overview(dataset, facts)
    for find in (find_no_images, find_missing_partners):
        findings += find(overview, requirements)
    findings += find_misplaced(overview, requirements, others=False)
    return [f for f in findings if f.severity == "error"]


def _collect_placement(entry: Entry, view: View) -> Facts:
    """Where the labels lie: all that a quick check keeps of a sample."""
    facts = Facts(entry, view.file, view.image)
    if view.image is None:
        return facts
    shifted = is_beside(view)
    return replace(facts, fit=view.fit, label_file=view.label_file, is_shifted=shifted)


def check_view(view: View, requirements: Requirements, *, checks: Sequence = ()) -> list[Finding]:
    """Run checks on the files of one sample.

    Parameters
    ----------
    view : the files of the sample.
    requirements : what a method needs.
    checks : functions of (view, requirements); all checks of single samples by default.

    Returns
    -------
    Findings, those about unreadable files first.
    """
    findings = list(view.problems)
    if view.image is not None:
        for find in checks or (
            *IMAGE_CHECKS,
            *NOISE_CHECKS,
            *BACKGROUND_CHECKS,
            *PARTNER_CHECKS,
            *PAIR_CHECKS,
            *PLACEMENT_CHECKS,
            *DEPTH_CHECKS,
            *CLEAN_CHECKS,
            *POINT_AND_BOX_CHECKS,
        ):
            findings += find(view, requirements)
    return findings


def to_json(findings: Sequence[Finding], n_images: int) -> dict:
    """Return the JSON document of `nbtools check`; "ok" is true without errors and warnings."""
    return {
        "ok": not any(f.severity in ("error", "warning") for f in findings),
        "images": n_images,
        "findings": [vars(f) | {"why": f.why} for f in findings],
    }


def _usual_requirements(dataset: DataSet) -> Requirements:
    """Require the partner that the set has for each of its images; labels where it has none."""
    kinds = ("labels", "clean", "classes", "boxes", "centres")
    return Requirements(needs=next(filter(dataset.has, kinds), "labels"), channels=None)
