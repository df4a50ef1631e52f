"""Where annotations are saved: labels, centres or boxes of a data set, and unsaved work."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from nbtools import data, io
from nbtools.data import Sample
from nbtools.errors import UserError
from nbtools.geometry import centroids
from nbtools.image import Image
from nbtools.io.folders import hash_file
from nbtools.show.pictures import as_image
from nbtools.show.views import check_same_space
from nbtools.widgets import marks

LABELS = ("nuclei", "scribbles")  # annotations that are saved as label images
KEPT = ".before"  # annotations as they were before they were changed
MAX_SIDE = 4096  # px of a plane: a larger one makes the page slow


class AnnotationStore:
    """The files of one image's annotations, in the layout of a data set.

    Parameters
    ----------
    folder : folder of the data set.
    image : image that is annotated.
    mark : what is annotated: "nuclei", "scribbles", "centres" or "boxes".
    start_over : ignore what is saved already.
    """

    def __init__(
        self, folder: Path, image: Image, *, mark: str = "nuclei", start_over: bool = False
    ):
        self.folder, self.image, self.mark, self.start_over = folder, image, mark, start_over
        self.kind = "labels" if mark in LABELS else mark
        self.kept = False  # whether what was there before is kept

    def read(self) -> tuple[Image | None, dict[int, str]]:
        """Read saved label and classes; None, {} without. Centres and boxes are drawn as labels."""
        entry = self._find()
        if self.start_over or entry is None or self.kind not in entry.files:
            return None, {}
        sample = data.DataSet.open(self.folder).reader.sample(entry)
        shape = self.image.space_shape
        if self.kind == "labels":
            return prepare_label(sample.label, self.image), dict(sample.classes or {})
        if self.mark == "centres":
            return prepare_label(marks.draw_centres(sample.centres, shape), self.image), {}
        named = {n: name for n, name in enumerate(sample.box_classes, start=1) if name}
        return prepare_label(marks.draw_boxes(sample.boxes, shape), self.image), named

    def make_sample(self, label: Image, classes: dict[int, str] | None) -> Sample:
        """Make the sample of these annotations, as a data set takes it."""
        sample = Sample(self.image.name, self.image)
        if self.mark == "centres":
            return sample.replace(centres=centroids(label.pixels))
        if self.mark == "boxes":
            numbers = np.unique(label.pixels[label.pixels > 0]).tolist()
            names = tuple((classes or {}).get(number, "") for number in numbers)
            return sample.replace(
                boxes=marks.find_boxes(label.pixels), box_classes=names if any(names) else ()
            )
        return sample.replace(label=label, classes=classes)

    def write(self, sample: Sample) -> Path:
        """Save the annotations, and the image where it is not there yet; returns the file.

        Annotations that were there before the first change are copied into the hidden folder KEPT
        of the data set.
        """
        entry = self._find()
        suffix = "tif" if self.kind == "labels" else "csv"
        path = self.folder / self.kind / f"{sample.name}.{suffix}"
        self._keep(entry)
        if entry is None:
            data.write_sample(self.folder, sample)
            return path
        if self.kind != "labels":
            data.write_points_and_boxes(self.folder, sample)
            return path
        found = entry.files.get("labels", path)
        if io.suffix(found) in (".tif", ".tiff", ".ome.tif", ".ome.tiff", ".png"):
            path = found
        if sample.classes is not None:
            data.write_classes(
                entry.files.get("classes", self.folder / "classes" / f"{sample.name}.csv"),
                sample.classes,
            )
        io.write_label(path, sample.label)
        return path

    def journal_path(self, start: np.ndarray) -> Path:
        """Hidden file of the unsaved work on this image.

        Parameters
        ----------
        start : label that the work began with; work that began with another one has another file.
        """
        key = data.hash_pixels(start)[:8] + data.hash_pixels(self.image.pixels)[:8]
        return self.folder / ".unsaved" / f"{self.image.name}_{self.mark}_{key}.jsonl"

    def _keep(self, entry: data.Entry | None) -> None:
        if self.kept or entry is None:
            return
        self.kept = True
        for kind in (self.kind, *(["classes"] if self.kind == "labels" else [])):
            path = entry.files.get(kind)
            if path is not None and path.is_file():
                name = f"{path.stem}-{hash_file(path)[:8]}{path.suffix}"
                (self.folder / KEPT / kind).mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, self.folder / KEPT / kind / name)

    def _find(self) -> data.Entry | None:
        """The entry of this image; UserError where another image has its name."""
        if not (self.folder / "images").is_dir():
            return None
        dataset = data.DataSet.open(self.folder)
        entry = next((e for e in dataset.entries if e.name == self.image.name), None)
        if entry is None:
            return None
        there = prepare_image(dataset.reader.image(entry))
        if there.shape != self.image.shape or not np.array_equal(there.pixels, self.image.pixels):
            raise UserError(
                "A name in a data set stands for one image.",
                f"another image {entry.name} in {self.folder}",
                "Give another save_to, or another name: image.replace(name=…).",
            )
        return entry


def prepare_image(image: Image) -> Image:
    """Prepare an image for the painter: a name, and axes in the order Z, Y, X, C.

    Parameters
    ----------
    image : axes of length 1 are left out.

    Raises
    ------
    UserError : a movie, or planes too large for a page.
    """
    if image.size("T") > 1:
        raise UserError(
            "The painter shows an image or a volume.",
            f"a movie of {image.size('T')} frames",
            "Choose one: image.select(T=0).",
        )
    wanted = "".join(
        a for a in "ZYXC" if a in "YX" or image.size(a) > 1 or (a == "C" and image.is_rgb)
    )
    image = image.to(wanted)
    if max(image.size("Y"), image.size("X")) > MAX_SIDE:
        raise UserError(
            f"A plane may have {MAX_SIDE} pixels per side.",
            f"{image.size('Y')} x {image.size('X')} px",
            "Paint tiles of it: nbtools.data.cut_tiles.",
        )
    return image.replace(name=image.name or "image")


def prepare_label(label: object, image: Image, *, empty: int = 0) -> Image:
    """Prepare the label to begin with, on the spatial axes of the image.

    Parameters
    ----------
    label : label image, array or Prediction; None for no label.
    image : prepared image.
    empty : value of pixels without annotation.

    Raises
    ------
    UserError : label and image differ in size; numbers above 2³¹ - 1.
    """
    pixels = np.full(image.space_shape, empty)
    if label is not None:
        pixels = io.to_label(as_image(label), image.name).to(image.spatial).pixels
        check_same_space(image.space_shape, pixels.shape)
    if pixels.max(initial=0) >= 2**31:
        raise UserError(
            "Labels must be below 2,147,483,648.",
            pixels.max(),
            "Number the nuclei from 1 again.",
        )
    pixels = pixels.astype(np.int32)
    return Image(pixels, image.spatial, image.spacing, image.unit, name=image.name)
