"""Public sets as their authors laid them out → images/ with label images in labels/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data.converting import convert_dataset
from nbtools.data.dataset import DataSet
from nbtools.data.registry import Source
from nbtools.data.sample import Entry
from nbtools.data.writing import write_tables
from nbtools.errors import UserError
from nbtools.image import Image


@dataclass(frozen=True)
class Layout:
    """Where a set keeps its images and its labels.

    Parameters
    ----------
    images, labels : patterns of paths in the folder; `**` is any number of folders.
    name : pattern of which the groups make the name of an image, and of its labels.
    numbers : each nucleus has a number of its own; else equal values that touch are one nucleus.
    group : pattern of which the first group is what images of one origin share; "" for none.
    """

    images: str
    labels: str
    name: str = r"(.+)"
    numbers: bool = True
    group: str = ""


LAYOUTS = {
    "bbbc006": Layout(
        "BBBC006_v1_images_z_*/*_w1*.tif",
        "BBBC006_v1_labels/*.png",
        name=r"(.+_s\d+)(?:_w1.*)?",
        group=r"_([a-p]\d\d)_",  # of the well
    ),
    "bbbc039": Layout("**/images/*.tif", "**/masks/*.png", numbers=False),
    "s-bsst265": Layout("**/rawimages/*.tif", "**/groundtruth/*.tif"),
    "tnbc": Layout(
        "**/Slide_*/*.png", "**/GT_*/*.png", numbers=False, group=r"^(\d+)_"
    ),  # of the patient
}


def arrange(source: Source, place: Path, *, folder: Path) -> int:
    """Write a public set in our layout; the files of its authors stay where they are.

    Parameters
    ----------
    source : of the registry.
    place : of its files, as they were unpacked.
    folder : of the data set; must be new.

    Returns
    -------
    Number of its images.

    Raises
    ------
    UserError : the layout of the set is not known, or its files lie otherwise.
    """
    layout = LAYOUTS.get(source.name)
    if layout is None:
        return _convert(source, place, folder)
    pairs = dict(_pair(place, layout))
    if not pairs:
        raise UserError(
            "A public set is arranged where its files lie as they did when this was written.",
            f"{place} without {layout.images} and {layout.labels} of equal names",
            f"Put images and labels of equal names into images/ and labels/; see {source.page}.",
        )
    with io.new_folder(folder, inputs=[place]) as temporary:
        entries = []
        for name, (image, labels) in pairs.items():
            pixels = io.read_image(image)
            label = _read_labels(labels, numbers=layout.numbers)
            if label.space_shape != pixels.space_shape:
                raise UserError(
                    "Image and labels must have one shape.",
                    f"{pixels.space_shape} and {label.space_shape} of {name}",
                    f"Fetch the set again; see {source.page}.",
                )
            io.write_image(temporary / "images" / f"{name}.tif", pixels)
            about = {"spacing": pixels.spacing, "unit": pixels.unit}
            io.write_label(temporary / "labels" / f"{name}.tif", label.replace(**about))
            group = re.search(layout.group, name) if layout.group else None
            entries.append(Entry(name, columns={"group": group.group(1)} if group else {}))
        write_tables(temporary, entries, meta=_describe(source))
    return len(pairs)


def _convert(source: Source, place: Path, folder: Path) -> int:
    """Write a set whose layout is one that is read as it is."""
    dataset = DataSet.open(place)
    if not len(dataset) or not dataset.has("labels"):
        raise UserError(
            "Only sets of a known layout are arranged.",
            source.name,
            f"Put images and labels of equal names into images/ and labels/; see {source.page}.",
        )
    dataset.about.meta.update(_describe(source))
    found = convert_dataset(dataset, folder)
    return sum(isinstance(count, int) for count in found.values())


def _pair(place: Path, layout: Layout) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """Name → image and labels of that name."""
    labels = {_name(path, layout): path for path in sorted(place.glob(layout.labels))}
    for path in sorted(place.glob(layout.images)):
        name = _name(path, layout)
        if name in labels:
            yield name, (path, labels[name])


def _name(path: Path, layout: Layout) -> str:
    found = re.fullmatch(layout.name, path.stem)
    return "".join(found.groups()) if found else path.stem


def _read_labels(path: Path, *, numbers: bool) -> Image:
    """The labels of a file; of several channels the first that shows something."""
    from skimage.measure import label as find_regions

    image = io.open_image(path, palette=True).image
    pixels = image.pixels
    if "C" in image.axes:
        planes = np.moveaxis(pixels, image.axes.index("C"), 0)
        pixels = next((plane for plane in planes if plane.any()), planes[0])
    pixels = pixels if numbers else find_regions(pixels, background=0, connectivity=1)
    return Image(pixels.astype(np.uint16), image.axes.replace("C", ""))


def _describe(source: Source) -> dict[str, str]:
    """What the registry says of a set, as dataset.toml says it."""
    about = {"title": source.title, "citation": source.page, "licence": source.licence}
    return {key: value for key, value in about.items() if value}
