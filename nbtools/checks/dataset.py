"""Checks of the set as a whole: partners, names, duplicates, pixel types, pixel sizes.

A check takes an Overview and Requirements and yields findings; add it to DATASET_CHECKS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

import numpy as np

from nbtools.checks.finding import Facts, Finding, Overview, Requirements, is_same_group
from nbtools.checks.other_tools import find_other_tool
from nbtools.data import find_adjacent_tiles, find_near_copies, group_duplicates, link_groups

PARTNERS = {
    "labels": "label image",
    "clean": "clean image",
    "classes": "class",
    "centres": "table of centres",
    "boxes": "table of boxes",
}
GUESSES = {  # what a file does not state: code, severity, message
    "axes": ("axes_guessed", "warning", "{n} images do not name their axes; {axes} is assumed."),
    "z_step": (
        "z_step_assumed",
        "note",
        "{n} volumes do not state their Z step; the default of Fiji, 1, is assumed.",
    ),
    "z_step_missing": (
        "z_step_missing",
        "warning",
        "{n} volumes state their pixel size in Y and X, but not their Z step.",
    ),
}
RELATIONS = {
    "near_duplicate": "shows the same as {other}, apart from brightness, noise, size or a turn",
    "sibling_tiles": "continues {other} across a border: two tiles of one field",
}


def find_no_images(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find a set without images."""
    if not overview.facts:
        yield Finding(
            "no_images",
            "error",
            "",
            f"No images were found in {overview.dataset.folder or 'the set'}.",
            "Put them into a folder images/ beside labels/, or give a folder of images.",
        )


def find_missing_partners(overview: Overview, requirements: Requirements) -> Iterator[Finding]:
    """Find images without the label image, clean image, class or table that is needed."""
    needs = requirements.needs
    if needs == "nothing" or not overview.facts:
        return
    word = PARTNERS[needs]
    missing = [f for f in overview.facts if not _has(f, needs)]
    if len(missing) == len(overview.facts):
        where = (
            "classes.csv, or folders images/CLASS"
            if needs == "classes"
            else f"{needs}/ beside images/, under the names of the images"
        )
        yield Finding(
            f"no_{needs}", "error", "", f"No image has a {word}.", f"Put them into {where}."
        )
        return
    for fact in missing:
        yield Finding(
            f"missing_{needs}",
            "error",
            fact.file,
            f"The image has no {word}.",
            "Add it under the same name, or remove the image; nbtools check --fix leaves it out.",
        )


