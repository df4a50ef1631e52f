"""Finding, Requirements, and View: the files of one sample, read once for all checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from nbtools.checks.correspondence import Comparison, Fit
from nbtools.checks.large import cut_middle, find_middle
from nbtools.checks.reasons import explain
from nbtools.checks.slabs import GreyFacts, are_whole, list_parts
from nbtools.data import DataSet, Entry, Fingerprint
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io import OutlineNote
from nbtools.io.stored import StoredPixels, is_stored

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """What is wrong with a file or, where `file` is empty, with the set.

    Parameters
    ----------
    code : name of the problem, for programs.
    severity : "error" (cannot be used), "warning" (results will suffer) or "note" (good to know).
    file : path within the data set.
    message : what was found, in a sentence.
    remedy : what to do, in a sentence.
    """

    code: str
    severity: str
    file: str
    message: str
    remedy: str

    @property
    def why(self) -> str:
        """Why the finding matters; the same sentence for all findings of one code."""
        return explain(self.code)


@dataclass(frozen=True)
class Requirements:
    """What a method needs of its data.

    Parameters
    ----------
    dims : numbers of spatial dimensions that it works in.
    needs : "labels", "clean", "classes", "centres", "boxes" or "nothing".
    channels : number of channels, or several allowed numbers (1, 3); None where any will do.
    patch_size : side of a training patch in pixels, one number or one per spatial axis.
    receptive_field : of the network, in pixels across.
    white_noise : whether it needs noise that is independent from pixel to pixel, as blind-spot
        networks do.
    """

    dims: tuple[int, ...] = (2, 3)
    needs: str = "labels"
    channels: int | tuple[int, ...] | None = 1
    patch_size: int | tuple[int, ...] | None = None
    receptive_field: int | None = None
    white_noise: bool = False


@dataclass
class View:
    """The files of one sample as they are; None where a file is missing or cannot be read.

    Parameters
    ----------
    file, label_file, clean_file, boxes_file, centres_file, classes_file : paths within the data
    set; ""
        where there is none.
    image, label, clean : image, label image and clean image.
    boxes : (N, 2 * ndim) corners in pixels, columns y0, x0, y1, x1 and z0, z1 in volumes.
    box_classes : class of each box.
    centres : (N, ndim) in pixels.
    classes : label to class.
    guesses : what had to be assumed while reading, such as the axes.
    series : names of the images in the file, where it holds several.
    label_notes : what had to be decided while outlines or masks became a label image.
    problems : findings about files that cannot be read.
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
    series: tuple[str, ...] = ()
    label_notes: tuple[OutlineNote, ...] = ()
    problems: list[Finding] = field(default_factory=list)

    @cached_property
    def regions(self) -> Regions | None:
        """Connected components of the label image; None where it does not hold whole numbers.

        Of a movie they are found frame by frame, where each is an image of its own: here None.
        """
        if self.label is None or self.label.is_rgb or self.label.size("T") > 1:
            return None
        pixels = self.label.pixels
        if pixels.dtype.kind == "f":
            if not are_whole(pixels):
                return None
            pixels = pixels if is_stored(pixels) else pixels.astype(np.int64)
        return Regions.find(pixels) or self.near.regions

    @cached_property
    def near(self) -> View:
        """What is looked at where pixels must be in memory: itself, or the middle of large files.

        Boxes and centres outside the middle are left out.
        """
        size = find_middle(self)
        return self if size is None else cut_middle(self, size)

    @cached_property
    def greys(self) -> GreyFacts:
        """Grey values of the whole image."""
        return GreyFacts.of(self.image.pixels)

    @cached_property
    def comparison(self) -> Comparison | None:
        """Image and label image of one grid side by side; None for movies and empty ones.

        Of images in files, their middle.
        """
        label, regions = self.label, self.regions
        if (
            label is None
            or regions is None
            or not len(regions.values)
            or label.shape != self.image.space_shape
        ):
            return None
        if "T" in self.image.axes or self.greys.is_flat:
            return None
        return Comparison(self.near.image, self.near.label.pixels)

    @property
    def fit(self) -> Fit | None:
        """How well the labels lie on the nuclei; None where they cannot be compared."""
        return None if self.comparison is None else self.comparison.fit


