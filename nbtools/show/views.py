"""From an image of any axes to the colour array that is shown, with label outlines on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_hex

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics.overlap import VOID
from nbtools.show import layout
from nbtools.show.colors import color_labels
from nbtools.show.contrast import Contrast, measure_contrast

STRIPES = 8  # px from one stripe of the hatching to the next


@dataclass(frozen=True)
class View:
    """What is drawn of one image.

    Parameters
    ----------
    rgb : (H, W, 3) uint8, square pixels; a volume is laid out as maximum projections and slices.
    label : (H, W) integers in the same layout, or None.
    spacing_um : side of a shown pixel in µm, None if unknown.
    frame : width and height of the first panel in shown pixels; of a flat image the whole picture.
    captions : texts in the picture, (x, y, text, colour): panels of a volume, channels of an image.
    name : name of the image.
    """

    rgb: np.ndarray
    label: np.ndarray | None
    spacing_um: float | None
    frame: tuple[int, int]
    captions: tuple[tuple[float, float, str, str], ...] = ()
    name: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in shown pixels."""
        return self.rgb.shape[:2]


def view(
    image: Image,
    label: Image | None = None,
    *,
    contrast: Contrast | None = None,
    most: int = 2048,
    cuts: tuple[int, int, int] | None = None,
) -> View:
    """Lay out an image, and its label image, for display.

    Parameters
    ----------
    image : of a movie, the first frame is shown.
    label : label image of the same size; pixels of -1, which nobody looked at, are hatched.
    contrast : how grey values become colours; by default measured on this image, for the
        projections of a volume apart from its slices.
    most : longest side in pixels; larger pictures are thinned out.
    cuts : z, y and x of the slices of a volume; by default through the middle of its labels.

    Raises
    ------
    UserError : label and image differ in size.
    """
    image = io.as_image(image, axes="ZYX")
    label = None if label is None else io.as_label(label)
    space = "ZYX" if image.size("Z") > 1 else "YX"
    image = image.select(T=0).to(space + "C")
    pixels, labels = image.pixels, None
    if label is not None:
        labels = label.select(T=0).to(space).pixels
        check_same_space(pixels.shape[:-1], labels.shape)
    thin = -(-max(image.space_shape) // most)
    about = {
        "spacing_um": min(image.spacing_um) * thin if image.spacing_um else None,
        "name": image.name,
    }
    if space == "ZYX":
        how = {"thin": thin, "contrast": contrast, "about": about, "cuts": cuts}
        return _view_volume(image, labels, **how)
    labels, seen = _split_void(labels)
    contrast = contrast or measure_contrast(pixels, rgb=image.is_rgb)
    rgb = contrast.color(layout.make_pixels_square(pixels, image.relative_spacing, thin=thin))
    if seen is not None:
        square = layout.make_pixels_square(seen, image.relative_spacing, thin=thin)
        rgb = hatch(rgb, np.asarray(square) < 0.5)
    if labels is not None:
        labels = layout.make_pixels_square(labels, image.relative_spacing, thin=thin)
    return View(
        rgb,
        labels,
        frame=rgb.shape[1::-1],
        captions=_name_channels(image, contrast.tints, rgb.shape[0]),
        **about,
    )


def choose_cuts(label: Image) -> tuple[int, int, int] | None:
    """z, y and x of slices through the middle of the labels; None where the image is flat."""
    if label.size("Z") == 1:
        return None
    labels = np.maximum(label.select(T=0).to("ZYX").pixels, 0)
    return layout.choose_slices(labels, labels.shape)


def _split_void(labels: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Labels without -1, and where somebody looked; None where that is everywhere."""
    if labels is None:
        return None, None
    seen = labels != VOID if labels.min(initial=0) == VOID else None
    return np.maximum(labels, 0), seen


def _view_volume(
    image: Image,
    labels: np.ndarray | None,
    *,
    thin: int,
    contrast: Contrast | None,
    about: dict,
    cuts: tuple[int, int, int] | None,
) -> View:
    labels, seen = _split_void(labels)
    cuts = cuts or layout.choose_slices(labels, image.space_shape)
    spacing = image.relative_spacing
    rows = layout.make_panels(image.pixels, cuts, spacing=spacing, thin=thin)
    # projections are brighter than any slice, so they have a contrast of their own
    projected, sliced = (
        contrast or measure_contrast(pixels, rgb=image.is_rgb)
        for pixels in (rows[0][0], image.pixels)
    )
    drawn = [
        [None if p is None else (sliced if c else projected).color(p) for c, p in enumerate(row)]
        for row in rows
    ]
    named = zip(layout.panel_corners(rows), layout.name_panels(cuts), strict=True)
    captions = tuple((left, top, name, "white") for (left, top), name in named if name)
    if labels is not None:
        labels = layout.assemble(layout.make_panels(labels, cuts, spacing=spacing, thin=thin))
    rgb = layout.assemble(drawn, blank=255)
    if seen is not None:
        panels = layout.make_panels(seen.astype(np.uint8), cuts, spacing=spacing, thin=thin)
        rgb = hatch(rgb, layout.assemble(panels, blank=1) == 0)
    return View(
        rgb,
        labels,
        frame=rows[0][0].shape[1::-1],
        captions=captions,
        **about,
    )


def hatch(rgb: np.ndarray, void: np.ndarray) -> np.ndarray:
    """Grey stripes over pixels that nobody looked at.

    Parameters
    ----------
    rgb : (H, W, 3) uint8.
    void : (H, W) bool.

    Examples
    --------
    >>> hatch(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool)).max()
    np.uint8(70)
    """
    rows, columns = np.indices(void.shape)
    stripe = (rows + columns) % STRIPES < STRIPES // 2
    striped = rgb.copy()
    striped[void] = rgb[void] // 2 + 20
    striped[void & stripe] = rgb[void & stripe] // 2 + 70
    return striped


def paint(
    rgb: np.ndarray,
    label: np.ndarray,
    *,
    fill: float = 0.2,
    colors: np.ndarray | None = None,
    least: int = 480,
) -> np.ndarray:
    """Paint labels on colours: a light filling and a full outline.

    Parameters
    ----------
    rgb : (H, W, 3) uint8.
    label : (H, W) integers.
    fill : opacity of the filling, 0 to 1.
    colors : (N + 1, 3) from 0 to 1, indexed by label; by default neighbours differ.
    least : longest side below which a picture is enlarged k times, so that its outline stays thin.

    Returns
    -------
    Colour array (k H, k W, 3) uint8.
    """
    if colors is None:
        label, colors = color_labels(label)
    rgb, label = enlarge(rgb, least), enlarge(label, least)
    shades = np.round(colors * 255).astype(np.uint8)
    painted = rgb.copy()
    inside = label > 0
    painted[inside] = (
        np.float32(1 - fill) * rgb[inside] + np.float32(fill) * shades[label[inside]]
    ).astype(np.uint8)
    edge = find_outline(label, width=max(1, round(max(label.shape) / 700)))
    painted[edge] = shades[label[edge]]
    return painted


def overlay_rgb(image: Image, label: Image, *, fill: float = 0.2, most: int = 2048) -> np.ndarray:
    """Paint label outlines on an image, as a colour array (H, W, 3) uint8, ready for a PNG.

    Parameters
    ----------
    image, label : image and label image of one size.
    fill : opacity of the filling, 0 to 1.
    most : longest side in pixels; larger images are thinned out.

    Examples
    --------
    >>> square = np.zeros((40, 40), np.uint8)
    >>> square[10:20, 10:20] = 1
    >>> overlay_rgb(Image(square, "YX"), Image(square, "YX")).shape
    (480, 480, 3)
    """
    shown = view(image, label, most=most)
    return paint(shown.rgb, shown.label, fill=fill)


def enlarge(array: np.ndarray, least: int = 480) -> np.ndarray:
    """Repeat pixels a whole number of times, until the longer side comes near to `least`."""
    times = max(1, round(least / max(array.shape[:2])))
    return array.repeat(times, axis=0).repeat(times, axis=1)


def find_outline(label: np.ndarray, *, width: int = 1) -> np.ndarray:
    """Pixels (H, W) bool of a label that lie within `width` of another label or the background."""
    differs = np.zeros(label.shape, bool)
    for step in range(1, width + 1):
        rows, columns = label[step:] != label[:-step], label[:, step:] != label[:, :-step]
        differs[step:] |= rows
        differs[:-step] |= rows
        differs[:, step:] |= columns
        differs[:, :-step] |= columns
    return differs & (label > 0)


def check_same_space(image_shape: tuple[int, ...], label_shape: tuple[int, ...]) -> None:
    """Raise a UserError where image and label differ in size."""
    if tuple(image_shape) != tuple(label_shape):
        raise UserError(
            "Image and label must have the same size.",
            f"image {' x '.join(map(str, image_shape))}, label {' x '.join(map(str, label_shape))}",
            "Check that they belong together: files pair by name.",
        )


def _name_channels(image: Image, tints: np.ndarray, height: int) -> tuple:
    if image.is_rgb or len(tints) < 2:
        return ()
    names = image.channels or [f"channel {c}" for c in range(len(tints))]
    return tuple(
        (0, c * height * 0.045, name, color)
        for c, (name, color) in enumerate(zip(names, map(to_hex, tints), strict=True))
    )