def find_orphans(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find partners without an image."""
    for _kind, path in overview.dataset.orphans:
        yield Finding(
            "missing_image",
            "warning",
            overview.dataset.relative(path),
            "No image has this name.",
            (
                "Files are paired by their name without extension: rename the image or this file, "
                "or remove it."
            ),
        )


def find_ignored(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find files that do not belong to the set, and second files with the same name."""
    for path, reason in overview.dataset.ignored.items():
        twice = "has this name" in reason
        code, severity = ("same_name", "warning") if twice else ("foreign_file", "note")
        yield Finding(
            code,
            severity,
            overview.dataset.relative(path),
            f"The file is ignored: {reason}.",
            "Rename one of the two, or remove it."
            if twice
            else "Nothing to do, unless it should be an image.",
        )


def find_duplicates(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find images that occur twice, within one part of the set or across parts."""
    for places in group_duplicates(f.pixels_hash for f in overview.facts):
        first, *others = [overview.facts[i] for i in places]
        for other in others:
            if other.entry.part != first.entry.part:
                yield Finding(
                    "duplicate_between_splits",
                    "warning",
                    other.file,
                    (
                        f"The same image as {first.file}: a score on {other.entry.part} would be "
                        "too high."
                    ),
                    (
                        "Remove one of them, or divide the set again with nbtools split, which "
                        "keeps duplicates together."
                    ),
                )
            else:
                yield Finding(
                    "duplicate",
                    "warning",
                    other.file,
                    f"The same image as {first.file}, pixel by pixel.",
                    "Remove one of them; nbtools split keeps the two together.",
                )


def find_related_images(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find tiles of one field, and copies with other brightness, noise, compression or turn."""
    facts = [f for f in overview.facts if f.fingerprint is not None]
    fingerprints = [f.fingerprint for f in facts]
    copies = find_near_copies(fingerprints, lambda i: overview.dataset.reader.image(facts[i].entry))
    tiles = find_adjacent_tiles(fingerprints)
    for code, pairs in (("near_duplicate", copies), ("sibling_tiles", tiles)):
        pairs = [pair for pair in pairs if _are_apart(facts, pair)]
        inside = [(i, j) for i, j in pairs if facts[i].entry.part == facts[j].entry.part]
        for i, j in pairs:
            if facts[i].entry.part == facts[j].entry.part:
                continue
            yield Finding(
                f"{code}_between_splits",
                "warning",
                facts[j].file,
                (
                    f"The image {RELATIONS[code].format(other=facts[i].file)}, in another part: a "
                    "score there would be too high."
                ),
                "Divide the set again with nbtools split, which keeps such images together.",
            )
        if inside:
            yield _describe_related(facts, inside, code=code)


def _describe_related(facts: list[Facts], pairs: list[tuple[int, int]], *, code: str) -> Finding:
    """One finding for all related images of one part."""
    groups, (first, second) = link_groups(len(facts), pairs), pairs[0]
    count = len(set(chain.from_iterable(pairs)))
    relation = RELATIONS[code].format(other=facts[first].file)
    return Finding(
        code,
        "note" if code == "sibling_tiles" else "warning",
        facts[second].file,
        (
            f"{count} images are related, in {len({groups[i] for i, _ in pairs})} groups: this one "
            f"{relation}."
        ),
        (
            "Use nbtools split, which keeps them together; a random division would put some on "
            "both sides."
        ),
    )


def find_guesses(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find axes and Z steps that no file names and that were assumed."""
    for guess, (code, severity, message) in GUESSES.items():
        guessed = [f for f in overview.facts if guess in f.guesses]
        if not guessed:
            continue
        axes = Counter(f.image.axes for f in guessed).most_common(1)[0][0]
        text = message.format(n=f"{len(guessed)} of {len(overview.facts)}", axes=axes)
        written, option = (
            (f'axes = "{axes}"', f"--axes {axes}")
            if guess == "axes"
            else ("spacing_um = [z, y, x]", "--spacing Z,Y,X")
        )
        yield Finding(
            code,
            severity,
            guessed[0].file,
            text,
            (
                f"Run nbtools check with {option} --remember, which writes {written} into "
                f"dataset.toml; or give {option} each time."
            ),
        )


def find_mixtures(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find sets with several pixel types or kinds of axes."""
    facts = [f for f in overview.facts if f.image is not None]
    for code, kinds, word, remedy in (
        (
            "mixed_types",
            [f.image.pixels.dtype.name for f in facts],
            "pixel types",
            "Export all in the same way; otherwise equal brightness has different grey values.",
        ),
        (
            "mixed_axes",
            [f.image.axes for f in facts],
            "kinds of axes",
            "Keep 2D and 3D images, and grey and colour images, in separate sets.",
        ),
    ):
        counts = Counter(kinds).most_common()
        if len(counts) > 1:
            rarest = facts[kinds.index(counts[-1][0])].file
            text = ", ".join(f"{count} {kind}" for kind, count in counts)
            yield Finding(
                code, "warning", rarest, f"The images have several {word}: {text}.", remedy
            )


def find_pixel_sizes(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find pixel sizes that are unknown or differ."""
    facts = [f for f in overview.facts if f.image is not None]
    unknown = [f.image for f in facts if f.image.spacing is None]
    if unknown:
        severity, consequence = (
            ("warning", "the Z step is assumed to equal the pixel size in X")
            if any("Z" in i.axes for i in unknown)
            else ("note", "sizes are given in pixels")
        )
        yield Finding(
            "spacing_missing",
            severity,
            "",
            f"{len(unknown)} of {len(facts)} images do not state their pixel size; {consequence}.",
            "Give it with --spacing, or write spacing_um = [z, y, x] into dataset.toml, in µm.",
        )
    known = [(f.file, f.image.unit, *f.image.spacing) for f in facts if f.image.spacing]
    odd = [
        k
        for k in known
        if len(k) == len(known[0])
        and (k[1] != known[0][1] or not np.allclose(k[2:], known[0][2:], rtol=0.02, atol=0))
    ]
    if odd:
        text = [f"{' x '.join(f'{s:g}' for s in k[2:])} {k[1]}" for k in (known[0], odd[0])]
        yield Finding(
            "spacing_differs",
            "warning",
            odd[0][0],
            (
                f"Pixel sizes differ: {text[0]} in {known[0][0]}, {text[1]} in {odd[0][0]}; "
                f"{len(odd)} of {len(known)} images differ."
            ),
            (
                "Correct wrong ones with --spacing or dataset.toml; keep images of different "
                "magnification in separate sets."
            ),
        )


DATASET_CHECKS = [
    find_other_tool,
    find_no_images,
    find_missing_partners,
    find_orphans,
    find_ignored,
    find_duplicates,
    find_related_images,
    find_guesses,
    find_mixtures,
    find_pixel_sizes,
]


def _are_apart(facts: list[Facts], pair: tuple[int, int]) -> bool:
    """Whether a pair of related images is worth a finding.

    Not if both are frames of one movie, are known to be of one group, or are equal pixel by pixel,
    which is a finding of its own.
    """
    one, other = (facts[i] for i in pair)
    file = one.entry.files.get("images")
    if one.entry.part == other.entry.part and is_same_group(one, other):
        return False
    return one.pixels_hash != other.pixels_hash and (
        file is None or file != other.entry.files.get("images")
    )


def _has(fact: Facts, needs: str) -> bool:
    entry = fact.entry
    if needs == "classes":
        return bool(entry.class_name)
    return (
        needs in entry.files
        or getattr(entry.sample, {"labels": "label"}.get(needs, needs), None) is not None
    )
