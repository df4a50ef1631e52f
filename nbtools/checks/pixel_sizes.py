"""Checks of pixel sizes that need headers alone: what files state, leave open, or contradict.

`nbtools measure` runs them, too: numbers in µm are as right as these sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nbtools.checks.dataset import find_guesses, find_pixel_sizes
from nbtools.checks.finding import Facts, Finding, Overview, Requirements, name_file
from nbtools.data import DataSet
from nbtools.data.calibration import format_spacing, is_dummy
from nbtools.errors import UserError


def find_disagreeing_sizes(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find label images that state another pixel size than their image."""
    dataset = overview.dataset
    for fact in overview.facts:
        if fact.image is None or fact.entry.sample is not None:
            continue
        try:
            sentence = dataset.reader.compare_spacing(fact.entry, fact.image)
        except UserError:
            continue  # a finding of its own
        if sentence:
            yield Finding(
                "spacing_disagrees",
                "warning",
                name_file(dataset, fact.entry, kind="labels"),
                sentence,
                "Give the right one with --spacing Z,Y,X in µm, or write spacing_um = [z, y, x] "
                "into dataset.toml.",
            )


def find_default_sizes(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find volumes of exactly 1 x 1 x 1 µm, which programs write where nobody has measured it."""
    if overview.dataset.options.spacing is not None:
        return
    files = [f for f in overview.facts if f.entry.sample is None and f.image is not None]
    facts = [f for f in files if f.image.spacing_um is not None]
    ones = [f for f in facts if set(f.image.spacing_um) == {1.0} and "z_step" not in f.guesses]
    if ones:
        yield Finding(
            "spacing_default",
            "note",
            ones[0].file,
            f"{len(ones)} of {len(overview.facts)} images state a pixel size of exactly "
            f"{format_spacing(ones[0].image)}, which programs write where nobody has measured it.",
            "If it is not so, give the right one with --spacing Z,Y,X in µm.",
        )


def check_pixel_sizes(dataset: DataSet) -> list[Finding]:
    """Check the pixel sizes of a set from the headers of its files.

    Parameters
    ----------
    dataset : images with or without labels, or label images alone.

    Returns
    -------
    Findings; [] where all sizes are known and agree.
    """
    stated, counting = (
        Overview(dataset, list(_read_headers(dataset, read)))
        for read in (dataset.reader.header, dataset.reader.best_header)
    )
    requirements = Requirements(needs="nothing")
    findings = list(find_disagreeing_sizes(stated, requirements))
    for find in (find_guesses, find_pixel_sizes, find_default_sizes):
        findings += find(counting, requirements)
    return findings


def _read_headers(dataset: DataSet, read: Callable) -> Iterator[Facts]:
    """Facts of the images whose headers can be read; others are told where they are read."""
    for entry in dataset.entries:
        try:
            found = read(entry)
        except UserError:
            continue
        guesses = tuple(g for g in found.guesses if g.startswith("z_step"))
        yield Facts(entry, name_file(dataset, entry), found.image, guesses)


def are_calibrated(dataset: DataSet) -> bool:
    """Whether any image of a set states a pixel size that is not a mere dummy."""
    for entry in dataset.entries:
        try:
            if not is_dummy(dataset.reader.header(entry).image):
                return True
        except UserError:
            continue
    return False


PIXEL_SIZE_CHECKS = [find_disagreeing_sizes, find_default_sizes]
