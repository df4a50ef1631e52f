"""Checks of balance: grey levels, bit depth, nucleus and pixel sizes, classes, repeated labels.

A check takes an Overview and Requirements and yields findings; add it to BALANCE_CHECKS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from nbtools.checks.finding import Facts, Finding, Overview, Requirements, View, is_same_group
from nbtools.checks.image_label_pairs import is_beside, measure_diameter
from nbtools.data import Entry, group_duplicates, hash_pixels, take_fingerprint
from nbtools.io.stored import is_stored, read_slabs

FEW_LEVELS = 16
MAX_SIZE_RATIO = 3.0
MAX_CLASS_RATIO = 10.0
MIN_PER_CLASS = 5
PLAUSIBLE_UM = (0.005, 50.0)
MAX_ANISOTROPY = 20.0


def collect_facts(entry: Entry, view: View) -> Facts:
    """Collect what the checks of the whole set need, without the pixels."""
    if view.image is None:
        return Facts(entry, view.file, None)
    pixels = view.image.pixels
    empty = view.image.replace(pixels=np.broadcast_to(np.zeros((), pixels.dtype), pixels.shape))
    is_large = is_stored(pixels)
    labelled = view.regions is not None and len(view.regions.values)
    return Facts(
        entry,
        view.file,
        empty,
        view.guesses,
        hash_pixels(pixels),
        None if is_large else take_fingerprint(view.image),
        label_hash=hash_pixels(view.label.pixels) if labelled else None,
        diameter=measure_diameter(view),
        highest=float(view.greys.highest),
        levels=count_levels(pixels),
        fit=view.fit,
        label_file=view.label_file,
        is_shifted=is_beside(view),
        is_large=is_large,
    )


def count_levels(pixels: np.ndarray) -> int:
    """Count the distinct grey values of an integer image.

    Parameters
    ----------
    pixels : grey values of any shape.

    Returns
    -------
    The number, exact below FEW_LEVELS; FEW_LEVELS for real numbers.
    """
    if pixels.dtype.kind not in "iu":
        return FEW_LEVELS
    levels = np.zeros(0, pixels.dtype)
    for _, slab in read_slabs(pixels):
        some = np.unique(slab.ravel()[:: max(1, slab.size // 4096)])
        few = some if len(some) >= FEW_LEVELS else np.unique(slab)
        levels = np.union1d(levels, few)
        if len(levels) >= FEW_LEVELS:
            break
    return len(levels)


def find_few_levels(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find integer images with very few grey values."""
    for fact in overview.facts:
        if (
            fact.image is not None
            and fact.image.pixels.dtype.kind in "iu"
            and 1 < fact.levels < FEW_LEVELS
        ):
            yield Finding(
                "few_grey_levels",
                "warning",
                fact.file,
                f"The image has only {fact.levels} grey values.",
                "Use the original file; an export with fewer bits or as a mask loses the others.",
            )


