"""The table of nuclei: size, shape, position, neighbours and intensity."""

from __future__ import annotations

import numpy as np

from nbtools.errors import UserError
from nbtools.geometry import UNIT_BALL
from nbtools.image import Image
from nbtools.io.stored import is_stored
from nbtools.measure import chromocentres as spots
from nbtools.measure import hull, reliability, shape, stored, surface
from nbtools.measure.inputs import find_grid, read_channels, read_grid, read_inputs, to_spatial
from nbtools.measure.ring import describe_rings, find_reach
from nbtools.measure.runs import Runs, find_moments, find_runs
from nbtools.measure.tables import stack
from nbtools.measure.texture import describe_texture

THINNEST = 1.5  # pixels; with a shorter semi-axis, numbers of shape mean nothing


def measure(
    label: Image,
    image: Image | None = None,
    *,
    solidity: bool = True,
    texture: bool = False,
    chromocentres: bool | Image = False,
    ring: float | None = None,
) -> dict[str, np.ndarray]:
    """Measure the nuclei of a label image: one row per nucleus, in the order of the labels.

    A movie is measured time point by time point: one row per nucleus and frame.

    Parameters
    ----------
    label : 2D or 3D label image, or a movie of these; the spacing of the image, or else its own,
        gives the units. Pixels of -1, which nobody looked at, count as background.
    image : the same field, with or without channels. Both may be arrays or paths, see
        `io.as_label` and `io.as_image`.
    solidity : convex hulls take most of the time; False leaves out the column.
    texture : add the grey-level texture of each channel, see `texture`.
    chromocentres : True finds them in the first channel, see `chromocentres`; or their label image.
    ring : width of the ring around each nucleus in which the image is measured, too, see `ring`:
        in µm, where the spacing is unknown in pixels. None: no ring.

    Returns
    -------
    Columns, (n,) each:

    image, label : name and label; of movies also `frame`, from 0, and `time_s`, where the interval
        of the frames is known.
    z, y, x : centre in pixels.
    volume_um3 or area_um2 : pixels times their size.
    surface_um2 or perimeter_um : see `surface.measure_surface`.
    equivalent_radius_um : of the ball (2D: disc) of equal volume.
    sphericity : surface of that ball over the surface (Wadell); in 2D by perimeters. In 3D also
        `sphericity_nucleusj`, its cube.
    flatness, elongation : in 3D middle over shortest, and longest over middle axis of the ellipsoid
        of equal second moments; in 2D only elongation, longest over shortest axis.
    solidity : share of the pixels of the convex hull, 1 for convex nuclei (see `hull`).
    touches_border : whether it touches a side of the image.
    neighbours : number of nuclei that it touches, corners included.
    nearest_um : distance to the nearest other centre.
    mean_C, sum_C, std_C : grey values of each channel C (name or number).
    ring_mean_C, ring_px : grey values in the ring, and its pixels.
    image_border_um : distance from the nucleus to the nearest side of the image.
    orientation_deg, or azimuth_deg, elevation_deg and tilt_deg : see `shape.measure_angles`.
    reliable : volume, surface, sphericity, flatness, elongation and solidity are right within 5 %,
        as far as the pixels can tell: enough of them fit between centre and surface, some four in
        3D and six in 2D, six and eight where the nucleus has edges and faces (see `reliability`).
    unreliable : names of the columns that may be off by more, "" where there are none.

    Nuclei thinner than three pixels have NaN for shape. A nucleus that touches the border is cut:
    leave it out where size or shape matters. Where the spacing is unknown or only a ratio,
    `volume_px` or `area_px` count pixels, and lengths are in units of the finest pixel
    (`surface_px2`, `perimeter_px`, `equivalent_radius_px`, `nearest_px`, `image_border_px`).

    Raises
    ------
    UserError : labels are not whole numbers, shapes differ, or texture or chromocentres are asked
        for without an image; or a ring is, or one narrower than a pixel.

    References
    ----------
    Dubos et al. 2020, doi:10.1080/19491034.2020.1845012 (NucleusJ 2.0).

    Examples
    --------
    >>> square = np.zeros((20, 20), np.uint8)
    >>> square[5:15, 5:15] = 3
    >>> measure(Image(square, "YX", spacing=(0.5, 0.5)))["area_um2"]
    array([25.])
    """
    label, image = read_inputs(label, image)
    how = {"solidity": solidity, "texture": texture, "chromocentres": chromocentres, "ring": ring}
    if "T" in label.axes or is_stored(label.pixels):
        measure_parts = _measure_movie if "T" in label.axes else _measure_stored
        return measure_parts(label, image, **how)
    pixels, spacing, unit = read_grid(label, image)
    runs, index, labels, size = find_runs(pixels)
    centre, covariance = find_moments(runs, size)
    exits, contacts = surface.count_exits(index, len(labels))
    border = runs.distance_to_sides(pixels.shape, spacing, n=len(labels))
    axes = np.linalg.eigh(covariance * np.outer(spacing, spacing))
    described, unreliable = _describe(
        runs, size, covariance=covariance, exits=exits, grid=(spacing, unit), solidity=solidity
    )
    table = {
        "image": np.full(len(labels), label.name or (image.name if image else ""), object),
        "label": labels,
        **dict(zip("zyx"[-pixels.ndim :], centre.T, strict=True)),
        **described,
        "touches_border": border == 0,
        "neighbours": np.bincount(contacts.ravel(), minlength=len(labels) + 1)[1:],
        f"nearest_{unit}": _nearest(centre * spacing),
        **_intensities(image, label, runs=runs, inside=index.ravel() > 0, size=size),
        f"image_border_{unit}": border,
        **shape.measure_angles(axes),
        "reliable": unreliable == "",
        "unreliable": unreliable,
    }
    return table | _measure_more(label, image, index=index, spacing=spacing, how=how)


