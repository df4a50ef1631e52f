"""Histograms of grey values: which values are used, which are saturated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from nbtools.checks.images import SATURATED_SHARE, measure_saturation
from nbtools.image import Image
from nbtools.show.colors import BLUE, ORANGE
from nbtools.show.figure import Figure, make_logarithmic, new_figure, shorten, style_axes
from nbtools.show.pictures import as_image

BINS, COLUMNS = 64, 4


def histogram(images: object) -> Figure:
    """Draw the histogram of grey values of each image, on a logarithmic axis.

    The last bar is orange where the image is saturated.

    Parameters
    ----------
    images : an Image or array, several of them, or a dictionary of images by name. The channels of
        an image are counted together.

    Examples
    --------
    >>> histogram(np.arange(256, dtype=np.uint8).reshape(16, 16)).alt
    'grey values of image: 256 in use, 0.4 % at the top'
    """
    named = _name_images(images)
    rows = -(-len(named) // COLUMNS)
    descriptions = [describe_grey(image) for image in named.values()]
    alt = "grey values of " + "; ".join(
        f"{name}: {text}" for name, text in zip(named, descriptions, strict=True)
    )
    figure = new_figure(2.6 * min(len(named), COLUMNS), 2.2 * rows, alt=alt)
    for i, (name, image) in enumerate(named.items()):
        _draw_counts(
            style_axes(
                figure.add_subplot(rows, min(len(named), COLUMNS), i + 1),
                title=shorten(name, 30),
                x=descriptions[i],
                y="pixels" if i % COLUMNS == 0 else "",
            ),
            image,
        )
    return figure


def describe_grey(image: Image) -> str:
    """Describe a histogram in a few words: values in use, and the share of the highest one.

    Parameters
    ----------
    image : of any axes.

    Examples
    --------
    >>> describe_grey(Image(np.array([[0, 255], [255, 7]], np.uint8), "YX"))
    '3 in use, 50.0 % at the top'
    """
    share = measure_saturation(image.pixels)
    return f"{len(np.unique(image.pixels))} in use" + (
        f", {share:.1%} at the top".replace("%", " %") if share else ""
    )


def _name_images(images: object) -> dict[str, Image]:
    if isinstance(images, Mapping):
        return {str(name): as_image(image) for name, image in images.items()}
    several = images if isinstance(images, Sequence) and not isinstance(images, Image) else [images]
    found = [as_image(image) for image in several]
    return {
        image.name or (f"image {i + 1}" if len(found) > 1 else "image"): image
        for i, image in enumerate(found)
    }


def _draw_counts(axes: Axes, image: Image) -> None:
    values = image.pixels[np.isfinite(image.pixels)].astype(np.float64)
    low, high = values.min(initial=0), values.max(initial=1)
    whole = image.pixels.dtype.kind in "iu"
    bins = min(BINS, int(high - low) + 1) if whole else BINS
    if whole:  # as many whole numbers in each bar, so that none stands out by itself
        width = max(1, int(np.ceil((high - low + 1) / bins)))
        edges = low - 0.5 + width * np.arange(int(np.ceil((high - low + 1) / width)) + 1)
    else:
        edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    counts, edges = np.histogram(values, edges)
    lost = measure_saturation(image.pixels) > SATURATED_SHARE
    colors = [BLUE] * (len(counts) - 1) + [ORANGE if lost else BLUE]
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=colors)
    axes.set_xlim(edges[0], edges[-1])
    make_logarithmic(axes)
