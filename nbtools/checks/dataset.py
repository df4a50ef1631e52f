"""What can be wrong with a set as a whole: partners, names, duplicates, types, pixel sizes.

A check takes an Overview and Requirements and yields findings; add it to DATASET_CHECKS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from nbtools.checks.finding import Facts, Finding, Overview, Requirements, is_same_group
from nbtools.data import find_near_copies, find_siblings, find_twice, link_groups

PARTNERS = {
    "labels": "label image",
    "clean": "clean image",
    "classes": "class",
    "centres": "table of centres",
    "boxes": "table of boxes",
}
GUESSES = {  # what a file did not say: code, severity, message
    "axes": ("axes_guessed", "warning", "{n} images do not name their axes; {axes} is assumed."),
    "z_step": (
        "z_step_assumed",
        "note",
        "{n} volumes name no step in Z; Fiji's default of 1 is assumed.",
    ),
    "z_step_missing": (
        "z_step_missing",
        "warning",
        "{n} volumes know their pixel size in Y and X, but not the step in Z.",
    ),
}


def find_no_images(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """No images at all."""
    if not overview.facts:
        remedy = "Put them into a folder images/ beside labels/, or name a folder of images."
        yield Finding(
            "no_images",
            "error",
            "",
            f"No images were found in {overview.dataset.folder or 'the set'}.",
            remedy,
        )


def find_missing_partners(overview: Overview, requirements: Requirements) -> Iterator[Finding]:
    """Images without the label, clean image, class or table that is needed."""
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
        remedy = (
            "Add it under the same name, or take the image out; nbtools check --fix leaves it out."
        )
        yield Finding(f"missing_{needs}", "error", fact.file, f"The image has no {word}.", remedy)


def find_orphans(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Partners without an image."""
    for _kind, path in overview.dataset.orphans:
        remedy = (
            "Names pair by what stands before the extension: rename one of them, or take this "
            "file out."
        )
        yield Finding(
            "missing_image",
            "warning",
            overview.dataset.relative(path),
            "No image has this name.",
            remedy,
        )


