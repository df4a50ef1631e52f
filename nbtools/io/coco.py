"""COCO: one JSON file that lists the outlines or masks of many images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from nbtools.errors import UserError
from nbtools.io.outlines import Outline, OutlineFile, OutlineNote, image_stem


def is_coco(content: object) -> bool:
    """Whether a JSON document lists images and annotations."""
    return isinstance(content, dict) and "annotations" in content and "images" in content


def choose_images(content: dict, name: str | Path) -> list[dict]:
    """The records of an image; where several have its name, those with its folders as well.

    Parameters
    ----------
    content : of the file.
    name : name or path of the image.

    Returns
    -------
    Records of `images`; the only one of a file for any name, [] where the image is not listed.

    Examples
    --------
    >>> images = [{"id": 1, "file_name": "a/x.png"}, {"id": 2, "file_name": "b/x.png"}]
    >>> [i["id"] for i in choose_images({"images": images}, "set/images/b/x.tif")]
    [2]
    """
    images = content["images"]
    if len(images) == 1:
        return list(images)
    wanted = _parts(str(name))
    shared = [_count_shared(_parts(str(i["file_name"])), wanted) for i in images]
    most = max(shared, default=0)
    return [i for i, n in zip(images, shared, strict=True) if n == most > 0]


def list_annotations(content: dict, name: str | Path) -> tuple[dict | None, list[dict]]:
    """The record of an image, and its annotations.

    Parameters
    ----------
    content : of the file.
    name : name or path of the image.

    Raises
    ------
    UserError : several images of the file have this name, and folders do not tell them apart.
    """
    images = choose_images(content, name)
    if len(images) > 1:
        raise UserError(
            "A COCO file must name each image once.",
            f"{len(images)} images like {name}: {', '.join(str(i['file_name']) for i in images)}",
            "Put the images into folders of these names, or give each a name of its own.",
        )
    if not images:
        return None, []
    return images[0], [a for a in content["annotations"] if a["image_id"] == images[0]["id"]]


def read_coco(content: dict, name: str | Path, *, shape: tuple[int, ...]) -> OutlineFile:
    """Take the nuclei of an image from a COCO document.

    Crowds (`iscrowd`) are areas in which nuclei are not told apart: their pixels are to be ignored.

    Parameters
    ----------
    content : of the file.
    name : name or path of the image.
    shape : (Y, X) of the image.

    Raises
    ------
    UserError : a volume, another size, or annotations without outline or mask.
    """
    about, annotations = list_annotations(content, name)
    found = OutlineFile()
    size = (about or {}).get("height"), (about or {}).get("width")
    if all(size) and tuple(map(int, size)) != tuple(shape):
        raise UserError(
            "Image and COCO file must be of one size.",
            f"{about['file_name']} of {size[0]} x {size[1]} px in the file, "
            f"{' x '.join(map(str, shape))} px in the image",
            "Give the image on which the outlines were drawn.",
        )
    without = 0
    for number, one in enumerate(annotations, start=1):
        shapes = found.void if one.get("iscrowd") else found.outlines
        before = len(shapes)
        shapes += _read_segmentation(one.get("segmentation"), number, shape=shape)
        without += len(shapes) == before
    if without and without == len(annotations):
        raise UserError(
            "COCO labels are outlines or masks.",
            f"{without} annotations of {name} without segmentation",
            "Boxes alone belong into boxes/ beside images/.",
        )
    if without or found.void:
        found.notes += _describe(without, crowds=len(found.void), total=len(annotations))
    return found


def decode_runs(segmentation: dict) -> np.ndarray:
    """Decode run lengths to a mask.

    Parameters
    ----------
    segmentation : size (Y, X), and counts: lengths of runs of 0 and 1 in turn, down the columns, as
        a list or packed into a text.

    Returns
    -------
    (Y, X) bool

    Raises
    ------
    UserError : the runs do not fill the image.

    References
    ----------
    The packed form is that of the COCO API: https://github.com/cocodataset/cocoapi

    Examples
    --------
    >>> decode_runs({"size": [2, 3], "counts": [1, 3, 2]}).astype(int).tolist()
    [[0, 1, 0], [1, 1, 0]]
    """
    counts, size = segmentation["counts"], tuple(map(int, segmentation["size"]))
    runs = list(map(int, counts)) if isinstance(counts, list) else list(_unpack(counts))
    if sum(runs) != size[0] * size[1] or min(runs, default=0) < 0:
        raise UserError(
            "Run lengths must fill their image.",
            f"{sum(runs)} pixels for {size[0]} x {size[1]}",
            "Export the file again.",
        )
    return np.repeat(np.arange(len(runs)) % 2 > 0, runs).reshape(size[::-1]).T


def _unpack(text: str | bytes) -> Iterator[int]:
    """Each letter holds 5 bits of a number, the lowest first, and a bit that says if more follow.

    From the third on, a number is the difference to the one two before it.
    """
    numbers: list[int] = []
    value = shift = 0
    for letter in text.encode() if isinstance(text, str) else text:
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        value -= (1 << shift) if bits & 16 else 0
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
        value = shift = 0
    yield from numbers


def _read_segmentation(
    segmentation: object, number: int, *, shape: tuple[int, ...]
) -> list[Outline]:
    name = f"annotation {number}"
    if isinstance(segmentation, dict):
        if tuple(map(int, segmentation["size"])) != tuple(shape):
            raise UserError(
                "Run lengths must be of the size of their image.",
                f"{segmentation['size']} for an image of {list(shape)}",
                "Give the image on which they were made.",
            )
        return [Outline(number, [], mask=decode_runs(segmentation), name=name)]
    rings = [np.asarray(part, float).reshape(-1, 2)[:, ::-1] for part in segmentation or ()]
    return [Outline(number, [ring], name=name) for ring in rings if len(ring) > 2]


def _describe(without: int, *, crowds: int, total: int) -> Iterator[OutlineNote]:
    if without:
        yield OutlineNote(
            "outline_without_area",
            "warning",
            f"{without} of {total} annotations have no outline and are left out.",
            "Export them with their segmentation, if they are nuclei.",
        )
    if crowds:
        yield OutlineNote(
            "outline_crowd",
            "note",
            f"{crowds} areas are crowds, whose nuclei are not told apart: their pixels are "
            "ignored (-1).",
            "Nothing to do.",
        )


def _parts(path: str) -> list[str]:
    """Folders and name, without the extension, in one spelling."""
    parts = list(PurePosixPath(path.replace("\\", "/").casefold()).parts)
    return [*parts[:-1], image_stem(parts[-1])] if parts else []


def _count_shared(one: list[str], other: list[str]) -> int:
    """How many parts two paths share at their ends."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count
