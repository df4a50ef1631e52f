"""Finding, Requirements, and View: one sample as its files are, read once for all checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from nbtools.checks.reasons import explain
from nbtools.data import DataSet, Entry, Fingerprint
from nbtools.errors import UserError
from nbtools.image import Image

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """What is wrong with a file or, with an empty `file`, with the set.

    severity : "error" (cannot be used), "warning" (results will suffer), "note" (good to know).
    why : why it matters, in words that are the same for all findings of a code.
    """

    code: str
    severity: str
    file: str
    message: str
    remedy: str

    @property
    def why(self) -> str:
        return explain(self.code)


@dataclass(frozen=True)
class Requirements:
    """What a method needs of its data.

    dims : numbers of spatial dimensions it works in.
    needs : "labels", "clean", "classes", "centres", "boxes" or "nothing".
    channels : number of channels, or several that will do (1, 3); None where any will.
    patch_size : side of a training patch in pixels, one number or one for each spatial axis.
    receptive_field : how far a network sees, in pixels across.
    white_noise : whether it learns from noise that differs from pixel to pixel, as networks with
        blind spots do.
    """

    dims: tuple[int, ...] = (2, 3)
    needs: str = "labels"
    channels: int | tuple[int, ...] | None = 1
    patch_size: int | tuple[int, ...] | None = None
    receptive_field: int | None = None
    white_noise: bool = False


@dataclass
class View:
    """One sample's files as they are, before anything is refused; None where one is missing or
    cannot be read.
    """

    file: str
    label_file: str = ""
    clean_file: str = ""
    boxes_file: str = ""
    centres_file: str = ""
    classes_file: str = ""
    image: Image | None = None
    label: Image | None = None
    clean: Image | None = None
    boxes: np.ndarray | None = None
    box_classes: tuple[str, ...] = ()
    centres: np.ndarray | None = None
    classes: dict[int, str] | None = None
    guesses: tuple[str, ...] = ()
    problems: list[Finding] = field(default_factory=list)

    @cached_property
    def regions(self) -> Regions | None:
        """The label's regions; None where it does not hold whole numbers."""
        if self.label is None or self.label.is_rgb:
            return None
        pixels = self.label.pixels
        if pixels.dtype.kind == "f":
            whole = (
                np.isfinite(pixels).all()
                and (pixels == np.rint(pixels)).all()
                and abs(pixels).max(initial=0) < 2**31
            )
            pixels = pixels.astype(np.int64) if whole else None
        return None if pixels is None else Regions.of(pixels)


@dataclass(frozen=True, eq=False)
class Regions:
    """Labels and their connected parts (diagonal neighbours are connected).

    values, sizes : labels above 0, and their pixels.
    part_values, part_sizes : the label of each part, and its pixels.
    """

    values: np.ndarray
    sizes: np.ndarray
    part_values: np.ndarray
    part_sizes: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray) -> Regions:
        """One pass of connected components over all labels together."""
        from skimage.measure import label as label_parts

        pixels = pixels if pixels.dtype.kind == "u" else np.maximum(pixels, 0)
        parts = label_parts(pixels, background=0, connectivity=pixels.ndim).ravel()
        part_sizes = np.bincount(parts)
        part_values = np.zeros(len(part_sizes), pixels.dtype)
        part_values[parts] = pixels.ravel()
        values, numbers = np.unique(part_values[1:], return_inverse=True)
        sizes = np.bincount(numbers, weights=part_sizes[1:]).astype(int)
        return cls(values, sizes, part_values[1:], part_sizes[1:])

    @property
    def n_parts(self) -> np.ndarray:
        """Number of parts of each label in `values`."""
        return np.bincount(
            np.searchsorted(self.values, self.part_values), minlength=len(self.values)
        )


@dataclass(frozen=True)
class Facts:
    """What remains of a view for the checks of the whole set."""

    entry: Entry
    file: str
    image: Image | None  # with pixels that take no memory
    guesses: tuple[str, ...] = ()
    pixels_hash: str | None = None
    fingerprint: Fingerprint | None = None
    label_hash: str | None = None
    diameter: float | None = None  # of the nuclei, px
    highest: float = 0.0
    levels: int = 0  # different grey values


@dataclass(frozen=True)
class Overview:
    """A data set and the facts of all its samples, for the checks of the whole set."""

    dataset: DataSet
    facts: list[Facts]


def read_view(dataset: DataSet, entry: Entry) -> View:
    """Read a sample's files; what cannot be read becomes a finding."""
    view = View(
        *(
            name_file(dataset, entry, kind=kind)
            for kind in ("images", "labels", "clean", "boxes", "centres", "classes")
        )
    )
    try:
        found = dataset.reader.found(entry)
    except UserError as error:
        view.problems.append(_unreadable(view.file, error))
        return view
    view.image, view.guesses = found.image, found.guesses
    reader = dataset.reader
    for kind, file, read in (
        ("label", view.label_file, reader.found_label),
        ("clean", view.clean_file, reader.found_clean),
        ("boxes", view.boxes_file, reader.boxes),
        ("centres", view.centres_file, reader.centres),
        ("classes", view.classes_file, lambda entry, _: reader.classes(entry)),
    ):
        try:
            setattr(view, kind, read(entry, view.image))
        except UserError as error:
            view.problems.append(_unreadable(file, error))
    view.boxes, view.box_classes = view.boxes if isinstance(view.boxes, tuple) else (None, ())
    return view


def is_same_group(one: Facts, other: Facts) -> bool:
    """Whether a table puts both into the same group, so that they are split together anyway."""
    group = one.entry.columns.get("group")
    return bool(group) and group == other.entry.columns.get("group")


def name_file(dataset: DataSet, entry: Entry, *, kind: str = "images") -> str:
    """A file's path as findings name it: within the data set; the sample's name in memory; "" where
    there is none.
    """
    if entry.sample is not None:
        return entry.name
    return dataset.relative(entry.files[kind]) if kind in entry.files else ""


def _unreadable(file: str, error: UserError) -> Finding:
    code = "axes_unknown" if "axes" in error.rule.lower() else "unreadable"
    return Finding(code, "error", file, f"{error.rule} Received: {error.received}.", error.remedy)
