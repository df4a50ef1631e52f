"""What is left when a part of the information is taken out of the crop of a nucleus.

A classifier that is as good without the grey values has learned from the outline; one that is as
good when the pixels of the nucleus are shuffled, from the outline and the exposure, and not from
the texture; one that is as good on shuffled pixels without any outline, from the exposure alone.
"""

from __future__ import annotations

import numpy as np

from nbtools.data.crops import MASK
from nbtools.data.dataset import DataSet
from nbtools.errors import UserError, require_choice
from nbtools.image import Image

ABLATIONS = {
    "complete": "image and outline",
    "mask only": "the outline alone: size and shape",
    "shuffled": "the outline, and the pixels inside it in random order: no texture, no places",
    "intensity only": "the pixels of the nucleus in random order all over the crop: no outline",
}


def ablate(image: Image, kind: str, *, seed: int = 0) -> Image:
    """Take a part of the information out of a crop.

    Parameters
    ----------
    image : crop with a channel "mask", see `data.crops`.
    kind : one of `ABLATIONS`.
    seed : of the random order.

    Returns
    -------
    Image of the same axes, shape and type.

    Raises
    ------
    UserError : an unknown kind, or a crop without a mask.

    Examples
    --------
    >>> pixels = np.stack([[[5, 9, 1]], [[1, 1, 0]]], axis=-1)
    >>> crop = Image(pixels, "YXC", channels=("DNA", "mask"))
    >>> ablate(crop, "mask only").pixels[..., 0].tolist()
    [[1, 1, 0]]
    """
    require_choice(kind, ABLATIONS, rule="What is taken out is of a known kind.")
    if MASK not in image.channels:
        raise UserError(
            "Ablations need the outline of each nucleus.",
            f"{image.name or 'an image'} without a channel called {MASK}",
            "Cut the crops with nbtools crop --mask channel.",
        )
    axes = image.spatial
    pixels = image.to(axes + "C").pixels.copy()
    inside = pixels[..., image.channels.index(MASK)] > 0
    rng = np.random.default_rng(seed)
    for number, name in enumerate(image.channels):
        change = CHANGES[kind]
        if name != MASK and change is not None:
            pixels[..., number] = change(pixels[..., number], inside, rng)
    if kind == "intensity only":
        pixels[..., image.channels.index(MASK)] = 1
    return image.replace(pixels=pixels, axes=axes + "C").to(image.axes)


def ablate_all(dataset: DataSet, kind: str, *, seed: int = 0) -> DataSet:
    """Take a part of the information out of every crop of a data set.

    Parameters
    ----------
    dataset : crops with a channel "mask".
    kind : one of `ABLATIONS`.
    seed : crop i depends on seed and i alone.
    """
    samples = [
        sample.replace(image=ablate(sample.image, kind, seed=seed + i))
        for i, sample in enumerate(dataset)
    ]
    made = DataSet.of(samples, name=f"{dataset.name}, {kind}")
    for new, old in zip(made.entries, dataset.entries, strict=True):
        new.columns.update(old.columns)
    return made


def _show_mask(values: np.ndarray, inside: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return inside.astype(values.dtype)


def _shuffle(values: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = values.copy()
    for part in (inside, ~inside):
        found[part] = rng.permutation(values[part])
    return found


def _spread(values: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(values[inside] if inside.any() else values.ravel(), values.shape)


CHANGES = {
    "complete": None,
    "mask only": _show_mask,
    "shuffled": _shuffle,
    "intensity only": _spread,
}
