"""Texture of nuclei: distribution of grey values, and co-occurrence in neighbouring pixels."""

from __future__ import annotations

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure.inputs import read_channels

LEVELS = 16  # grey levels from the darkest to the brightest pixel of a nucleus


def describe_texture(
    image: Image | None, label: Image, *, index: np.ndarray
) -> dict[str, np.ndarray]:
    """Measure the texture of each nucleus in each channel.

    Each nucleus has 16 grey levels from its own darkest to its brightest pixel, so that the gain of
    the camera does not count. Noise does: compare only images of one kind.

    Parameters
    ----------
    image : the same field as the labels.
    label : 2D or 3D label image.
    index : (*space) int32, 0 background, 1..n for nuclei.

    Returns
    -------
    Columns for each channel C, (n,) each:

    skewness_C : above 0 where few bright pixels stand out.
    entropy_C : of the grey levels, in bits, 0 to 4.
    haralick_contrast_C, haralick_homogeneity_C, haralick_correlation_C, haralick_energy_C : from
        the frequency of two grey levels in neighbouring pixels of a plane (along y and x, both
        ways; planes of a volume are too far apart).

    Raises
    ------
    UserError : no image, or shapes differ.

    References
    ----------
    Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314.
    """
    if image is None:
        raise UserError(
            "Texture is measured in the image.", "labels alone", "Give the images, too (--images)."
        )
    table, n = {}, int(index.max(initial=0))
    for name, pixels in read_channels(image, label):
        table |= {
            f"{column}_{name}": values
            for column, values in _describe_channel(pixels.astype(float), index, n).items()
        }
    return table


def _describe_channel(values: np.ndarray, index: np.ndarray, n: int) -> dict[str, np.ndarray]:
    inside = index > 0
    owner, own = index[inside] - 1, values[inside]
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, owner, own)
    np.maximum.at(high, owner, own)
    reach = np.maximum(high - low, np.finfo(float).tiny)
    share = (own - low[owner]) / reach[owner]
    level = np.zeros(index.shape, np.int64)
    level[inside] = np.minimum((share * LEVELS).astype(np.int64), LEVELS - 1)
    grey = _normalize(
        np.bincount(owner * LEVELS + level[inside], minlength=n * LEVELS).reshape(n, LEVELS)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "skewness": _skew(share, owner, n),
            "entropy": -np.nansum(grey * np.log2(np.where(grey > 0, grey, 1)), axis=1),
        } | _describe_pairs(_normalize(_count_pairs(level, index, n)))


def _skew(values: np.ndarray, owner: np.ndarray, n: int) -> np.ndarray:
    """Third standardised moment of each nucleus; NaN where all its pixels are equal."""
    size = np.bincount(owner, minlength=n)
    away = values - (np.bincount(owner, weights=values, minlength=n) / size)[owner]
    second, third = (
        np.bincount(owner, weights=away**power, minlength=n) / size for power in (2, 3)
    )
    return np.where(second > 1e-12, third / second**1.5, np.nan)


def _count_pairs(level: np.ndarray, index: np.ndarray, n: int) -> np.ndarray:
    """(n, LEVELS, LEVELS): how often two grey levels are neighbours in a nucleus, along y and x."""
    counts = np.zeros(n * LEVELS**2, np.int64)
    for axis in (-1, -2):
        names, levels = (np.moveaxis(pixels, axis, 0) for pixels in (index, level))
        here, beside, grey, other = names[:-1], names[1:], levels[:-1], levels[1:]
        both = (here == beside) & (here > 0)
        counts += np.bincount(
            ((here[both] - 1) * LEVELS + grey[both]) * LEVELS + other[both], minlength=counts.size
        )
    counts = counts.reshape(n, LEVELS, LEVELS)
    return counts + counts.transpose(0, 2, 1)


def _describe_pairs(pairs: np.ndarray) -> dict[str, np.ndarray]:
    """Haralick's measures of shares (n, LEVELS, LEVELS) that add up to 1."""
    i, j = np.indices(pairs.shape[1:])
    side = pairs.sum(axis=2) @ np.arange(LEVELS)  # (n,) mean level, the same along both axes
    spread = pairs.sum(axis=2) @ np.arange(LEVELS) ** 2 - side**2
    together = (pairs * (i * j)).sum(axis=(1, 2)) - side**2
    return {
        "haralick_contrast": (pairs * (i - j) ** 2).sum(axis=(1, 2)),
        "haralick_homogeneity": (pairs / (1 + (i - j) ** 2)).sum(axis=(1, 2)),
        "haralick_correlation": np.where(spread > 1e-12, together / spread, np.nan),
        "haralick_energy": np.sqrt((pairs**2).sum(axis=(1, 2))),
    }


def _normalize(counts: np.ndarray) -> np.ndarray:
    """Counts (n, ...) divided by their sum; NaN where there are none."""
    return counts / counts.sum(axis=tuple(range(1, counts.ndim)), keepdims=True)
