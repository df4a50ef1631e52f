"""Figures of star-convex shapes and of flows: rays of a nucleus, flow fields, paths of pixels."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import hsv_to_rgb
from scipy import ndimage

from nbtools.image import Image
from nbtools.show.colors import BLUE, ORANGE, color_labels
from nbtools.show.figure import Figure, draw_view, new_figure, new_grid
from nbtools.show.pictures import as_image
from nbtools.show.views import view
from nbtools.targets import flows as targets

PROBABLE = 0.5  # foreground from which flows are drawn


def stars(label: object, *, rays: tuple[int, ...] = (8, 32)) -> Figure:
    """Draw the largest nucleus of a flat label image as star-convex polygons.

    Straight rays run from the deepest pixel to the border; the polygon joins their ends. Parts of a
    nucleus that are not star-convex stay outside the line; the title gives the IoU with the label.

    Parameters
    ----------
    label : label image (Y, X).
    rays : numbers of rays, one panel each.

    References
    ----------
    Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30.

    Examples
    --------
    >>> stars(np.ones((9, 9), int), rays=(4,)).alt
    'a nucleus as a star: 4 rays, IoU 0.51'
    """
    pixels = as_image(label).pixels
    sizes = np.bincount(np.maximum(pixels, 0).ravel())
    sizes[0] = 0
    inside = _crop_nucleus(pixels == sizes.argmax())
    drawn = {count: _draw_star(inside, count) for count in rays}
    text = "; ".join(f"{count} rays, IoU {iou:.2f}" for count, (_, _, iou) in drawn.items())
    figure = new_figure(
        3.4 * len(rays),
        3.4 * inside.shape[0] / inside.shape[1] + 0.3,
        alt=f"a nucleus as a star: {text}",
    )
    for axes, (count, (centre, corners, iou)) in zip(
        np.atleast_1d(figure.subplots(1, len(rays))), drawn.items(), strict=True
    ):
        axes.imshow(np.where(inside, 0.62, 0.93), cmap="gray", vmin=0, vmax=1)
        axes.add_collection(
            LineCollection(
                [[centre[::-1], corner[::-1]] for corner in corners], colors=BLUE, linewidths=0.7
            )
        )
        axes.plot(*np.concatenate([corners, corners[:1]]).T[::-1], color=ORANGE, linewidth=2)
        axes.plot(*centre[::-1], "o", color=BLUE, markersize=4)
        axes.set_title(f"{count} rays: IoU {iou:.2f}", fontsize=9)
        axes.set_axis_off()
    return figure


def flows(image: Image, maps: np.ndarray, *, every: int | None = None) -> Figure:
    """Draw flows as arrows on the image, and their directions as colours.

    Parameters
    ----------
    image : flat image, or a volume, of which the middle plane is shown.
    maps : (*space, 1 + ndim) foreground and flows, as `targets.flows.encode` or a prediction's raw
        maps hold them.
    every : distance between arrows in pixels; by default about 32 arrows along the longer side.

    References
    ----------
    Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
    """
    image, foreground, flow = _take_middle_plane(image, maps)
    every = every or max(1, round(max(foreground.shape) / 32))
    figure, (left, right) = new_grid(
        [view(image)] * 2, 2, alt="flows as arrows, and their directions as colours", inches=4.2
    )
    draw_view(left, view(image))
    rows, columns = (
        a.ravel()
        for a in np.mgrid[
            every // 2 : foreground.shape[0] : every, every // 2 : foreground.shape[1] : every
        ]
    )
    shown = foreground[rows, columns]
    rows, columns = rows[shown], columns[shown]
    down, across = flow[rows, columns].T * every * 0.9
    left.quiver(
        columns + 0.5,
        rows + 0.5,
        across,
        down,
        angles="xy",
        scale_units="xy",
        scale=1,
        color="#ffd24d",
        width=0.004,
        headwidth=4.5,
        pivot="mid",
    )
    right.imshow(
        _color_directions(flow * foreground[..., None]),
        extent=(0, foreground.shape[1], foreground.shape[0], 0),
    )
    right.set_title("direction", fontsize=9)
    right.set_axis_off()
    _draw_wheel(right)
    return figure


def paths(image: Image, maps: np.ndarray, *, every: int = 4, steps: int = 60) -> Figure:
    """Draw the paths of pixels along the flows of a flat image.

    Paths have the colour of the nucleus in which they end; grey ones end in none.

    Parameters
    ----------
    image : flat image.
    maps : (Y, X, 3) foreground and flows.
    every : distance between starting points in pixels.
    steps : number of steps drawn per pixel.
    """
    image, foreground, flow = _take_middle_plane(image, maps)
    label, colors = color_labels(
        targets.decode(np.concatenate([foreground[..., None], flow], axis=-1))
    )
    starts = np.argwhere(foreground)
    starts = starts[(starts % every == every // 2).all(axis=1)]
    ways = [starts.astype(np.float32)]
    for _ in range(steps):
        ways.append(targets.follow(flow * foreground[..., None], ways[-1], steps=1))
    ways = np.stack(ways, axis=1)[..., ::-1] + 0.5  # (n, steps, x y)
    number = label[tuple(starts.T)]
    shades = np.where(number[:, None] > 0, colors[number], np.array((118, 118, 118)) / 255)
    figure, (axes,) = new_grid(
        [view(image)],
        1,
        alt=f"paths of {len(starts)} pixels to {label.max()} nuclei",
        inches=5.5,
    )
    draw_view(axes, view(image))
    axes.add_collection(LineCollection(ways, colors=shades, linewidths=0.8))
    axes.scatter(*ways[:, -1].T, s=9, color=shades, edgecolors="black", linewidths=0.4, zorder=3)
    return figure


def _take_middle_plane(image: Image, maps: np.ndarray) -> tuple[Image, np.ndarray, np.ndarray]:
    """Image, foreground (Y, X) bool and flows (Y, X, 2); of a volume those of its middle plane."""
    image = as_image(image)
    if maps.ndim == 4:
        depth = maps.shape[0] // 2
        image, maps = image.select(Z=depth), maps[depth][..., [0, 2, 3]]
    return image, maps[..., 0] > PROBABLE, maps[..., 1:]


def _crop_nucleus(inside: np.ndarray, margin: int = 3) -> np.ndarray:
    return np.pad(inside[ndimage.find_objects(inside.astype(int))[0]], margin)


def _draw_star(inside: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Deepest pixel (2,), ends of its rays (count, 2) as row and column, IoU with the nucleus."""
    from skimage.draw import polygon

    depth = ndimage.distance_transform_edt(inside)
    centre = np.array(np.unravel_index(depth.argmax(), depth.shape), float)
    angle = 2 * np.pi * np.arange(count) / count
    direction = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    way = np.arange(0, sum(inside.shape), 0.25)
    points = np.rint(centre + direction[:, None] * way[:, None]).astype(int)  # (count, steps, 2)
    points = np.clip(points, 0, np.array(inside.shape) - 1)
    outside = np.argmin(inside[points[..., 0], points[..., 1]], axis=1)  # the first step
    corners = centre + direction * way[outside][:, None]
    star = np.zeros_like(inside)
    star[polygon(*corners.T, shape=inside.shape)] = True
    return centre, corners, float((star & inside).sum() / (star | inside).sum())


def _color_directions(flow: np.ndarray) -> np.ndarray:
    """(H, W, 2) flows → (H, W, 3) colours, 0 … 1.

    Hue stands for the direction, brightness for the length, black for none.
    """
    angle = np.arctan2(flow[..., 0], flow[..., 1]) / (2 * np.pi) % 1
    return hsv_to_rgb(
        np.stack(
            [angle, np.full_like(angle, 0.75), np.clip(np.linalg.norm(flow, axis=-1), 0, 1)],
            axis=-1,
        )
    )


def _draw_wheel(axes: Axes) -> None:
    """What the colours mean, in the corner: a disc whose pixels flow outwards."""
    away = np.stack(np.mgrid[-20:21, -20:21], axis=-1) / 20
    length = np.linalg.norm(away, axis=-1)
    rgba = np.concatenate(
        [_color_directions(away / np.maximum(length, 0.05)[..., None]), (length <= 1)[..., None]],
        axis=-1,
    )
    inset = axes.inset_axes((0.01, 0.01, 0.14, 0.14))
    inset.imshow(rgba)
    inset.set_aspect("equal", anchor="SW")
    inset.set_axis_off()
