"""What is wrong with a data set, in words, with the remedy.

A check is a small function in one of seven lists (IMAGE_CHECKS, NOISE_CHECKS, PARTNER_CHECKS,
PAIR_CHECKS, POINT_AND_BOX_CHECKS, DATASET_CHECKS, BALANCE_CHECKS); why it matters is a line in `reasons`; its
repair, if any, a line in `repair` or `points_and_boxes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nbtools.checks.class_balance import BALANCE_CHECKS, collect_facts
from nbtools.checks.dataset import DATASET_CHECKS, find_missing_partners, find_no_images
from nbtools.checks.finding import (
    SEVERITIES,
    Facts,
    Finding,
    Overview,
    Requirements,
    View,
    read_view,
)
from nbtools.checks.image_label_pairs import PAIR_CHECKS, find_swapped
from nbtools.checks.images import IMAGE_CHECKS
from nbtools.checks.labels import PARTNER_CHECKS
from nbtools.checks.noise import NOISE_CHECKS
from nbtools.checks.points_and_boxes import POINT_AND_BOX_CHECKS
from nbtools.checks.reasons import explain
from nbtools.checks.repair import fix
from nbtools.data import DataSet
from nbtools.errors import UserError

__all__ = [
    "BALANCE_CHECKS",
    "IMAGE_CHECKS",
    "NOISE_CHECKS",
    "PAIR_CHECKS",
    "PARTNER_CHECKS",
    "POINT_AND_BOX_CHECKS",
    "DATASET_CHECKS",
    "Finding",
    "Requirements",
    "View",
    "check",
    "explain",
    "fix",
    "to_json",
]

QUICK = 48  # images looked at by a quick check
FATAL_CHECKS = (*IMAGE_CHECKS, *PARTNER_CHECKS, *POINT_AND_BOX_CHECKS, find_swapped)


def check(
    dataset: DataSet | str | Path, requirements: Requirements | None = None, *, quick: bool = False
) -> list[Finding]:
    """Findings about a data set, the gravest first; one file in memory at a time.

    Parameters
    ----------
    dataset : a data set, or its folder.
    requirements : what a method needs; without, the partner that the set has is asked for, else
        labels; colours are only noted.
    quick : only what forbids training, looked for in up to QUICK images spread over the set: what
        `train` does before it starts.

    Examples
    --------
    >>> for finding in check("my_nuclei"):
    ...     finding.severity, finding.file, finding.message, finding.remedy
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
    for entry in dataset.entries:
        view = read_view(dataset, entry)
        findings += check_view(view, requirements)
        facts.append(collect_facts(entry, view))
    for find in (*DATASET_CHECKS, *BALANCE_CHECKS):
        findings += find(Overview(dataset, facts), requirements)
    return sorted(findings, key=lambda f: SEVERITIES.index(f.severity))


def _check_quickly(dataset: DataSet, requirements: Requirements) -> list[Finding]:
    """Errors only."""
    looked_at, findings, facts = set(range(0, len(dataset), max(1, len(dataset) // QUICK))), [], []
    for i, entry in enumerate(dataset.entries):
        view = read_view(dataset, entry) if i in looked_at else View(entry.name)
        findings += check_view(view, requirements, checks=FATAL_CHECKS)
        facts.append(Facts(entry, view.file, view.image))
    for find in (find_no_images, find_missing_partners):
        findings += find(Overview(dataset, facts), requirements)
    return [f for f in findings if f.severity == "error"]


def check_view(view: View, requirements: Requirements, *, checks: Sequence = ()) -> list[Finding]:
    """Findings about one sample's files, by these checks or by all."""
    findings = list(view.problems)
    if view.image is not None:
        for find in checks or (
            *IMAGE_CHECKS,
            *NOISE_CHECKS,
            *PARTNER_CHECKS,
            *PAIR_CHECKS,
            *POINT_AND_BOX_CHECKS,
        ):
            findings += find(view, requirements)
    return findings


def to_json(findings: Sequence[Finding], n_images: int) -> dict:
    """The document of the command line's `check`; "ok" where there are no errors and no
    warnings.
    """
    ok = not any(f.severity in ("error", "warning") for f in findings)
    return {"ok": ok, "images": n_images, "findings": [vars(f) | {"why": f.why} for f in findings]}


def _usual_requirements(dataset: DataSet) -> Requirements:
    """The partner that the set has is wanted for each of its images; where it has none, labels
    are.
    """
    needs = next(
        (kind for kind in ("labels", "clean", "classes", "boxes", "centres") if dataset.has(kind)),
        "labels",
    )
    return Requirements(needs=needs, channels=None)