def _measure_more(
    label: Image, image: Image | None, *, index: np.ndarray, spacing: np.ndarray, how: dict
) -> dict[str, np.ndarray]:
    """Columns of what is measured only where it is asked for; `how` : the options of `measure`."""
    table = {}
    if how["texture"]:
        table |= describe_texture(image, label, index=index)
    if how["ring"] is not None:
        table |= describe_rings(image, label, index=index, width=how["ring"], spacing=spacing)
    if how["chromocentres"] is not False:
        table |= spots.describe_chromocentres(label, image, spots=how["chromocentres"])
    return table


def _measure_stored(
    label: Image, image: Image | None, **how: bool | float | Image | None
) -> dict[str, np.ndarray]:
    """The table of labels in a file, region after region."""
    if how["chromocentres"] is not False:
        raise stored.refuse_chromocentres(label)
    flat, tables = to_spatial(label), []
    spacing, unit = find_grid(flat, image)
    reach = find_reach(how["ring"], spacing)
    for part, grey, labels, place in stored.list_regions(label, image, reach=reach):
        rows = measure(part, grey, **how)
        tables.append(stored.keep_rows(rows, labels, place=place, axes=flat.axes))
    if not tables:
        nothing = flat.replace(pixels=np.zeros((1,) * flat.pixels.ndim, np.uint8))
        grey = image and stored.cut(image, flat.axes, place=(slice(0, 1),) * flat.pixels.ndim)
        return measure(nothing, grey, **how)
    table = stack(tables)
    order = np.argsort(table["label"], kind="stable")
    table = {name: values[order] for name, values in table.items()}
    centre = np.stack([table[axis] for axis in flat.axes.lower()], axis=-1)
    table[f"nearest_{unit}"] = _nearest(centre * spacing)
    return table | stored.place_nuclei(table, flat.pixels, spacing=spacing, unit=unit)


