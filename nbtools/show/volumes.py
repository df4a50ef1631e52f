"""Figures of volumes without a plug-in: slices, projections, volume rendering and surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from matplotlib.axes import Axes
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.show import layout
from nbtools.show.colors import INK, color_labels, depth_colors
from nbtools.show.contrast import Contrast, measure_contrast
from nbtools.show.figure import Figure, draw_single, draw_view, new_figure, new_grid, shorten
from nbtools.show.scene import AMBIENT, LIGHT, prepare_scene, require_volume
from nbtools.show.views import View, check_same_space, enlarge, paint

CROSS = np.array([255, 214, 10], np.uint8)  # yellow, on grey and on every label colour
OPEN = 7  # shown pixels around the place that the crosshair leaves free
MOST_FACES = 60_000  # of all surfaces together
PLANES = {"Z": "YX", "Y": "ZX", "X": "YZ"}  # axis looked along → rows and columns of the picture


def slices(
    image: Image, label: Image | None = None, *, at: tuple[int, int, int] | None = None
) -> Figure:
    """Draw the three slices through one place of a volume in true proportions, with a crosshair.

    Parameters
    ----------
    image, label : volume and its label image.
    at : plane z, row y, column x; by default the middle of the labelled voxels, else of the volume.

    Examples
    --------
    >>> slices(Image(np.eye(8)[None].repeat(4, axis=0), "ZYX", (2.0, 1.0, 1.0)), at=(1, 2, 3)).alt
    'slices z = 1, y = 2, x = 3'
    """
    at = at or choose_place(image, label)
    rgb = slices_rgb(image, label, at=at)
    text = ", ".join(f"{axis} = {value}" for axis, value in zip("zyx", at, strict=True))
    times = len(rgb) / (sum(_measure_side(image, axis) for axis in "YZ") + layout.GAP)
    side_um = min(image.spacing_um) / times if image.spacing_um else None
    frame = tuple(int(_measure_side(image, axis) * times) for axis in "XY")
    seen = View(rgb, None, spacing_um=side_um, frame=frame, name=image.name)
    return draw_single(
        seen, alt=f"slices {text}", title=f"{shorten(image.name)} {text}".strip(), inches=6.0
    )


def slices_rgb(
    image: Image,
    label: Image | None = None,
    *,
    at: tuple[int, int, int],
    contrast: Contrast | None = None,
    colors: np.ndarray | None = None,
    least: int = 480,
) -> np.ndarray:
    """Return the picture of `slices`, (H, W, 3) uint8: slice z, slice x beside, slice y below.

    Parameters
    ----------
    image, label : volume and its label image.
    at : plane z, row y, column x.
    contrast : by default measured on the whole volume.
    colors : (N + 1, 3) of labels numbered 0..N; by default chosen for the whole volume.
    least : longest side below which the picture is enlarged.

    Raises
    ------
    UserError : no volume, a place outside it, or a label image of another size.
    """
    image = require_volume(image).select(T=0).to("ZYXC")
    check_place(at, image)
    contrast = contrast or measure_contrast(image.pixels, rgb=image.is_rgb)
    rows = layout.make_slices(image.pixels, at, spacing=image.relative_spacing)
    painted = montage = layout.assemble(
        [[None if panel is None else contrast.color(panel) for panel in row] for row in rows],
        blank=255,
    )
    if label is not None:
        found = np.maximum(label.select(T=0).to("ZYX").pixels, 0)
        check_same_space(image.space_shape, found.shape)
        found, colors = (found, colors) if colors is not None else color_labels(found)
        painted = paint(
            montage,
            layout.assemble(layout.make_slices(found, at, spacing=image.relative_spacing)),
            fill=0.12,
            least=least,
            colors=colors,
        )
    else:
        painted = enlarge(montage, least)
    return _draw_crosshair(painted, rows, at=at, spacing=image.relative_spacing)


def choose_place(image: Image, label: Image | None = None) -> tuple[int, int, int]:
    """Choose the plane z, row y and column x to show first.

    Parameters
    ----------
    image : volume.
    label : label image; the place lies in a nucleus near the middle of the labelled voxels. Without
        one, it is the middle of the volume.
    """
    found = None if label is None else label.select(T=0).to("ZYX").pixels
    z, *middle = layout.choose_slices(
        None if found is None else found > 0,
        require_volume(image).select(T=0).to("ZYXC").space_shape,
    )
    if found is not None and (found[z] > 0).any():
        row, column = _find_nearest(found[z] > 0, middle)
        own = found[z] == found[z, row, column]
        middle = _find_nearest(own, np.argwhere(own).mean(axis=0))
    return (z, *middle)


def _find_nearest(inside: np.ndarray, place: Sequence[float]) -> list[int]:
    """Row and column of the pixel of (H, W) bool that is nearest to a place."""
    pixels = np.argwhere(inside)
    return pixels[((pixels - np.asarray(place)) ** 2).sum(axis=1).argmin()].tolist()


def projections(image: Image, *, axis: str = "Z") -> Figure:
    """Draw the maximum, the mean, and the depth-coded maximum of a volume along an axis.

    Parameters
    ----------
    image : volume; each picture has its own contrast.
    axis : "Z", "Y" or "X".

    Raises
    ------
    UserError : no volume, or no such axis.
    """
    if axis not in PLANES:
        raise UserError(
            "A volume is projected along one of its axes.", repr(axis), 'Use "Z", "Y" or "X".'
        )
    volume = require_volume(image).select(T=0).to(f"{axis}{PLANES[axis]}C")
    spacing = volume.relative_spacing[1:]
    flat = [
        layout.make_pixels_square(p, spacing)
        for p in (volume.pixels.max(axis=0), volume.pixels.mean(axis=0))
    ]
    pictures = [
        measure_contrast(p, rgb=image.is_rgb and p.dtype == np.uint8).color(p) for p in flat
    ]
    pictures.append(layout.make_pixels_square(project_by_depth(volume.pixels), spacing))
    side_um = min(image.spacing_um) if image.spacing_um else None
    shown = [
        View(rgb, None, spacing_um=side_um, frame=rgb.shape[1::-1], name=image.name)
        for rgb in pictures
    ]
    figure, places = new_grid(
        shown, 3, alt=f"{image.name or 'volume'} projected along {axis.lower()}", inches=3.4
    )
    for axes, seen, word in zip(
        places,
        shown,
        ("maximum", "mean", f"maximum, colour: where along {axis.lower()}"),
        strict=True,
    ):
        draw_view(axes, seen, title=word)
    _draw_ramp(places[2], volume)
    return figure


def project_by_depth(pixels: np.ndarray) -> np.ndarray:
    """Project (D, H, W, C) along the first axis to (H, W, 3) uint8, coloured by depth.

    Parameters
    ----------
    pixels : grey values; a pixel is as bright as the maximum, and coloured by where that lies.
    """
    highest = pixels.max(axis=0)
    contrast = measure_contrast(highest)
    bright = np.clip(
        (highest.astype(np.float32) - contrast.low) / (contrast.high - contrast.low), 0, 1
    )
    channel = bright.argmax(axis=-1)[..., None]
    where = np.take_along_axis(pixels.argmax(axis=0), channel, axis=-1)[..., 0] / max(
        1, len(pixels) - 1
    )
    return (depth_colors(where) * np.take_along_axis(bright, channel, axis=-1) * 255 + 0.5).astype(
        np.uint8
    )


def rays(
    image: Image,
    label: Image | None = None,
    *,
    angles: Sequence[float] = (0, 30, 60, 90),
    axis: str = "Y",
) -> Figure:
    """Draw a volume from several sides; with labels, nuclei are coloured bodies.

    At 90 degrees the view is along x (about Y), where a coarse z shows as blur.

    Parameters
    ----------
    image, label : volume and its label image.
    angles : degrees.
    axis : axis of rotation: "Y", "X" or "Z".
    """
    scene = prepare_scene(image, label, most=160)
    shown = [
        View(rgb, None, spacing_um=scene.voxel_um, frame=rgb.shape[1::-1], name=scene.name)
        for rgb in (scene.draw(angle, axis) for angle in angles)
    ]
    figure, places = new_grid(
        shown, 4, alt=f"{scene.name or 'volume'} from {len(shown)} sides", inches=2.7
    )
    for axes, seen, angle in zip(places, shown, angles, strict=True):
        draw_view(axes, seen, title=f"{angle:g}°")
    return figure


def surfaces(label: Image, *, elevation: float = 25.0, azimuth: float = -60.0) -> Figure:
    """Draw the surfaces of labelled nuclei in true proportions, z upwards.

    Meshes are coarser where there are many nuclei.

    Parameters
    ----------
    label : label image of a volume.
    elevation, azimuth : viewing direction in degrees.

    Raises
    ------
    UserError : an image without z.

    References
    ----------
    Lewiner et al. 2003, doi:10.1080/10867651.2003.10487582 (marching cubes).
    """
    label = require_volume(label).select(T=0).to("ZYX")
    dense, colors = color_labels(np.maximum(label.pixels, 0))
    spacing = np.array(label.spacing or (1.0, 1.0, 1.0))
    figure = new_figure(
        5.5, 5.0, alt=f"surfaces of {len(colors) - 1} {'nucleus' if len(colors) == 2 else 'nuclei'}"
    )
    axes = figure.add_subplot(projection="3d")
    for number, corners in mesh_labels(dense, spacing):
        _draw_mesh(axes, corners, colors[number])
    extent = np.array(dense.shape) * spacing
    axes.set(xlim=(0, extent[2]), ylim=(extent[1], 0), zlim=(0, extent[0]))
    unit = "µm" if label.spacing_um else "pixels"
    for axis in "xyz":
        getattr(axes, f"set_{axis}label")(f"{axis} ({unit})", fontsize=8, color=INK)
    axes.tick_params(labelsize=7, colors=INK)
    axes.set_box_aspect(extent[::-1])
    axes.view_init(elevation, azimuth)
    return figure


def mesh_labels(dense: np.ndarray, spacing: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Triangulate the surface of each label by marching cubes.

    Parameters
    ----------
    dense : (Z, Y, X) labels 0..N without gaps.
    spacing : pixel size along z, y, x.

    Returns
    -------
    (label, corners (triangles, 3, z y x) in the unit of the spacing) of each nucleus.
    """
    from skimage.measure import marching_cubes

    boxes = ndimage.find_objects(dense)
    area = sum(_count_faces(box) for box in boxes if box is not None)
    step, found = max(1, int(np.ceil(np.sqrt(area / MOST_FACES)))), []
    for number, box in enumerate(boxes, start=1):
        if box is None:
            continue
        body = np.pad((dense[box] == number).astype(np.float32), step + 1)
        smooth = ndimage.gaussian_filter(body, 0.7)  # takes the steps of the voxels away
        places, faces, *_ = marching_cubes(
            smooth if smooth.max() > 0.5 else body, 0.5, step_size=min(step, min(body.shape) // 3)
        )
        corner = np.array([s.start for s in box]) - (step + 1) + 0.5
        found.append((number, ((places + corner) * spacing)[faces]))
    return found


def check_place(at: tuple[int, int, int], image: Image) -> None:
    """Raise a UserError where a place (z, y, x) lies outside an image."""
    if len(at) != 3 or not all(
        0 <= value < image.size(axis) for value, axis in zip(at, "ZYX", strict=True)
    ):
        highest = ", ".join(f"{axis.lower()} 0 to {image.size(axis) - 1}" for axis in "ZYX")
        raise UserError("A place must lie inside the volume, as z, y, x.", at, f"Use {highest}.")


def _measure_side(image: Image, axis: str) -> int:
    """Pixels of an axis on a montage with square pixels."""
    return max(
        1,
        round(image.size(axis) * image.relative_spacing[image.spatial.index(axis)]),
    )


def _draw_crosshair(
    painted: np.ndarray, rows: layout.Rows, *, at: tuple[int, int, int], spacing: tuple[float, ...]
) -> np.ndarray:
    """Thin lines through the place in each of the three slices, open in the middle."""
    # as `layout.assemble` puts them together
    times = len(painted) // (len(rows[0][0]) + layout.GAP + len(rows[1][0]))
    z, y, x = (int((value + 0.5) * s * times) for value, s in zip(at, spacing, strict=True))
    for (left, top), panel, (row, column) in zip(
        layout.panel_corners(rows),
        chain.from_iterable(rows),
        ((y, x), (y, z), (z, x)),  # the fourth panel is empty
        strict=False,
    ):
        place = painted[
            top * times : (top + panel.shape[0]) * times,
            left * times : (left + panel.shape[1]) * times,
        ]
        for line, here in ((place[row], column), (place[:, column], row)):
            free = np.abs(np.arange(len(line)) - here) > OPEN
            line[free] = line[free] // 2 + CROSS // 2
    return painted


def _draw_ramp(axes: Axes, volume: Image) -> None:
    """A strip on the right that shows which colour lies where."""
    count, step = volume.shape[0], volume.spacing_um[0] if volume.spacing_um else None
    limits = (f"{0:g}", f"{(count - 1) * step:.3g} µm") if step else ("0", f"plane {count - 1}")
    strip = axes.inset_axes((1.02, 0.0, 0.05, 1.0))
    strip.imshow(depth_colors(np.linspace(0, 1, 128))[:, None], aspect="auto", extent=(0, 1, 1, 0))
    strip.set_xticks([])
    strip.set_yticks([0, 1], limits, fontsize=7, color=INK)
    strip.yaxis.tick_right()
    strip.tick_params(length=0)


def _draw_mesh(axes: Axes, corners: np.ndarray, color: np.ndarray) -> None:
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    first, second, third = corners.swapaxes(0, 1)
    normal = np.cross(third - first, second - first)  # outwards, in the order z, y, x
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    facing = normal @ (LIGHT * (-1, -1, 1))  # the lamp stands above and in front
    shade = AMBIENT + (1 - AMBIENT) * np.clip(facing, 0, 1)
    axes.add_collection3d(
        Poly3DCollection(corners[..., ::-1], facecolors=shade[:, None] * color, linewidths=0)
    )


def _count_faces(box: tuple[slice, ...]) -> int:
    """About as many triangles as the surface of a body in this box has."""
    depth, height, width = (s.stop - s.start for s in box)
    return 3 * (depth * height + height * width + width * depth)
