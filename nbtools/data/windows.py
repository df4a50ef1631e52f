"""Images that stay in their files, seen as windows that are read when they are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from nbtools import io
from nbtools.data.dataset import DataSet
from nbtools.data.sample import Entry, Sample
from nbtools.errors import UserError
from nbtools.image import Image

SIDE = 1024  # px
PARTNERS = {"images", "labels"}  # that stay in their files, too


def cut_windows(
    dataset: DataSet, side: int = SIDE, *, among: Sequence[bool] | None = None
) -> DataSet:
    """Divide large images into windows, without reading them.

    Windows are named FIELD_y0_x1024, and of several images each has its field as group, so that no
    split divides a field. Grey values are scaled window by window.

    Parameters
    ----------
    dataset : images in TIFF or OME-Zarr, with or without labels.
    side : of a window along Y and X, in pixels, at most; windows of an image are of about one size.
    among : which images are divided, a value for each; None for all. Others stay as they are.

    Raises
    ------
    UserError : an image that is to be divided cannot be read region by region, or has other
        partners than labels.
    """
    chosen = [True] * len(dataset) if among is None else among
    entries: list[Entry] = []
    for index, entry in enumerate(dataset.entries):
        if not chosen[index]:
            entries.append(entry)
            continue
        entries += list_windows(dataset, index, side=side, alone=sum(chosen) == 1)
    return dataset.replace_entries(entries)


def list_windows(dataset: DataSet, index: int, *, side: int, alone: bool) -> Iterator[Entry]:
    """The windows of one image.

    Parameters
    ----------
    dataset : that holds it.
    index : of the image.
    side : of a window, in pixels.
    alone : it is the only one, whose windows are groups by themselves.
    """
    entry = dataset.entries[index]
    if more := set(entry.files) - PARTNERS:
        raise UserError(
            "Windows are cut of images and their labels.",
            f"{entry.name} with {', '.join(sorted(more))}",
            "Cut the image into pieces of their own first.",
        )
    image = dataset.stored_image(index)
    label = dataset.stored_label(index) if "labels" in entry.files else None
    if label is not None and label.space_shape != image.space_shape:
        raise UserError(
            "Image and label must have one shape.",
            f"{image.space_shape} and {label.space_shape} of {entry.name}",
            "Give the labels of that image, on its grid.",
        )
    group = entry.columns.get("group") or ("" if alone else entry.name)
    for place in list_places(image, side):
        start = "_".join(f"{axis.lower()}{place[axis].start}" for axis in "YX")
        name = f"{entry.name}_{start}"
        parts = [one and view(one, place).replace(name=name) for one in (image, label)]
        sample = Sample(name, *parts, class_name=entry.class_name, group=group or None)
        columns = entry.columns | ({"group": group} if group else {})
        yield Entry(name, class_name=entry.class_name, columns=columns, sample=sample)


def list_places(image: Image, side: int) -> Iterator[dict[str, slice]]:
    """Y and X of each window, in the order of rows.

    Parameters
    ----------
    image : the header is enough.
    side : of a window, in pixels, at most.
    """
    along = []
    for n in (image.size(axis) for axis in "YX"):
        count = -(-n // side)
        ends = [round(i * n / count) for i in range(count + 1)]
        along.append([slice(a, b) for a, b in pairwise(ends)])
    return (dict(zip("YX", both, strict=True)) for both in product(*along))


def view(image: Image, place: dict[str, slice]) -> Image:
    """A part of an image, which stays in its file."""
    index = tuple(place.get(axis, slice(None)) for axis in image.axes)
    if io.is_stored(image.pixels):
        return image.replace(pixels=image.pixels.view(index))
    return image.replace(pixels=image.pixels[index])