def find_bit_depths(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find sets in which some 16-bit files use only 8 bits."""
    facts = [
        f
        for f in overview.facts
        if f.image is not None and f.image.pixels.dtype == np.uint16 and f.levels > 1
    ]
    narrow = [f for f in facts if f.highest <= 255]
    if narrow and any(f.highest > 4095 for f in facts):
        yield Finding(
            "bit_depth_differs",
            "warning",
            narrow[0].file,
            (
                f"{len(narrow)} of {len(facts)} images use only 8 of their 16 bits (values up to "
                f"{narrow[0].highest:g}), others use more than 12."
            ),
            "Export all originals in the same way, so that equal brightness has equal grey values.",
        )


def find_sizes(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find images whose nuclei have a very different size."""
    facts = [f for f in overview.facts if f.diameter]
    if len(facts) < 3:
        return
    middle = float(np.median([f.diameter for f in facts]))
    odd = [f for f in facts if max(f.diameter / middle, middle / f.diameter) > MAX_SIZE_RATIO]
    if odd:
        yield Finding(
            "nucleus_size_differs",
            "warning",
            odd[0].file,
            (
                f"Nuclei are {odd[0].diameter:.0f} px across here, {middle:.0f} px in most images; "
                f"{len(odd)} of {len(facts)} images differ."
            ),
            "Check magnification and scaling; a network learns the sizes in its training images.",
        )


def find_class_balance(overview: Overview, requirements: Requirements) -> Iterator[Finding]:
    """Find sets with a single class, rare classes, or very unequal classes."""
    counts = Counter(f.entry.class_name for f in overview.facts if f.entry.class_name).most_common()
    if not counts:
        return
    if len(counts) == 1:
        severity = "error" if requirements.needs == "classes" else "note"
        yield Finding(
            "one_class",
            severity,
            "",
            f"All images have the class {counts[0][0]}.",
            "Add images of another class; there is nothing to distinguish.",
        )
        return
    (most, many), (least, few) = counts[0], counts[-1]
    if few < MIN_PER_CLASS:
        yield Finding(
            "rare_class",
            "warning",
            "",
            f"Only {few} images have the class {least}.",
            (
                f"Add images: fewer than {MIN_PER_CLASS} are not enough for training, validation "
                "and test."
            ),
        )
    if many > MAX_CLASS_RATIO * few:
        yield Finding(
            "class_imbalance",
            "warning",
            "",
            f"The classes are unequal: {many} images of {most}, {few} of {least}.",
            "Compare balanced accuracy or F1, not accuracy; add images of the rare class.",
        )


def find_confounded_classes(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find classes all images of which are of one group, where there are groups.

    Parameters
    ----------
    overview : facts of all images of the data set.

    Yields
    ------
    A warning for each such class.
    """
    groups: dict[str, set] = {}
    counts = Counter(f.entry.class_name for f in overview.facts)
    for fact in overview.facts:
        if fact.entry.class_name:
            own = groups.setdefault(fact.entry.class_name, set())
            own.add(fact.entry.columns.get("group"))
    for name, own in sorted(groups.items()):
        if len(groups) > 1 and len(own) == 1 and None not in own and counts[name] > 1:
            yield Finding(
                "class_in_one_group",
                "warning",
                "",
                f"All {counts[name]} images of the class {name} are of the group {min(own)}: "
                "nobody can tell the class from the group.",
                "Add images of that class from other groups (plants, slides, days).",
            )


def find_same_labels(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find one label image that belongs to several different images.

    Images of one group are excepted: frames of one scene share their nuclei.

    Parameters
    ----------
    overview : facts of all images of the data set.

    Yields
    ------
    A warning for each image after the first.
    """
    for places in group_duplicates(f.label_hash for f in overview.facts):
        first, *others = [overview.facts[i] for i in places]
        for other in others:
            if other.pixels_hash != first.pixels_hash and not is_same_group(first, other):
                yield Finding(
                    "same_labels",
                    "warning",
                    other.file,
                    f"The labels are the same as those of {first.file}, but the images differ.",
                    "Find out which image the labels belong to; replace those of the other.",
                )


def find_odd_spacing(overview: Overview, _requirements: Requirements) -> Iterator[Finding]:
    """Find pixel sizes that no light microscope has."""
    for fact in overview.facts:
        spacing = fact.image.spacing if fact.image is not None else None
        if not spacing:
            continue
        sizes = fact.image.spacing_um or ()
        wrong = any(not PLAUSIBLE_UM[0] <= s <= PLAUSIBLE_UM[1] for s in sizes) or max(
            spacing
        ) > MAX_ANISOTROPY * min(spacing)
        if wrong:
            yield Finding(
                "spacing_implausible",
                "warning",
                fact.file,
                (
                    f"A pixel size of {' x '.join(f'{s:g}' for s in spacing)} {fact.image.unit} is "
                    "implausible for a light microscope."
                ),
                "Correct it with --spacing or in dataset.toml; it may be in nm or mm.",
            )


BALANCE_CHECKS = [
    find_few_levels,
    find_bit_depths,
    find_sizes,
    find_class_balance,
    find_confounded_classes,
    find_same_labels,
    find_odd_spacing,
]
