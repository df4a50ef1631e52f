"""Figures of what is inside a network: maps that explain a prediction, feature maps, kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from nbtools.errors import UserError
from nbtools.show.colors import BLUE, INK, ORANGE
from nbtools.show.figure import Figure, draw_view, new_figure, new_grid
from nbtools.show.pictures import as_image
from nbtools.show.views import view

OPACITY = 0.8  # of the strongest place of a map
MOST_DIGITS = 5  # sides of a kernel up to which its weights are written


def explained(image: object, maps: Mapping[str, np.ndarray]) -> Figure:
    """Draw maps that explain a prediction, over the image: orange speaks for it, blue against it.

    A volume is shown as its maximum along z, with the strongest value of a map along z; the title
    gives the strongest value, which has the full colour.

    Parameters
    ----------
    image : Image or array of 2 or 3 dimensions; of several channels, the first is shown.
    maps : title → (*space) map, as `inference.explanation` makes them.

    Raises
    ------
    UserError : a map of another size.

    Examples
    --------
    >>> explained(np.eye(8), {"occlusion": np.eye(8)}).alt
    'an image, and over it: occlusion'
    """
    pixels = as_image(image).select(T=0, C=0).pixels
    for name, values in maps.items():
        if np.shape(values) != pixels.shape:
            raise UserError(
                "A map must have the size of its image.",
                f"{name}: {np.shape(values)} over {pixels.shape}",
                "Give the image that was explained.",
            )
    flat = pixels.max(axis=0) if pixels.ndim == 3 else pixels
    seen = view(as_image(flat))
    alt = f"an image, and over it: {', '.join(maps)}"
    figure, places = new_grid([seen] * (len(maps) + 1), 4, alt=alt, inches=2.9)
    draw_view(places[0], seen, title="image")
    for axes, (name, values) in zip(places[1:], maps.items(), strict=True):
        strongest = _flatten(np.asarray(values, float))
        limit = np.abs(strongest).max()
        title = f"{name}, up to {strongest.flat[np.abs(strongest).argmax()]:.2g}"
        draw_view(axes, seen, title=title, rgb=_tint(seen.rgb, strongest / (limit or 1)))
    return figure


def feature_maps(maps: np.ndarray, *, columns: int = 8, limit: int = 32) -> Figure:
    """Draw the feature maps of a layer, all in one grey range, so that weak ones look weak.

    Parameters
    ----------
    maps : (*space, K); of volumes the maximum along z is shown.
    columns : maps per row.
    limit : number of maps shown.

    Examples
    --------
    >>> feature_maps(np.zeros((8, 8, 3))).alt
    '3 feature maps of 8 x 8 px'
    """
    maps = np.asarray(maps, float)
    size = " x ".join(map(str, maps.shape[:-1]))
    flat = maps.max(axis=0) if maps.ndim == 4 else maps
    count = min(flat.shape[-1], limit)
    columns = min(columns, count)
    rows = -(-count // columns)
    alt = f"{count} feature maps of {size} px"
    figure = new_figure(1.2 * columns, 1.35 * rows + 0.1, alt=alt)
    grid = np.reshape(figure.subplots(rows, columns), -1)
    low, high = min(flat.min(), 0), flat.max()
    for i, axes in enumerate(grid):
        axes.set_axis_off()
        if i < count:
            axes.imshow(flat[..., i], cmap="gray", vmin=low, vmax=high or 1)
            axes.set_title(f"map {i + 1}", fontsize=7, color=INK, pad=2)
    return figure


def kernels(weights: np.ndarray, *, columns: int = 8, limit: int = 32) -> Figure:
    """Draw the kernels of a convolution: orange weights count for it, blue ones against it.

    Parameters
    ----------
    weights : (*size, C, K), as `inference.explanation.kernels` returns them; the first channel is
        shown, and of volumes the middle plane. Weights of small kernels are written.
    columns : kernels per row.
    limit : number of kernels shown.

    Examples
    --------
    >>> kernels(np.ones((3, 3, 1, 4))).alt
    '4 kernels of 3 x 3'
    """
    weights = np.asarray(weights, float)
    size = " x ".join(map(str, weights.shape[:-2]))
    flat = weights[weights.shape[0] // 2] if weights.ndim == 5 else weights
    flat = flat[:, :, 0]
    count = min(flat.shape[-1], limit)
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(1.2 * columns, 1.35 * rows + 0.1, alt=f"{count} kernels of {size}")
    limits = np.abs(flat).max() or 1
    for i, axes in enumerate(np.reshape(figure.subplots(rows, columns), -1)):
        axes.set_axis_off()
        if i < count:
            axes.imshow(_tint(np.full((*flat.shape[:2], 3), 255), flat[..., i] / limits))
            axes.set_title(f"kernel {i + 1}", fontsize=7, color=INK, pad=2)
            if max(flat.shape[:2]) <= MOST_DIGITS:
                write_values(axes, flat[..., i], text="{:.1f}", size=6)
    return figure


def write_values(axes: Axes, values: np.ndarray, *, text: str = "{:g}", size: float = 10) -> None:
    """Write the values of a small array into its pixels.

    Parameters
    ----------
    axes : that show the array.
    values : (H, W).
    text : format of a value.
    size : of the letters, in points.
    """
    for (row, column), value in np.ndenumerate(values):
        word = text.format(value)
        word = word if float(word) else text.format(0.0)  # no -0
        axes.text(column, row, word, ha="center", va="center", fontsize=size, color=INK)


def _flatten(values: np.ndarray) -> np.ndarray:
    """Of a volume the value farthest from 0 along z."""
    if values.ndim == 2:
        return values
    place = np.abs(values).argmax(axis=0, keepdims=True)
    return np.take_along_axis(values, place, axis=0)[0]


def _tint(rgb: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) uint8, tinted by values (H, W) from -1, blue, to 1, orange."""
    color = np.where(share[..., None] > 0, to_rgb(ORANGE), to_rgb(BLUE)) * 255
    opacity = OPACITY * np.abs(share)[..., None]
    return (rgb * (1 - opacity) + color * opacity).round().astype(np.uint8)