def find_ignored(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Files that are no part of the set, and second files of one name."""
    for path, reason in overview.dataset.ignored.items():
        twice = "has this name" in reason
        code, severity = ("same_name", "warning") if twice else ("foreign_file", "note")
        remedy = (
            "Rename one of the two, or take it out."
            if twice
            else "Nothing to do, unless it should be an image."
        )
        yield Finding(
            code,
            severity,
            overview.dataset.relative(path),
            f"The file is ignored: {reason}.",
            remedy,
        )


def find_duplicates(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Images that are there twice, in one part or across parts."""
    for places in find_twice(f.pixels_hash for f in overview.facts):
        first, *others = [overview.facts[i] for i in places]
        for other in others:
            if other.entry.part != first.entry.part:
                message = (
                    f"The same image as {first.file}: a score on {other.entry.part} would be too "
                    "good."
                )
                remedy = (
                    "Take one of them out, or split again with nbtools split, which keeps "
                    "duplicates together."
                )
                yield Finding("duplicate_between_splits", "warning", other.file, message, remedy)
            else:
                remedy = "Take one of them out; nbtools split keeps the two together."
                yield Finding(
                    "duplicate",
                    "warning",
                    other.file,
                    f"The same image as {first.file}, pixel by pixel.",
                    remedy,
                )


def find_related_images(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Tiles of one field, and copies that are brighter, noisier, compressed, turned or flipped."""
    facts = [f for f in overview.facts if f.fingerprint is not None]
    fingerprints = [f.fingerprint for f in facts]
    copies = [
        p
        for p in find_near_copies(
            fingerprints, lambda i: overview.dataset.reader.image(facts[i].entry)
        )
        if _are_apart(facts, p)
    ]
    tiles = [pair for pair in find_siblings(fingerprints) if _are_apart(facts, pair)]
    across = "in another part: a score there would be too good."
    for code, pairs, words in (
        (
            "near_duplicate",
            copies,
            "shows the same as {other}, but for brightness, noise, size or a turn",
        ),
        ("sibling_tiles", tiles, "continues {other} across a border: two tiles of one field"),
    ):
        for one, other in [
            (facts[i], facts[j]) for i, j in pairs if facts[i].entry.part != facts[j].entry.part
        ]:
            message = f"The image {words.format(other=one.file)}, {across}"
            remedy = "Split all images again with nbtools split, which keeps such images together."
            yield Finding(f"{code}_between_splits", "warning", other.file, message, remedy)
        inside = [(i, j) for i, j in pairs if facts[i].entry.part == facts[j].entry.part]
        if inside:
            groups = link_groups(len(facts), inside)
            count, fields = (
                len({i for pair in inside for i in pair}),
                len({groups[i] for i, _ in inside}),
            )
            first, second = facts[inside[0][0]].file, facts[inside[0][1]]
            message = (
                f"{count} images are kin, in {fields} groups: this one {words.format(other=first)}."
            )
            remedy = (
                "Use nbtools split, which keeps them together; a split by chance would put some "
                "on both sides."
            )
            yield Finding(
                code, "note" if code == "sibling_tiles" else "warning", second.file, message, remedy
            )


def find_guesses(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Axes and steps in Z that no file names and that were assumed."""
    for guess, (code, severity, message) in GUESSES.items():
        found = [f for f in overview.facts if guess in f.guesses]
        if not found:
            continue
        axes = Counter(f.image.axes for f in found).most_common(1)[0][0]
        text = message.format(n=f"{len(found)} of {len(overview.facts)}", axes=axes)
        written, option = (
            (f'axes = "{axes}"', f"--axes {axes}")
            if guess == "axes"
            else ("spacing_um = [z, y, x]", "--spacing Z,Y,X")
        )
        remedy = (
            f"Type nbtools check with {option} --remember, which writes {written} into "
            f"dataset.toml; or give {option} each time."
        )
        yield Finding(code, severity, found[0].file, text, remedy)


def find_mixtures(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Several types of pixels, or of axes."""
    facts = [f for f in overview.facts if f.image is not None]
    types, axes = [f.image.pixels.dtype.name for f in facts], [f.image.axes for f in facts]
    for code, kinds, word, remedy in (
        (
            "mixed_types",
            types,
            "types of pixels",
            "Export all the same way; else brightness differs between them.",
        ),
        (
            "mixed_axes",
            axes,
            "kinds of axes",
            "Keep 2D and 3D, and grey and colour, in sets of their own.",
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
    """Pixel sizes that are unknown or differ."""
    images = [f.image for f in overview.facts if f.image is not None]
    unknown = [i for i in images if i.spacing is None]
    if unknown:
        volumes = any("Z" in i.axes for i in unknown)
        consequence = (
            "the step in Z is taken to be that in X" if volumes else "sizes are given in pixels"
        )
        message = (
            f"{len(unknown)} of {len(images)} images do not know their pixel size; {consequence}."
        )
        remedy = "Give it with --spacing, or write spacing_um = [z, y, x] into dataset.toml, in µm."
        yield Finding("spacing_missing", "warning" if volumes else "note", "", message, remedy)
    known = [
        (f.file, i.unit, *i.spacing)
        for f in overview.facts
        if (i := f.image) is not None and i.spacing
    ]
    odd = [
        k
        for k in known
        if len(k) == len(known[0])
        and (k[1] != known[0][1] or not np.allclose(k[2:], known[0][2:], rtol=0.02, atol=0))
    ]
    if odd:
        text = [f"{' x '.join(f'{s:g}' for s in k[2:])} {k[1]}" for k in (known[0], odd[0])]
        message = (
            f"Pixel sizes differ: {text[0]} in {known[0][0]}, {text[1]} in {odd[0][0]}; "
            f"{len(odd)} of {len(known)} are unlike."
        )
        remedy = (
            "Correct wrong ones with --spacing or dataset.toml; keep images of different "
            "magnification in sets of their own."
        )
        yield Finding("spacing_differs", "warning", odd[0][0], message, remedy)


DATASET_CHECKS = [
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
    """Not frames of one movie, not of a group that is known to be one, and not equal pixel by
    pixel, which is said elsewhere.
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
