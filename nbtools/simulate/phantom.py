"""The phantom: exact labels and the dye in each nucleus, before any microscope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.simulate.packing import Ellipsoids

SMALLEST = 12  # px; smaller parts of nuclei at the border are left out
VISIBLE = 0.12  # share of a nucleus; smaller parts are left out as well
WAVES = 8
SPECK = (0.15, 0.45)  # radius of debris, as share of that of a nucleus
FAINT = (0.2, 1.0)  # its brightness, as share of that of a nucleus


@dataclass(frozen=True, eq=False)
class Looks:
    """How bright each nucleus is, and the seed of its surface and texture.

    Parameters
    ----------
    brightness : (N,) about 1.
    seed : (N,) whole numbers.
    """

    brightness: np.ndarray
    seed: np.ndarray


def draw_looks(count: int, drawn: dict[str, float], *, rng: np.random.Generator) -> Looks:
    """Draw the looks of nuclei.

    Parameters
    ----------
    count : N.
    drawn : values of this image; brightness_spread counts.
    rng : random numbers.
    """
    spread = rng.standard_normal(count).clip(-2.5, 2.5)
    brightness = np.exp(drawn["brightness_spread"] * spread)
    # one stream per nucleus: a nucleus outside the field changes no other
    return Looks(brightness, rng.integers(2**63, size=count))


def paint_nuclei(
    ellipsoids: Ellipsoids,
    drawn: dict[str, float],
    *,
    shape: tuple[int, ...],
    spacing: np.ndarray,
    rng: np.random.Generator,
    looks: Looks | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Paint nuclei on a grid.

    A pixel inside of two ellipsoids belongs to the nucleus in which it lies deeper: nuclei touch
    and never overlap.

    Parameters
    ----------
    ellipsoids : of the nuclei.
    drawn : values of this image, see `NucleiSettings.draw`.
    shape : (*space) of the grid.
    spacing : (D,) µm.
    rng : random numbers.
    looks : of the nuclei; None draws them.

    Returns
    -------
    label : (*space) int32, 0 background.
    dye : (*space) float64 concentration, about 1 in a typical nucleus.
    """
    label, dye, depth = np.zeros(shape, np.int32), np.zeros(shape), np.zeros(shape)
    looks = looks or draw_looks(len(ellipsoids), drawn, rng=rng)
    for i in range(len(ellipsoids)):
        own_rng = np.random.default_rng(looks.seed[i])
        box, unit = _box_around(
            ellipsoids, i, shape=shape, spacing=spacing, slack=1 + 2.5 * drawn["roughness"]
        )
        if unit is None:
            continue
        rho = np.sqrt((unit**2).sum(axis=-1))
        # roughness moves no pixel farther from the surface than this
        shell = np.abs(rho - 1) < 3 * drawn["roughness"]
        rho[shell] /= 1 + drawn["roughness"] * _sum_waves(
            unit[shell] / rho[shell][:, None], own_rng
        )
        level = (rho - 1) * ellipsoids.radius[i]  # µm below the surface, about
        inside = level < depth[box]
        depth[box][inside] = level[inside]
        label[box][inside] = i + 1
        dye[box][inside] = looks.brightness[i] * _dye(
            unit[inside], rho[inside], drawn=drawn, rng=own_rng
        )
    grain = _smooth_noise(shape, rng.uniform(0.06, 0.2) * drawn["radius_um"] / spacing, rng=rng)
    dye *= np.maximum(1 + drawn["granularity"] * grain, 0.1)
    return label, dye


