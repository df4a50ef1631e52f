"""What a model was trained on, in numbers, and what to say of an image that is unlike it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.stored import read_slabs

# where a data set keeps what a method learns from, where that is not called the same
FOLDERS = {
    "points": ("centres", "labels"),
    "boxes": ("boxes", "labels"),
    "classes": ("classes", "labels"),  # labels with a class each
    "paired": ("clean",),
}
LOOKED_AT = 48  # training images whose grey values are described
SIDE = 1024  # pixels of an image that are looked at, along each axis, in its middle plane


@dataclass(frozen=True)
class Domain:
    """What a model was trained on, so that new images can be brought to it or warned about.

    Parameters
    ----------
    ndim : number of spatial axes.
    channels, channel_names : of the images.
    spacing : pixel size along each spatial axis; None where it is unknown.
    unit : of the spacing.
    nucleus_size : median diameter of the nuclei in training, in pixels (in volumes, of a ball with
        as many voxels); None without labels.
    size_range : 5th and 95th percentile of the training images' own median diameters.
    classes : of single nuclei, in the order of the network's outputs; () where they are not told
        apart.
    grey : number of `describe_grey` → [lowest, highest] in training.
    """

    ndim: int = 2
    channels: int = 1
    channel_names: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None
    unit: str = "um"
    nucleus_size: float | None = None
    size_range: tuple[float, float] | None = None
    classes: tuple[str, ...] = ()
    grey: dict = field(default_factory=dict)

    @property
    def axes(self) -> str:
        return "ZYX"[-self.ndim :]

    @classmethod
    def from_dict(cls, values: dict) -> Domain:
        """A domain from plain JSON values; further ones are left aside."""
        known = {k: v for k, v in values.items() if k in cls.__dataclass_fields__}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})

    @classmethod
    def of(cls, image: Image) -> Domain:
        """The domain of a method that knows this image alone."""
        channels = image.size("C")
        return cls(len(image.spatial), channels, tuple(image.channels), image.spacing, image.unit)

    def describe_shape(self) -> dict:
        """What can shape a network, or what it means: dimension, channels, pixel size, classes."""
        names = ("ndim", "channels", "spacing", "classes")
        return {name: getattr(self, name) for name in names}


def require_partners(train: DataSet, needs: tuple[str, ...]) -> None:
    """Raise a UserError where a data set has no images, or lacks what a method learns from.

    Parameters
    ----------
    train : training images.
    needs : partners, as "labels" or "clean".
    """
    if not len(train):
        raise UserError(
            "Training needs at least one image.",
            f"{train.name or 'data set'} without images",
            "Check the folder with `nbtools check`.",
        )
    for need in needs:
        folders = FOLDERS.get(need, (need,))
        if not any(train.has(folder) for folder in folders):
            raise UserError(
                f"This method learns from {need}.",
                f"{train.name or 'a data set'} without {need}",
                f"Put one file for each image into the folder {folders[0]}/.",
            )


def describe(train: DataSet, *, classes: tuple[str, ...] = ()) -> Domain:
    """The domain of a method that learns from these images, sizes of nuclei left out.

    Parameters
    ----------
    train : data set; grey values are measured on some of its images.
    classes : names of the classes that are learned.
    """
    first = train[0].image
    if first.is_rgb and _is_grey(first):
        first = first.select(C=0)
    chosen = np.unique(np.linspace(0, len(train) - 1, LOOKED_AT).round().astype(int))
    images = (train.image(int(i)).select(T=0) for i in chosen)
    grey = [describe_grey(image.to(image.spatial + "C").pixels) for image in images]
    return replace(Domain.of(first.select(T=0)), grey=find_ranges(grey), classes=classes)


def check_image(image: Image, domain: Domain) -> Image:
    """Check that an image suits a model, and select the channels of the model.

    Parameters
    ----------
    image : a colour image whose channels are equal counts as one channel.
    domain : what the model was trained on.

    Raises
    ------
    UserError : the image has other spatial axes or channels.
    """
    name = image.name or "image"
    if len(image.spatial) != domain.ndim:
        remedy = "Give a z-stack, or train on planes."
        if domain.ndim == 2:
            remedy = "Choose one plane, or train on volumes."
        raise UserError(
            f"This model needs images with axes {domain.axes}.",
            f"{name} with axes {image.axes}",
            remedy,
        )
    if image.is_rgb and domain.channels == 1 and _is_grey(image):
        image = image.select(C=0)
    if image.size("C") != domain.channels:
        remedy = "Give images with the channels of the training set."
        if domain.channels == 1:
            remedy = "Choose one with --channel."
        colour = " (colour)" if image.is_rgb else ""
        raise UserError(
            f"This model needs {domain.channels} channel(s).",
            f"{name} with {image.size('C')}{colour}",
            remedy,
        )
    return image


def _is_grey(image: Image) -> bool:
    pixels = image.to(image.axes.replace("C", "") + "C").pixels
    return all(bool((slab[..., :1] == slab).all()) for _, slab in read_slabs(pixels))


def describe_grey(pixels: np.ndarray) -> dict[str, float]:
    """Describe grey values by numbers that no linear transformation a + b · x, b > 0, changes.

    Parameters
    ----------
    pixels : (*space, C); only the middle plane of the first channel is used.

    Returns
    -------
    Both as a share of the range from the 1st to the 99.8th percentile; {} for a constant image.

    - `noise` : standard deviation between neighbouring pixels that a straight line does not
      explain.
    - `fill` : position of the median: low for bright nuclei on a dark field, high for dark ones on
      bright.
    """
    plane = pixels[..., 0]
    while plane.ndim > 2:
        plane = plane[plane.shape[0] // 2]
    plane = plane[
        tuple(slice(max(0, (n - SIDE) // 2), max(0, (n - SIDE) // 2) + SIDE) for n in plane.shape)
    ].astype(np.float32)
    low, middle, high = np.percentile(plane, (1, 50, 99.8))
    span = float(high - low)
    if not np.isfinite(span) or span <= 0 or plane.shape[1] < 3:
        return {}
    bend = plane[:, 2:] - 2 * plane[:, 1:-1] + plane[:, :-2]
    return {
        "noise": float(np.median(np.abs(bend)) / 0.6745 / np.sqrt(6) / span),
        "fill": float((middle - low) / span),
    }


def find_ranges(described: list[dict[str, float]]) -> dict[str, list[float]]:
    """Name → [lowest, highest] over the training images."""
    names = dict.fromkeys(name for one in described for name in one)
    return {
        name: [
            round(float(f(one[name] for one in described if name in one)), 5) for f in (min, max)
        ]
        for name in names
    }


def find_size_range(medians: list[float]) -> tuple[float, float] | None:
    """What most training images have as their median diameter: the 5th and the 95th percentile."""
    return tuple(round(float(v), 3) for v in np.percentile(medians, (5, 95))) if medians else None
