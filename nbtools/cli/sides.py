"""The two sides of a comparison, result and truth: what each task reads from a folder or file, name
by name, and how names pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nbtools import io
from nbtools.cli.frame import existing
from nbtools.data import DataSet, InputOptions
from nbtools.data.layout import name_key
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.image import Image

SCORES = ("score", "probability", "confidence")
NOT_RESULTS = (
    "summary",
    "nuclei",
    "classes",
)  # tables in a result folder that are of no single image


class Side(Protocol):
    """names : in order.     read(name) : what there is of this name, None where there is
    nothing.
    """

    names: list[str]

    def read(self, name: str) -> object | None: ...


@dataclass(frozen=True, eq=False)
class Points:
    """coordinates (N, D) in pixels, scores (N,) or None, and the pixel size in µm where it is
    known.
    """

    coordinates: np.ndarray
    scores: np.ndarray | None = None
    spacing_um: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Readers:
    """A side made of one function a name."""

    readers: dict[str, Callable[[], object]]

    @property
    def names(self) -> list[str]:
        return list(self.readers)

    def read(self, name: str) -> object | None:
        return self.readers[name]() if name in self.readers else None


def pair_names(found: Side, truth: Side, *, files: bool, place: Path) -> dict[str, str | None]:
    """Name in the truth → name in the result, None where there is none; two single files belong
    together whatever their names.
    """
    if files:
        return {truth.names[0]: found.names[0]}
    names = {name: find_partner(name, found.names, taken=truth.names) for name in truth.names}
    if not any(names.values()):
        received = (
            f"{place} with {', '.join(found.names[:3])}; truth with {', '.join(truth.names[:3])}"
        )
        raise UserError(
            "Result and truth must have names in common.",
            received,
            "Give both files the same name, whatever the ending.",
        )
    return names


def find_partner(name: str, candidates: list[str], *, taken: list[str]) -> str | None:
    """The candidate of this name, else the only one that adds to it and belongs to no other name.

    >>> find_partner("a", ["a_cp_masks", "b"], taken=["a", "b"])
    'a_cp_masks'
    """
    key, others = name_key(name), {name_key(n) for n in taken}
    same = [c for c in candidates if name_key(c) == key]
    longer = [
        c
        for c in candidates
        if name_key(c).startswith(tuple(key + mark for mark in "_-. "))
        and name_key(c) not in others
    ]
    return same[0] if same else longer[0] if len(longer) == 1 else None


def open_points(place: Path, *, what: str, options: InputOptions) -> Side:
    """Points of a place: NAME.csv with y,x[,z][,score], boxes (their middles), label images of
    blobs or nuclei (their centres).
    """
    place = existing(place, what)
    if place.is_file():
        return Readers({io.stem(place): lambda: read_points(place, options)})
    dataset = None if (place / "result.json").is_file() else DataSet.open(place, options=options)
    for kind in ("centres", "boxes", "labels") if dataset is not None else ():
        if dataset.has(kind):
            return Readers(
                {
                    e.name: lambda i=i, k=kind: _points_of(dataset, i, kind=k)
                    for i, e in enumerate(dataset.entries)
                    if kind in e.files
                }
            )
    folder = place / "centres" if (place / "centres").is_dir() else place
    files = [
        p
        for p in sorted(folder.iterdir())
        if p.is_file() and not p.name.startswith(".") and p.stem not in NOT_RESULTS
    ]
    tables, images = (
        [p for p in files if p.suffix.lower() == ".csv"],
        [p for p in files if io.is_image(p)],
    )
    if not (tables or images):
        raise UserError(
            f"{what} must hold points.",
            f"none in {folder}",
            "Give NAME.csv with the columns y, x (and z, score).",
        )
    return Readers({io.stem(p): lambda p=p: read_points(p, options) for p in tables or images})


def read_points(path: Path, options: InputOptions) -> Points:
    """Points of one file: a table, or the centres of a label image."""
    from nbtools.cli.labels import read_file
    from nbtools.geometry import centroids

    if io.is_image(path):
        label = read_file(path, options)
        return Points(centroids(label.pixels), None, label.spacing_um)
    rows = [{k.lower(): v for k, v in row.items()} for row in io.read_csv(path)]
    header = {
        k.strip().lower()
        for k in path.read_text("utf-8-sig")
        .partition("\n")[0]
        .replace(";", ",")
        .replace("\t", ",")
        .split(",")
    }
    axes = [a for a in "zyx" if a in header or {f"{a}0", f"{a}1"} <= header]
    if axes[-2:] != ["y", "x"]:
        raise UserError(
            "A table of points needs the columns y and x (and z).",
            f"{path} with {', '.join(sorted(header))}",
            "Name them so.",
        )
    column = next((name for name in SCORES if name in header), None)
    try:
        found = [
            [
                float(row[a]) if a in row else (float(row[f"{a}0"]) + float(row[f"{a}1"])) / 2
                for a in axes
            ]
            for row in rows
        ]
        scores = np.array([float(row[column]) for row in rows]) if column else None
    except ValueError as error:
        raise UserError(
            "Coordinates and scores must be numbers.",
            f"{path} ({error})",
            "Correct the table, with a point for decimals.",
        ) from error
    return Points(
        np.array(found, float).reshape(-1, len(axes)),
        scores,
        options.spacing if options.unit == "um" else None,
    )


def open_classes(place: Path, *, what: str, options: InputOptions) -> Side:
    """(class, probability or None) of a place: classes.csv with name,class[,probability], NAME.csv,
    or images/CLASS/NAME.tif.
    """
    place = existing(place, what)
    table = place if place.is_file() else place / "classes.csv"
    if table.is_file():
        rows = [row for row in io.read_csv(table) if row.get("name")]
        return Readers(
            {_stem(row["name"]): lambda row=row: _read_class(row, table) for row in rows}
        )
    tables = [p for p in sorted(place.glob("*.csv")) if p.stem not in NOT_RESULTS]
    if (place / "result.json").is_file() and tables:
        return Readers({io.stem(p): lambda p=p: _most_probable(p) for p in tables})
    dataset = DataSet.open(place, options=options)
    if not dataset.has("classes"):
        raise UserError(
            f"{what} must hold classes.",
            place,
            "Write classes.csv with the columns name and class.",
        )
    return Readers(
        {e.name: lambda e=e: (e.class_name, None) for e in dataset.entries if e.class_name}
    )


def open_clean(place: Path, *, what: str, options: InputOptions) -> Side:
    """Clean images with the unprocessed ones: (clean, input), from a data set with clean/; or
    images alone: (image, None).
    """
    dataset = DataSet.open(existing(place, what), options=options)
    if dataset.has("clean"):
        inside = [(i, e.name) for i, e in enumerate(dataset.entries) if "clean" in e.files]
        return Readers(
            {name: lambda i=i: (dataset[i].clean, dataset[i].image) for i, name in inside}
        )
    return Readers(
        {name: lambda i=i: (dataset.image(i), None) for i, name in enumerate(dataset.names)}
    )


def open_restored(place: Path, *, what: str, options: InputOptions) -> Side:
    """Restored images."""
    dataset = DataSet.open(existing(place, what), options=InputOptions(axes=options.axes))
    return Readers({name: lambda i=i: dataset.image(i) for i, name in enumerate(dataset.names)})


def open_images(truth: Path) -> DataSet | None:
    """The data set of the truth, where it has images and not labels alone."""
    if not truth.is_dir() or (truth / "result.json").is_file():
        return None
    dataset = DataSet.open(truth)
    return (
        dataset
        if any(dataset.has(kind) for kind in ("labels", "clean", "centres", "boxes", "classes"))
        else None
    )


def find_groups(dataset: DataSet | None, column: str | None) -> dict[str, int] | None:
    """Name of an image to its group: by the column asked for, else by a column "group" where there
    is one; None otherwise.
    """
    if column and dataset is None:
        remedy = "Give the data set of the truth, with images/ and the table."
        raise UserError(
            "Groups must stand in a column of a CSV file beside the images.", repr(column), remedy
        )
    if dataset is None or not (column or any(e.columns.get("group") for e in dataset.entries)):
        return None
    return dict(zip(dataset.names, dataset.groups(column), strict=True))


def read_images(dataset: DataSet | None) -> Callable[[str], Image | None]:
    """A function from a name to its image, None where it is not at hand."""
    places = {name: i for i, name in enumerate(dataset.names)} if dataset is not None else {}
    return lambda name: dataset.image(places[name]) if name in places else None


def pair_up(
    names: dict[str, str | None], truth: Side, *, found: Side, say: Callable[[str], None]
) -> Iterator[tuple]:
    """(name, what is true, what was found or None), one at a time."""
    for number, (name, partner) in enumerate(names.items(), 1):
        say(f"{number} of {len(names)}: {name}" + ("" if partner else " is missing in the result"))
        yield name, truth.read(name), found.read(partner) if partner else None


def _points_of(dataset: DataSet, index: int, *, kind: str) -> Points:
    from nbtools.geometry import centroids

    if kind == "labels":
        label = dataset[index].label
        return Points(centroids(label.pixels), None, label.spacing_um)
    found = read_points(dataset.entries[index].files[kind], dataset.options)
    return Points(found.coordinates, None, found.spacing_um or dataset.image(index).spacing_um)


def _read_class(row: dict[str, str], table: Path) -> tuple[str, float | None]:
    if not row.get("class"):
        raise UserError(
            "A table of classes needs the columns name and class.",
            f"{table}, {row.get('name')}",
            "Fill in every class.",
        )
    text = next((row[c] for c in (*SCORES, row["class"], f"p_{row['class']}") if row.get(c)), None)
    try:
        return row["class"], None if text is None else float(text)
    except ValueError as error:
        raise UserError(
            "A probability must be a number.",
            f"{table} ({error})",
            "Correct the table, with a point for decimals.",
        ) from error


def _most_probable(path: Path) -> tuple[str, float | None] | None:
    """Of the classes that a result lists for its image, the most probable one."""
    rows = [_read_class(row, path) for row in io.read_csv(path)]
    return max(rows, key=lambda row: row[1] or 0.0) if rows else None


def _stem(name: str) -> str:
    return io.stem(name) if io.is_image(name) else name