def scatter_debris(
    dye: np.ndarray,
    count: int,
    *,
    drawn: dict[str, float],
    spacing: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Add specks to the dye, in place, outside of the nuclei.

    Parameters
    ----------
    dye : (*space); pixels of nuclei stay as they are.
    count : specks.
    drawn : values of this image; radius_um counts.
    spacing : (D,) µm.
    rng : random numbers.
    """
    free = dye == 0
    for _ in range(count):
        radius = drawn["radius_um"] * rng.uniform(*SPECK)
        centre = rng.random(dye.ndim) * dye.shape * spacing
        low = np.maximum((centre - radius) / spacing, 0).astype(int)
        high = np.minimum((centre + radius) / spacing + 2, dye.shape).astype(int)
        box = tuple(map(slice, low, high))
        steps = _step_from(centre, box, spacing=spacing)
        dye[box][(sum(step**2 for step in steps) <= radius**2) & free[box]] = rng.uniform(*FAINT)


def find_whole_nuclei(label: np.ndarray, full_size: np.ndarray) -> np.ndarray:
    """Find the pixels to keep: no slivers at the border, and one connected part per nucleus.

    Parameters
    ----------
    label : (*space), as painted.
    full_size : (N,) pixels that each nucleus would have alone and uncut.

    Returns
    -------
    (*space) bool.
    """
    size = np.bincount(label.ravel(), minlength=len(full_size) + 1)[1:]
    keep = np.append(False, size >= np.maximum(SMALLEST, VISIBLE * full_size))
    kept = keep[label]
    everywhere = np.ones((3,) * label.ndim)
    for name, box in enumerate(ndimage.find_objects(label, max_label=len(full_size)), start=1):
        if box is None or not keep[name]:
            continue
        own = label[box] == name
        pieces, n = ndimage.label(own, everywhere)
        if n > 1:
            largest = np.bincount(pieces.ravel())[1:].argmax() + 1
            kept[box][own & (pieces != largest)] = False
    return kept


def outline_visible(
    label: np.ndarray, dye: np.ndarray, *, width: np.ndarray, share: float
) -> np.ndarray:
    """Labels as a person outlines blurred nuclei by hand.

    Each nucleus reaches to a share of its own brightness, a dim one only as far as it is visible.
    Where nuclei meet, the brighter one has the pixel; nuclei that are too dim have no label.

    Parameters
    ----------
    label : (*space) exact labels.
    dye : (*space) of the nuclei, about 1 in a typical one.
    width : (D,) standard deviation of the blur, in pixels.
    share : 0.5 gives the exact outline, less reaches into the blur; pixels with less than this
        share of the brightness of a typical nucleus are not visible.
    """
    seen = np.zeros_like(label)
    light = np.zeros(label.shape)
    margin = np.ceil(3 * width).astype(int)
    for name, box in enumerate(ndimage.find_objects(label), start=1):
        if box is None:
            continue
        wide = tuple(
            slice(max(s.start - m, 0), s.stop + m) for s, m in zip(box, margin, strict=True)
        )
        own = label[wide] == name
        brightness = float(dye[wide][own].mean())
        glow = ndimage.gaussian_filter(own * brightness, width, mode="nearest", truncate=3.0)
        brighter = (glow > share * max(1.0, brightness)) & (glow > light[wide])
        light[wide][brighter] = glow[brighter]
        seen[wide][brighter] = name
    seen[(np.bincount(seen.ravel()) < SMALLEST)[seen]] = 0
    return seen


def relabel_sequential(label: np.ndarray) -> np.ndarray:
    """Number the labels 1 … N without gaps.

    Parameters
    ----------
    label : (*space) label image.

    Returns
    -------
    (*space) uint16, or uint32 for more than 65,535 nuclei.

    Examples
    --------
    >>> relabel_sequential(np.array([0, 7, 3])).tolist()
    [0, 2, 1]
    """
    names = np.flatnonzero(np.bincount(label.ravel()))
    order = np.zeros(label.max() + 1, np.uint16 if len(names) <= 65_535 else np.uint32)
    order[names[names > 0]] = np.arange(1, np.count_nonzero(names) + 1)
    return order[label]


def _box_around(
    ellipsoids: Ellipsoids, i: int, *, shape: tuple[int, ...], spacing: np.ndarray, slack: float
) -> tuple[tuple[slice, ...], np.ndarray | None]:
    """The part of the grid around nucleus i, and its points in the unit ball: (*box, D)."""
    reach = ellipsoids.reach[i] * slack
    low = np.maximum(np.ceil((ellipsoids.centre[i] - reach) / spacing), 0).astype(int)
    high = np.minimum(np.floor((ellipsoids.centre[i] + reach) / spacing) + 1, shape).astype(int)
    box = tuple(map(slice, low, high))
    if np.any(high <= low):
        return box, None
    steps = _step_from(ellipsoids.centre[i], box, spacing=spacing)
    return box, np.stack(np.broadcast_arrays(*steps), axis=-1) @ ellipsoids.matrix[i].T


def _step_from(
    centre: np.ndarray, box: tuple[slice, ...], *, spacing: np.ndarray
) -> list[np.ndarray]:
    """Offsets of the pixels of a box from a centre, along each axis, in µm: an open grid."""
    return [axis * s - c for axis, s, c in zip(np.ogrid[box], spacing, centre, strict=True)]


def _dye(
    unit: np.ndarray, rho: np.ndarray, *, drawn: dict[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Dye at points of a nucleus: unit (N, D) in the unit ball, rho (N,) their radius, 0 … 1."""
    dye = 1 - drawn["dome"] * (1 - np.sqrt(np.maximum(1 - rho**2, 0)))
    for _ in range(rng.poisson(drawn["nucleoli"])):
        dye *= 1 - rng.uniform(0.3, 0.85) * _blob(
            unit, rng.uniform(0.12, 0.25), within=0.6, rng=rng
        )
    size, light = drawn.get("spot_size", 1.0), drawn.get("spot_light", 1.0)
    for _ in range(rng.poisson(drawn["chromocentres"])):
        height, width = light * rng.uniform(0.3, 1.8), size * rng.uniform(0.06, 0.16)
        spot = _blob(unit, width, within=0.85, rng=rng, power=drawn.get("spot_power"))
        dye *= 1 + height * spot
    return dye


def _blob(
    unit: np.ndarray,
    width: float,
    *,
    within: float,
    rng: np.random.Generator,
    power: float | None = None,
) -> np.ndarray:
    """A soft ball of height 1 somewhere in the nucleus: (N,).

    power : of a random number, the distance from the centre; None: any place is equally likely.
    """
    place = rng.standard_normal(unit.shape[-1])
    power = 1 / len(place) if power is None else power
    place *= within * rng.random() ** power / np.linalg.norm(place)
    return np.exp(-((unit - place) ** 2).sum(axis=-1) / (2 * width**2))


def _smooth_noise(
    shape: tuple[int, ...], width: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """Grains of this width in pixels, and of twice that: mean 0, variance 1."""
    noise = rng.standard_normal(shape)
    total = 0
    for w in (width, 2 * width):
        layer = ndimage.gaussian_filter(noise, w, mode="wrap", truncate=3)
        total = total + layer / max(layer.std(), 1e-9)
    return total / np.sqrt(2.8)  # not of 2: the layers are smoothed from the same noise


def _sum_waves(direction: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field over unit vectors (..., D), mean 0, variance about 1: dents, bulges."""
    way = rng.standard_normal((WAVES, direction.shape[-1]))
    way *= rng.uniform(1.5, 3.5, (WAVES, 1)) / np.linalg.norm(way, axis=1, keepdims=True)
    return np.sqrt(2 / WAVES) * np.cos(direction @ way.T + rng.random(WAVES) * 2 * np.pi).sum(
        axis=-1
    )
