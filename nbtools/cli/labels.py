"""Where a verb finds label images: a file, a result of `predict`, a folder of them, or a data set;
and how two sets pair by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nbtools import io
from nbtools.cli.frame import existing
from nbtools.data import DataSet, InputOptions, read_classes
from nbtools.data.layout import name_key
from nbtools.errors import UserError
from nbtools.image import Image

FOLDERS = ("labels", "masks")
CLASSES = "_classes.csv"  # what a table of classes is called beside the label image of a result


class LabelSet:
    """Label images by name, read one at a time.

    names : in order.
    read(name) : the label image, None where there is none of this name; case of the name does not
        count.
    classes(name) : label → class of its nuclei, None where they have none.
    """

    def __init__(
        self, readers: dict[str, Callable[[], Image]], tables: dict[str, Path] | None = None
    ):
        self.names = list(readers)
        self._readers = {name_key(name): read for name, read in readers.items()}
        self._tables = {name_key(name): path for name, path in (tables or {}).items()}

    def read(self, name: str) -> Image | None:
        read = self._readers.get(name_key(name))
        return read() if read else None

    def classes(self, name: str) -> dict[int, str] | None:
        path = self._tables.get(name_key(name))
        return read_classes(path) if path else None

    def __contains__(self, name: str) -> bool:
        return name_key(name) in self._readers

    def __len__(self) -> int:
        return len(self.names)


def open_labels(place: Path, *, what: str, options: InputOptions | None = None) -> LabelSet:
    """The label images of a place; a UserError where there are none."""
    place, options = existing(place, what), options or InputOptions()
    if place.is_file():
        return LabelSet({io.stem(place): lambda: read_file(place, options)})
    dataset = DataSet.open(place, options=options) if not _is_result(place) else None
    if dataset is not None and dataset.has("labels"):
        tables = {e.name: e.files["classes"] for e in dataset.entries if "classes" in e.files}
        return LabelSet(
            {
                e.name: lambda i=i: dataset[i].label
                for i, e in enumerate(dataset.entries)
                if "labels" in e.files
            },
            tables,
        )
    folder = next((place / name for name in FOLDERS if (place / name).is_dir()), place)
    files = [
        p
        for p in sorted(folder.iterdir())
        if p.is_file() and not p.name.startswith(".") and io.is_image(p)
    ]
    if not files:
        raise UserError(
            f"{what} must hold label images.",
            f"none in {folder}",
            "Give a result of nbtools predict, or a folder with labels/.",
        )
    tables = {
        io.stem(p): path for p in files if (path := folder / f"{io.stem(p)}{CLASSES}").is_file()
    }
    return LabelSet({io.stem(p): lambda p=p: read_file(p, options) for p in files}, tables)


def read_file(path: Path, options: InputOptions) -> Image:
    """One label image, with the axes and the pixel size that were given."""
    label = io.read_label(path, axes=options.axes)
    if options.spacing is None:
        return label
    given = (
        options.spacing
        if len(options.spacing) == len(label.spatial)
        else options.spacing * len(label.spatial)
    )
    return label.replace(spacing=given, unit=options.unit)


def _is_result(folder: Path) -> bool:
    return (folder / "result.json").is_file()