def _measure_movie(label: Image, image: Image | None, **how: bool | float | Image | None) -> dict:
    """The tables of all time points below each other, with the columns of time."""
    count = label.size("T")
    if image is not None and image.size("T") != count:
        raise UserError(
            "Image and labels must have the same time points.",
            f"{image.axes} {image.shape} and {label.axes} {label.shape}",
            "Give the image of the same movie; or choose one of both: image.select(T=0).",
            command="Give the images of the same movie; or add --time 0.",
        )
    moments, images = label.frames(), [None] * count if image is None else image.frames()
    spots = how.pop("chromocentres")
    each = spots.frames() if isinstance(spots, Image) else [spots] * count
    tables = []
    for frame, (one, grey) in enumerate(zip(moments, images, strict=True)):
        table = measure(one, grey, chromocentres=each[frame], **how)
        tables.append(name_time(table, label.interval_s, frame=frame))
    return stack(tables)


def name_time(table: dict, interval_s: float | None, *, frame: int) -> dict:
    """A table with the columns of a time point behind the name of its image.

    Parameters
    ----------
    table : of `measure`, of one time point.
    interval_s : between time points; None leaves out the column `time_s`.
    frame : number of the time point, from 0.
    """
    count = len(table["label"])
    time = {"frame": np.full(count, frame)}
    if interval_s is not None:
        time["time_s"] = np.full(count, round(frame * interval_s, 6))
    return {"image": table["image"], **time} | table


def _describe(
    runs: Runs,
    size: np.ndarray,
    *,
    covariance: np.ndarray,
    exits: np.ndarray,
    grid: tuple[np.ndarray, str],
    solidity: bool,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns of size and shape, and the names (n,) of those that are unreliable.

    size : (n,) pixels. covariance : (n, D, D) in pixels. exits : of `surface.count_exits`. grid :
    pixel size and its unit.
    """
    spacing, unit = grid
    ndim = len(spacing)
    axes = np.linalg.eigh(covariance * np.outer(spacing, spacing))
    volume = size * np.prod(spacing)
    radius = (volume / UNIT_BALL[ndim]) ** (1 / ndim)
    ratios, thick = shape.axis_ratios(axes, spacing, thinnest=THINNEST)
    fullness = shape.compare_with_ellipsoid(volume, axes)
    solid, around = hull.measure_hulls(
        runs, size, spacing=spacing, of=solidity | surface.are_angular(fullness, ndim)
    )
    faces = surface.blend_with_hull(
        surface.measure_surface(exits, axes, spacing=spacing),
        around,
        solidity=solid,
        fullness=fullness,
        ndim=ndim,
    )
    faces = np.where(thick, faces, np.nan)
    amount = "area" if ndim == 2 else "volume"
    columns = {
        **({f"{amount}_px": size} if unit == "px" else {f"{amount}_um{ndim}": volume}),
        f"perimeter_{unit}" if ndim == 2 else f"surface_{unit}2": faces,
        f"equivalent_radius_{unit}": radius,
        **shape.describe_shape(ratios, radius=radius, faces=faces, thick=thick),
        **({"solidity": solid} if solidity else {}),
    }
    names = reliability.name_unreliable(columns, covariance, fullness=fullness, solidity=solid)
    return columns, names


def _nearest(centre: np.ndarray) -> np.ndarray:
    """Distance from each centre (N, D) to the nearest other one; NaN where there is one nucleus."""
    from scipy.spatial import cKDTree

    if len(centre) < 2:
        return np.full(len(centre), np.nan)
    return cKDTree(centre).query(centre, k=2)[0][:, 1]


def _intensities(
    image: Image | None, label: Image, *, runs: Runs, inside: np.ndarray, size: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean, sum and standard deviation of each channel per nucleus; inside : (pixels,) bool."""
    table, n = {}, len(size)
    start = np.cumsum(runs.length) - runs.length  # of each run among the pixels inside
    for name, pixels in read_channels(image, label):
        values = pixels.ravel()[inside].astype(float)
        level = values.mean() if values.size else 0.0
        values -= level  # small numbers: their squares lose no digits
        mean = runs.sum_per_nucleus(np.add.reduceat(values, start), n) / size if n else size
        values *= values
        square = runs.sum_per_nucleus(np.add.reduceat(values, start), n) / size if n else size
        table |= {
            f"mean_{name}": mean + level,
            f"sum_{name}": (mean + level) * size,
            f"std_{name}": np.sqrt(np.maximum(square - mean**2, 0)),
        }
    return table