@dataclass(frozen=True, eq=False)
class Regions:
    """Labels and their connected components (diagonal neighbours are connected).

    Parameters
    ----------
    values, sizes : (N,) labels above 0, and their pixels.
    part_values, part_sizes : (P,) the label of each component, and its pixels.
    """

    values: np.ndarray
    sizes: np.ndarray
    part_values: np.ndarray
    part_sizes: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray) -> Regions:
        """Find the components of all labels in one pass; pixels : (*space) integers."""
        return cls._of_parts(*list_parts(pixels))

    @classmethod
    def find(cls, pixels: np.ndarray | StoredPixels) -> Regions | None:
        """The components of all labels; None where an image in a file has too many of them."""
        parts = list_parts(pixels)
        return None if parts is None else cls._of_parts(*parts)

    @classmethod
    def _of_parts(cls, part_values: np.ndarray, part_sizes: np.ndarray) -> Regions:
        values, numbers = np.unique(part_values, return_inverse=True)
        sizes = np.bincount(numbers, weights=part_sizes).astype(int)
        return cls(values, sizes, part_values, part_sizes)

    @property
    def n_parts(self) -> np.ndarray:
        """(N,) number of components of each label in `values`."""
        return np.bincount(
            np.searchsorted(self.values, self.part_values), minlength=len(self.values)
        )


@dataclass(frozen=True)
class Facts:
    """What the checks of the whole set keep of a sample.

    Parameters
    ----------
    entry, file, guesses : of the sample, as in View.
    image : with pixels that take no memory.
    pixels_hash, label_hash : of the pixels of image and label image.
    fingerprint : for finding copies and tiles of one field.
    diameter : median of the nuclei, in px.
    highest : largest grey value.
    levels : number of distinct grey values, see `class_balance.count_levels`.
    fit : how well the labels lie on the nuclei.
    label_file : path of the label image within the data set.
    is_shifted : whether a shift is what is wrong with the labels.
    is_large : whether the image stays in its file, and is not read as a whole.
    """

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
    fit: Fit | None = None
    label_file: str = ""
    is_shifted: bool = False
    is_large: bool = False


@dataclass(frozen=True)
class Overview:
    """A data set and the facts of all its samples, for the checks of the whole set."""

    dataset: DataSet
    facts: list[Facts]


def read_view(dataset: DataSet, entry: Entry, *, stored: bool = False) -> View:
    """Read the files of a sample; a file that cannot be read becomes a finding.

    Parameters
    ----------
    dataset, entry : the set, and one of its samples.
    stored : leave the pixels in their files, which must be TIFF.
    """
    view = View(
        *(
            name_file(dataset, entry, kind=kind)
            for kind in ("images", "labels", "clean", "boxes", "centres", "classes")
        )
    )
    try:
        unchecked = dataset.reader.unchecked_image(entry, stored=stored)
    except UserError as error:
        view.problems.append(_unreadable(view.file, error))
        return view
    view.image, view.guesses = unchecked.image, unchecked.guesses
    view.series = unchecked.series
    reader = dataset.reader
    for kind, file, read in (
        ("label", view.label_file, partial(reader.unchecked_label, stored=stored)),
        ("clean", view.clean_file, partial(reader.unchecked_clean, stored=stored)),
        ("boxes", view.boxes_file, reader.boxes),
        ("centres", view.centres_file, reader.centres),
        ("classes", view.classes_file, lambda entry, _: reader.classes(entry)),
    ):
        try:
            setattr(view, kind, read(entry, view.image))
        except UserError as error:
            view.problems.append(_unreadable(file, error))
    view.label_notes = reader.notes(entry)
    view.boxes, view.box_classes = view.boxes if isinstance(view.boxes, tuple) else (None, ())
    return view


def is_same_group(one: Facts, other: Facts) -> bool:
    """Whether a table assigns both to the same group, which is never divided."""
    group = one.entry.columns.get("group")
    return bool(group) and group == other.entry.columns.get("group")


def name_file(dataset: DataSet, entry: Entry, *, kind: str = "images") -> str:
    """Return the path of a file within the data set, as findings name it.

    Parameters
    ----------
    dataset, entry : the set, and one of its samples.
    kind : "images", "labels", "clean", "boxes", "centres" or "classes".

    Returns
    -------
    The path; the name of a sample in memory; "" where there is no such file.
    """
    if entry.sample is not None:
        return entry.name
    return dataset.relative(entry.files[kind]) if kind in entry.files else ""


def _unreadable(file: str, error: UserError) -> Finding:
    return Finding(
        "axes_unknown" if "axes" in error.rule.lower() else "unreadable",
        "error",
        file,
        f"{error.rule} Received: {error.received}.",
        error.remedy,
    )
