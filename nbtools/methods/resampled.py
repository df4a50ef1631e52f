"""A data set seen at another pixel size: what a network that wants cubic voxels is trained on.

The model then knows that pixel size as its own, and every image that it predicts is brought to it,
and its labels back, as for any model.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.data import DataSet, Sample
from nbtools.image import Image
from nbtools.inference.rescaling import TOLERANCE, find_zoom, zoom_pixels
from nbtools.methods.domain import Domain


class Resampled(DataSet):
    """A data set whose images have the pixel size of `seen`.

    Grey values are interpolated linearly; labels take the nearest pixel.

    Images are brought to it when they are asked for; of a movie the first time point. One of
    unknown pixel size stays as it is.
    """

    def __init__(self, source: DataSet, seen: Domain):
        super().__init__(
            source.entries,
            source.reader,
            about=source.about,
            folder=source.folder,
            name=source.name,
        )
        self.seen = seen

    def __getitem__(self, item: int | slice) -> Sample | DataSet:
        found = super().__getitem__(item)
        return found if isinstance(item, slice) else resample(found, self.seen)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def image(self, index: int) -> Image:
        """An image, counted from 0, at the pixel size of `seen`."""
        return resample_image(super().image(index), self.seen)

    def _with(self, *args: object, **changes: object) -> DataSet:
        return Resampled(super()._with(*args, **changes), self.seen)


def resample_isotropic(dataset: DataSet, like: DataSet, *, finest: bool = False) -> DataSet:
    """Resample a data set to a pixel size that is the same along every axis.

    Parameters
    ----------
    dataset : to resample; it is returned as it is where the pixel size is unknown or isotropic
        already.
    like : the first image of this data set decides the pixel size.
    finest : take the smallest of its pixel sizes; else their geometric mean, at which an image
        keeps its number of pixels.
    """
    first = Domain.of(like.image(0).select(T=0)) if len(like) else Domain()
    if first.spacing is None or max(first.spacing) <= TOLERANCE * min(first.spacing):
        return dataset
    side = min(first.spacing) if finest else float(np.exp(np.log(first.spacing).mean()))
    return Resampled(dataset, Domain(first.ndim, spacing=(side,) * first.ndim, unit=first.unit))


def resample(sample: Sample, seen: Domain) -> Sample:
    """Resample the image and the labels of a sample to the pixel size of a domain.

    Parameters
    ----------
    sample : labels take the nearest pixel.
    seen : domain with the pixel size.
    """
    image = resample_image(sample.image, seen)
    if sample.label is None or image is sample.image:
        return sample
    label = sample.label.select(T=0).to(seen.axes)
    nearest = [
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(image.space_shape, label.shape, strict=True)
    ]
    return sample.replace(
        image=image,
        label=label.replace(pixels=label.pixels[np.ix_(*nearest)], spacing=image.spacing),
    )


def resample_image(image: Image, seen: Domain) -> Image:
    """Resample an image to the pixel size of a domain.

    Parameters
    ----------
    image : of a movie, the first time point is used.
    seen : domain with the pixel size.

    Returns
    -------
    Image with its channels last; the image itself where it has that pixel size, or none is known.
    """
    zoom = find_zoom(image, seen) if len(image.spatial) == seen.ndim else None
    if zoom is None:
        return image
    still = image.select(T=0).to(seen.axes + "C")
    spacing = tuple(s / z for s, z in zip(still.spacing, zoom, strict=True))
    return still.replace(pixels=zoom_pixels(still.pixels, zoom), spacing=spacing)
