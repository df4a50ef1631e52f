"""Annotators with little time, or who make mistakes: what is left of exact labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.image import Image

if TYPE_CHECKING:
    from nbtools.data import DataSet, Sample

RIM = 6  # px of background around a labelled nucleus that was looked at, too


def keep_nuclei(label: Image, names: Collection[int], *, rim: int = RIM) -> Image:
    """Keep some nuclei of a label image, and leave the rest unknown.

    Parameters
    ----------
    label : label image, 0 background.
    names : numbers of the nuclei that are kept.
    rim : width of the background around them that is kept, too, in pixels.

    Returns
    -------
    Image : the kept nuclei with their numbers, 0 around them, and -1 elsewhere.

    Examples
    --------
    >>> row = Image(np.array([[1, 1, 0, 0, 0, 2, 0]]), "YX")
    >>> keep_nuclei(row, {1}, rim=2).pixels.tolist()
    [[1, 1, 0, 0, -1, -1, -1]]
    """
    truth = np.maximum(label.pixels, 0).astype(np.int64)
    known = np.isin(truth, list(names))
    near = ndimage.distance_transform_edt(~known) <= rim if known.any() else known
    kept = np.where(known, truth, np.where(near & (label.pixels == 0), 0, -1))
    return label.replace(pixels=kept.astype(np.int32 if kept.max() < 2**31 else np.int64))


def label_some(samples: Iterable[Sample], count: int, *, seed: int = 0, rim: int = RIM) -> DataSet:
    """Label so many nuclei of all images, drawn at random; all others stay unknown.

    Parameters
    ----------
    samples : images with labels.
    count : nuclei of all images together; all of them where there are not so many.
    seed : of the draw. The first n nuclei of a larger count are those of the count n.
    rim : width of the background around them that is labelled, too, in pixels.

    Returns
    -------
    DataSet : the images in which at least one nucleus is labelled.

    Raises
    ------
    UserError : a count below 1, or images without a nucleus.
    """
    from nbtools.data import DataSet

    samples = list(samples)
    nuclei = []
    for index, sample in enumerate(samples):
        found = np.unique(sample.label.pixels[sample.label.pixels > 0])
        nuclei += [(index, name) for name in found.tolist()]
    if count < 1 or not nuclei:
        raise UserError(
            "At least one nucleus must be labelled.",
            f"{count} of {len(nuclei)}",
            "Give images with nuclei, and a count of 1 or more.",
        )
    chosen: dict[int, set[int]] = {}
    for place in np.random.default_rng(seed).permutation(len(nuclei))[:count].tolist():
        index, name = nuclei[place]
        chosen.setdefault(index, set()).add(name)
    kept = []
    for index in sorted(chosen):
        label = keep_nuclei(samples[index].label, chosen[index], rim=rim)
        kept.append(samples[index].replace(label=label))
    return DataSet.of(kept)


def mislabel(label: Image, *, share: float, rng: np.random.Generator) -> Image:
    """Label some nuclei wrongly: half of these are left out, half moved by half their length.

    Parameters
    ----------
    label : label image, 0 background.
    share : of the nuclei that are wrong, 0 … 1; each is drawn by itself.
    rng : random numbers.

    Returns
    -------
    Image : a nucleus that is moved covers what lies there, and what would lie outside is cut off.

    Examples
    --------
    >>> square = np.zeros((9, 9), np.int32)
    >>> square[3:6, 3:6] = 1
    >>> exact = mislabel(Image(square, "YX"), share=0.0, rng=np.random.default_rng(0))
    >>> bool((exact.pixels == square).all())
    True
    """
    truth = label.pixels.astype(np.int64)
    found, numbers = truth.copy(), np.unique(truth[truth > 0])
    for number in numbers.tolist():
        if rng.random() >= share:
            continue
        mine = np.argwhere(truth == number)
        found[found == number] = 0
        if rng.random() < 0.5:
            continue
        reach = (np.ptp(mine, axis=0) + 1).max() / 2
        direction = rng.normal(size=truth.ndim)
        shift = np.rint(reach * direction / np.linalg.norm(direction)).astype(int)
        moved = mine + shift
        inside = ((moved >= 0) & (moved < truth.shape)).all(axis=1)
        found[tuple(moved[inside].T)] = number
    return label.replace(
        pixels=found.astype(np.int32 if found.max(initial=0) < 2**31 else np.int64)
    )
