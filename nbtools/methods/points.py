"""What the methods that detect points share: the radius of their maps, from the training images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.config import setting
from nbtools.data import DataSet, Sample
from nbtools.geometry import centroids, equivalent_diameters
from nbtools.methods.settings import NetworkSettings

LOOKED_AT = 64  # training images that the radius is taken from
SMALLEST, LARGEST = 4.0, 15.0  # px; 15 is that of the published maps
SHARE = 0.5  # radius of a map over the diameter of the smaller nuclei
SMALLER = 25  # percentile of the diameters


@dataclass(frozen=True)
class RadiusSettings(NetworkSettings):
    """Settings of the methods that learn how near the next centre is."""

    radius: float | None = setting(
        None,
        unit="px",
        min=1.0,
        max=100.0,
        help=(
            "Distance at which proximity ends; empty: the diameter of each nucleus where labels "
            "tell it, else half the distance between neighbours."
        ),
    )
    radius_of: str = setting(
        "auto",
        choices=("auto", "each", "all"),
        level="advanced",
        help=(
            "Whether proximity ends one diameter from the centre of each nucleus of known size, or "
            "at one radius for all; auto: of each where radius is empty."
        ),
    )


def settle_radius(settings: RadiusSettings, train: DataSet) -> RadiusSettings:
    """Settings with a radius, and with whose it is.

    Parameters
    ----------
    settings : of the method.
    train : training images with labels or points.
    """
    each = "each" if settings.radius is None else "all"
    if settings.radius_of == "auto":
        settings = settings.replace(radius_of=each)
    if settings.radius is None:
        settings = settings.replace(radius=measure_radius(train))
    return settings


def describe_radius(settings: RadiusSettings) -> str:
    """Where proximity ends, in a sentence.

    Parameters
    ----------
    settings : with a radius.
    """
    if settings.radius_of == "each":
        return (
            "Proximity ends one diameter from the centre of a nucleus, and "
            f"{settings.radius:g} px from one of unknown size."
        )
    return f"Proximity ends {settings.radius:g} px from the centre of a nucleus."


def measure_radius(train: DataSet, *, by_labels: bool = True) -> float:
    """Half the diameter of the smaller nuclei of a data set, so that neighbours stay apart.

    Where there are no labels, half the distance between neighbouring points stands for it.

    Parameters
    ----------
    train : images with labels or points.
    by_labels : False where labels, if there are some, stand for their centres alone.

    Returns
    -------
    Radius in pixels of the finest axis, 4 to 15.
    """
    chosen = np.unique(np.linspace(0, len(train) - 1, LOOKED_AT).round().astype(int))
    sizes = [_measure_sizes(train[int(i)], by_labels=by_labels) for i in chosen]
    sizes = np.concatenate([*sizes, np.zeros(0)])
    usual = float(np.percentile(sizes, SMALLER)) if len(sizes) else 2 * SMALLEST
    return round(float(np.clip(SHARE * usual, SMALLEST, LARGEST)), 1)


def _measure_sizes(sample: Sample, *, by_labels: bool) -> np.ndarray:
    """(N,) diameters of the nuclei, or distances to the next point."""
    from scipy.spatial import cKDTree

    relative = np.array(sample.image.relative_spacing or (1.0,) * len(sample.image.spatial))
    if sample.label is not None and by_labels:
        size = equivalent_diameters(sample.label.pixels)
        return size * float(np.prod(relative)) ** (1 / len(relative))
    known = sample.centres
    if known is None and sample.label is not None:
        known = centroids(sample.label.pixels)
    if known is None or len(known) < 2:
        return np.zeros(0)
    places = np.asarray(known) * relative
    return cKDTree(places).query(places, k=2)[0][:, 1]
