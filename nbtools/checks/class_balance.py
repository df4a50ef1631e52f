"""What can be uneven in a set: grey levels, bit depth, sizes of nuclei, classes, labels that are
there twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from nbtools.checks.finding import Facts, Finding, Overview, Requirements, View, is_same_group
from nbtools.checks.image_label_pairs import measure_diameter
from nbtools.data import Entry, find_twice, hash_pixels, take_fingerprint

FEW_LEVELS = 16
MAX_SIZE_RATIO = 3.0
MAX_CLASS_RATIO = 10.0
MIN_PER_CLASS = 5
PLAUSIBLE_UM = (0.005, 50.0)
MAX_ANISOTROPY = 20.0


def collect_facts(entry: Entry, view: View) -> Facts:
    """What the checks of the whole set need, without the pixels."""
    if view.image is None:
        return Facts(entry, view.file, None)
    pixels = view.image.pixels
    ghost = view.image.replace(pixels=np.broadcast_to(np.zeros((), pixels.dtype), pixels.shape))
    labelled = view.regions is not None and len(view.regions.values)
    return Facts(
        entry,
        view.file,
        ghost,
        view.guesses,
        hash_pixels(pixels),
        take_fingerprint(view.image),
        label_hash=hash_pixels(view.label.pixels) if labelled else None,
        diameter=measure_diameter(view),
        highest=float(pixels.max()),
        levels=count_levels(pixels),
    )


def count_levels(pixels: np.ndarray) -> int:
    """Number of different values, of whole numbers; from 16 on, that there are so many."""
    if pixels.dtype.kind not in "iu":
        return FEW_LEVELS
    some = pixels.ravel()[:: max(1, pixels.size // 4096)]
    few = len(np.unique(some))
    return few if few >= FEW_LEVELS else len(np.unique(pixels))


def find_few_levels(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Whole-number images of a handful of grey values."""
    for fact in overview.facts:
        if (
            fact.image is not None
            and fact.image.pixels.dtype.kind in "iu"
            and 1 < fact.levels < FEW_LEVELS
        ):
            remedy = (
                "Use the original file; an export with fewer bits, or as a mask, cannot be undone."
            )
            yield Finding(
                "few_grey_levels",
                "warning",
                fact.file,
                f"The image has only {fact.levels} grey values.",
                remedy,
            )


def find_bit_depths(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Images of 8 and of 16 bit in files of one type."""
    facts = [
        f
        for f in overview.facts
        if f.image is not None and f.image.pixels.dtype == np.uint16 and f.levels > 1
    ]
    narrow = [f for f in facts if f.highest <= 255]
    if narrow and any(f.highest > 4095 for f in facts):
        message = (
            f"{len(narrow)} of {len(facts)} images use 8 of 16 bit (up to "
            f"{narrow[0].highest:g}), others far more."
        )
        remedy = (
            "Export all from the originals in the same way; the same brightness then has the "
            "same number."
        )
        yield Finding("bit_depth_differs", "warning", narrow[0].file, message, remedy)


def find_sizes(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Nuclei of very different size from image to image."""
    facts = [f for f in overview.facts if f.diameter]
    if len(facts) < 3:
        return
    middle = float(np.median([f.diameter for f in facts]))
    odd = [f for f in facts if max(f.diameter / middle, middle / f.diameter) > MAX_SIZE_RATIO]
    if odd:
        message = (
            f"Nuclei are {odd[0].diameter:.0f} px across here, {middle:.0f} px in most images; "
            f"{len(odd)} of {len(facts)} are unlike."
        )
        remedy = "Check magnification and scaling; a network learns the sizes that it sees."
        yield Finding("nucleus_size_differs", "warning", odd[0].file, message, remedy)


def find_class_balance(overview: Overview, requirements: Requirements) -> Iterator[Finding]:
    """One class only, rare classes, and classes much more frequent than others."""
    counts = Counter(f.entry.class_name for f in overview.facts if f.entry.class_name).most_common()
    if not counts:
        return
    if len(counts) == 1:
        severity = "error" if requirements.needs == "classes" else "note"
        remedy = "Add images of another class; there is nothing to tell apart."
        yield Finding(
            "one_class", severity, "", f"All images are of the class {counts[0][0]}.", remedy
        )
        return
    (most, many), (least, few) = counts[0], counts[-1]
    if few < MIN_PER_CLASS:
        remedy = (
            f"Add images: with fewer than {MIN_PER_CLASS}, training, validation and test "
            "cannot all have some."
        )
        yield Finding(
            "rare_class", "warning", "", f"Only {few} images are of the class {least}.", remedy
        )
    if many > MAX_CLASS_RATIO * few:
        message = f"The classes are uneven: {many} images of {most}, {few} of {least}."
        remedy = "Judge by balanced accuracy or F1, not accuracy; add images of the rare class."
        yield Finding("class_imbalance", "warning", "", message, remedy)


def find_same_labels(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """One label image for several different images, unless they are of one group: frames of one
    scene share their nuclei.
    """
    for places in find_twice(f.label_hash for f in overview.facts):
        first, *others = [overview.facts[i] for i in places]
        for other in others:
            if other.pixels_hash != first.pixels_hash and not is_same_group(first, other):
                remedy = "Look which image the labels belong to; the other has got a copy."
                message = (
                    f"The labels are the same as those of {first.file}, but the images differ."
                )
                yield Finding("same_labels", "warning", other.file, message, remedy)


def find_odd_spacing(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Pixel sizes that no light microscope has."""
    for fact in overview.facts:
        spacing = fact.image.spacing if fact.image is not None else None
        if not spacing:
            continue
        sizes = fact.image.spacing_um or ()
        wrong = any(not PLAUSIBLE_UM[0] <= s <= PLAUSIBLE_UM[1] for s in sizes) or max(
            spacing
        ) > MAX_ANISOTROPY * min(spacing)
        if wrong:
            message = (
                f"A pixel size of {' x '.join(f'{s:g}' for s in spacing)} {fact.image.unit} is "
                "hardly that of a microscope."
            )
            remedy = (
                "Correct it with --spacing or in dataset.toml; often nm or mm were taken for µm."
            )
            yield Finding("spacing_implausible", "warning", fact.file, message, remedy)


BALANCE_CHECKS = [
    find_few_levels,
    find_bit_depths,
    find_sizes,
    find_class_balance,
    find_same_labels,
    find_odd_spacing,
]
