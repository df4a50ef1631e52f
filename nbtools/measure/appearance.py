"""What one nucleus, or one small image of a cell, looks like, in numbers.

Brightness, area, gradients, texture and distribution of each channel; how channels go together; and
where the nucleus is outlined by a mask, its shape and chromocentres. A random forest learns from
these, and people can read them.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from scipy import ndimage

from nbtools.geometry import equivalent_diameter
from nbtools.image import Image
from nbtools.measure.nuclei import measure
from nbtools.measure.texture import describe_texture

MASK = "mask"  # name of a channel that is 1 inside the nucleus and 0 elsewhere
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BLURS = (0.7, 1.5, 3.0)  # px of the finest axis, at which slopes are measured
RINGS = 4
LOCAL = ("image", "label", "z", "y", "x", "neighbours", "touches_border", "reliable", "unreliable")
SHAPE = (
    "volume_um3",
    "volume_px",
    "area_um2",
    "area_px",
    "sphericity",
    "flatness",
    "elongation",
    "solidity",
)


def describe_appearance(image: Image) -> dict[str, float]:
    """Describe one nucleus or cell by numbers that have a name.

    Parameters
    ----------
    image : axes [Z,] Y, X and perhaps C. A channel called "mask" outlines the nucleus; without one,
        Otsu's threshold does, in each channel by itself.

    Returns
    -------
    Name → value; one that cannot be measured, as the texture of a constant image, is 0.

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076. Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314.

    Examples
    --------
    >>> disc = (np.hypot(*np.mgrid[-15:16, -15:16]) < 8) * 200.0
    >>> found = describe_appearance(Image(disc, "YX"))
    >>> round(found["area_0"] * disc.size)
    193
    """
    pixels = image.to(image.spatial + "C").pixels.astype(np.float64)
    names = list(image.channels) or [str(c) for c in range(pixels.shape[-1])]
    spacing = image.relative_spacing or (1.0,) * (pixels.ndim - 1)
    found: dict[str, float] = {}
    given = None
    if MASK in names:
        given = pixels[..., names.index(MASK)] > 0.5
        found |= _describe_shape(given, image)
    inside = {}
    for number, name in enumerate(names):
        if name == MASK:
            continue
        values = pixels[..., number]
        own = _outline(values) if given is None else given
        told = _describe_channel(values, own, spacing=spacing)
        told |= _describe_texture(values, own)
        found |= {f"{key}_{name}": value for key, value in told.items()}
        inside[name] = values
    found |= _describe_pairs(inside, given)
    return {name: float(value) if np.isfinite(value) else 0.0 for name, value in found.items()}


def _outline(values: np.ndarray) -> np.ndarray:
    """The brighter part of a channel; where one half is as good as the other, all of it."""
    from skimage.filters import threshold_otsu

    low, high = values.min(), values.max()
    if not high > low:
        return np.ones(values.shape, bool)
    return values > threshold_otsu(values)


def _describe_channel(
    values: np.ndarray, own: np.ndarray, *, spacing: tuple[float, ...]
) -> dict[str, float]:
    """Brightness, area, slopes and spread of one channel."""
    background = np.median(values[~own]) if not own.all() else values.min()
    light = np.maximum(values - background, 0)
    chosen = values[own] if own.any() else values.ravel()
    found = dict(zip((f"p{p}" for p in PERCENTILES), np.percentile(values, PERCENTILES)))
    found |= {"mean": values.mean(), "std": values.std(), "background": background}
    found |= {"max": values.max(), "light": light.sum(), "inside_light": light[own].sum()}
    found |= {"inside_mean": chosen.mean() - background, "inside_std": chosen.std()}
    middle, quarters = np.median(chosen), np.percentile(chosen, (10, 90))
    found |= {"inside_median": middle - background, "inside_p10": quarters[0] - background}
    found |= {"inside_p90": quarters[1] - background, "area": own.mean()}
    contrast = max(chosen.mean() - background, 1e-9)
    found |= {"variation": chosen.std() / contrast}
    found |= _describe_slopes(values, own, contrast=contrast, spacing=spacing)
    return found | _describe_spread(light, own, spacing=spacing)


def _describe_slopes(
    values: np.ndarray, own: np.ndarray, *, contrast: float, spacing: tuple[float, ...]
) -> dict[str, float]:
    """Gradients and Laplacians at some blurs, in grey values and as share of the contrast."""
    found = {}
    for blur in BLURS:
        sigma = [blur / s for s in spacing]
        slope = ndimage.gaussian_gradient_magnitude(values, sigma, mode="nearest")
        bend = ndimage.gaussian_laplace(values, sigma, mode="nearest")
        where = own if own.any() else np.ones(own.shape, bool)
        found[f"gradient{blur:g}"] = slope.mean()
        found[f"gradient{blur:g}_p95"] = np.percentile(slope, 95)
        found[f"gradient{blur:g}_inside"] = slope[where].mean()
        found[f"gradient{blur:g}_share"] = slope[where].mean() / contrast
        found[f"bend{blur:g}_std"] = bend[where].std()
        found[f"bend{blur:g}_share"] = bend[where].std() / contrast
        found[f"bend{blur:g}_low"] = np.percentile(bend[where], 5)
    return found


def _describe_spread(
    light: np.ndarray, own: np.ndarray, *, spacing: tuple[float, ...]
) -> dict[str, float]:
    """How the light lies: its second moments, rings from the centre outwards, and its parts."""
    total = light.sum()
    if total <= 0:
        return {}
    grid = [axis * s for axis, s in zip(np.indices(light.shape), spacing)]
    centre = [(light * axis).sum() / total for axis in grid]
    away = np.stack([axis - c for axis, c in zip(grid, centre)], axis=-1)
    flat = away.reshape(-1, light.ndim)
    covariance = (flat * light.reshape(-1, 1)).T @ flat / total
    lengths = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance), 0))
    found = {"reach_long": lengths[-1], "reach_short": lengths[0]}
    found["elongation_of_light"] = lengths[-1] / max(lengths[0], 1e-9)
    distance = np.sqrt((away**2).sum(axis=-1))
    radius = equivalent_diameter(own.sum() * np.prod(spacing), light.ndim) / 2
    edges = radius * np.linspace(0, 1.6, RINGS + 1)
    for ring, (low, high) in enumerate(pairwise(edges), start=1):
        there = (distance >= low) & (distance < high)
        found[f"ring{ring}"] = light[there].mean() if there.any() else 0.0
        found[f"ring{ring}_share"] = light[there].sum() / total
    return found | _describe_parts(light, own, spacing=spacing)


def _describe_parts(
    light: np.ndarray, own: np.ndarray, *, spacing: tuple[float, ...]
) -> dict[str, float]:
    """Number of connected parts, share of the largest, and how far apart the two largest are."""
    parts, count = ndimage.label(own)
    sizes = np.bincount(parts.ravel())[1:]
    if not count:
        return {"parts": 0.0}
    order = np.argsort(sizes)[::-1] + 1
    surface = sum(np.abs(np.diff(own.astype(np.int8), axis=a)).sum() for a in range(own.ndim))
    found = {"parts": (sizes > 0.05 * sizes.max()).sum(), "largest": sizes.max() / own.size}
    found["second"] = sizes[order[1] - 1] / sizes.max() if count > 1 else 0.0
    found["compactness"] = surface / sizes.sum() ** ((own.ndim - 1) / own.ndim)
    if count > 1:
        first, second = ndimage.center_of_mass(own, parts, order[:2])
        found["parts_apart"] = np.hypot.reduce((np.array(first) - second) * spacing)
    level = light[own].mean() + light[own].std()
    bright, spots = ndimage.label(ndimage.gaussian_filter(light, 0.7) > level)
    found |= {"spots": spots, "spots_area": (bright > 0).mean()}
    return found


def _describe_texture(values: np.ndarray, own: np.ndarray) -> dict[str, float]:
    """Skewness, entropy and co-occurrence, of the outlined part."""
    axes = "ZYX"[-values.ndim :]
    index = own.astype(np.int32)
    label = Image(index, axes)
    told = describe_texture(Image(values, axes, channels=()), label, index=index)
    return {
        name.removesuffix("_0"): float(column[0]) for name, column in told.items() if len(column)
    }


def _describe_pairs(channels: dict[str, np.ndarray], given: np.ndarray | None) -> dict[str, float]:
    """Correlation of each two channels, inside of the mask or everywhere."""
    found = {}
    for first, second in combinations(channels, 2):
        pair = [
            channels[name] if given is None else channels[name][given] for name in (first, second)
        ]
        a, b = (values.ravel() - values.mean() for values in pair)
        scale = np.sqrt((a**2).sum() * (b**2).sum())
        found[f"correlation_{first}_{second}"] = (a * b).sum() / scale if scale > 0 else 0.0
    return found


def _describe_shape(mask: np.ndarray, image: Image) -> dict[str, float]:
    """Shape and chromocentres, as `measure` has them, of the nucleus that a mask outlines."""
    if not mask.any():
        return {}
    axes = image.spatial
    about = {"axes": axes, "spacing": image.spacing, "unit": image.unit}
    label = Image(mask.astype(np.uint8), **about)
    grey = [c for c in range(image.size("C")) if image.channels[c] != MASK]
    dye = image.select(C=grey[0]).to(axes) if grey else None
    table = measure(label, dye, chromocentres=dye is not None)
    numbers = {k: v[0] for k, v in table.items() if k not in LOCAL and not k.endswith("_0")}
    plain = {k: v for k, v in numbers.items() if not k.startswith(("nearest", "image_border"))}
    return {k: v for k, v in plain.items() if isinstance(v, (int, float, np.number))}
