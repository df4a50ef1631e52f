"""Movies of nuclei that wander, grow and divide, with the exact track of each.

A nucleus keeps its brightness and its texture. It moves with some persistence, turns slowly, and
grows to twice its size within a cycle; then it divides along its shortest axis into two halves.
Neighbours push each other away, and nobody leaves the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbtools.config import setting, vary
from nbtools.image import Image
from nbtools.simulate import optics, packing, phantom
from nbtools.simulate.packing import Ellipsoids
from nbtools.simulate.settings import NucleiSettings

if TYPE_CHECKING:
    from nbtools.data import Sample

PERSISTENCE = 0.7  # share of a step that is kept in the next one
TURN = 0.06  # radians per frame, standard deviation
CYCLE_SPREAD = 0.15  # of the length of a cycle, standard deviation over mean
APART = 0.75  # radii that a daughter lies from the middle of the division


@dataclass(frozen=True)
class MovieSettings(NucleiSettings):
    """Scene, optics and camera of a movie.

    Examples
    --------
    >>> MovieSettings(frames=12, cycle_frames=8.0).frames
    12
    """

    count: int | None = vary(NucleiSettings, "count", default=24, help="Nuclei in the first frame.")
    cut: float = vary(NucleiSettings, "cut", default=0.0)
    radius_um: tuple[float, ...] = vary(NucleiSettings, "radius_um", default=(4.0, 7.0))
    radius_spread: tuple[float, ...] = vary(NucleiSettings, "radius_spread", default=(0.05, 0.1))
    elongation: tuple[float, ...] = vary(NucleiSettings, "elongation", default=(1.05, 1.4))
    clustering: tuple[float, ...] = vary(NucleiSettings, "clustering", default=(0.0,))
    granularity: tuple[float, ...] = vary(NucleiSettings, "granularity", default=(0.0,))
    photons: tuple[float, ...] = vary(NucleiSettings, "photons", default=(50.0, 500.0))
    frames: int = setting(30, min=2, max=10_000, help="Time points.")
    interval_s: float = setting(
        300.0, unit="s", min=0.001, max=1e6, help="Time from one frame to the next."
    )
    step_um: float = setting(
        1.0, unit="µm", min=0, max=100, help="How far a nucleus moves in a frame, about."
    )
    cycle_frames: float = setting(
        40.0,
        unit="frames",
        min=2,
        max=1e6,
        help="From one division to the next, on average; a huge number: nobody divides.",
    )


@dataclass(eq=False)
class Population:
    """The nuclei of one frame, with what they keep from frame to frame.

    Parameters
    ----------
    track : (N,) numbers of their tracks.
    centre, speed : (N, D) in µm, and µm per frame.
    turn : (N, D, D) rotations; axes : (N, D) semi-axes in µm at the size of their birth.
    age, cycle : (N,) frames since the last division, and from it to the next.
    looks : brightness and texture.
    parents : track → parent, of all tracks so far.
    """

    track: np.ndarray
    centre: np.ndarray
    speed: np.ndarray
    turn: np.ndarray
    axes: np.ndarray
    age: np.ndarray
    cycle: np.ndarray
    looks: phantom.Looks
    parents: dict[int, int]

    def shapes(self) -> Ellipsoids:
        """The nuclei at their present size: twice that of their birth at the end of a cycle."""
        ndim = self.centre.shape[1]
        growth = (1 + np.minimum(self.age / self.cycle, 1)) ** (1 / ndim)
        axes = self.axes * growth[:, None]
        matrix = self.turn.transpose(0, 2, 1) / axes[:, :, None]
        reach = np.sqrt(((self.turn * axes[:, None, :]) ** 2).sum(axis=2))
        return Ellipsoids(self.centre, matrix, np.prod(axes, axis=1) ** (1 / ndim), reach)


def make_movie(settings: MovieSettings, *, rng: np.random.Generator) -> Sample:
    """Simulate one movie with exact tracks.

    Parameters
    ----------
    settings : of sample, microscope and motion.
    rng : random numbers.

    Returns
    -------
    Sample : image and label image with the axes T, (Z,) Y, X; labels are numbers of tracks, and
        `lineage` names the parent of each that has one.
    """
    from nbtools.data import Sample

    drawn = settings.draw(rng)
    size = (np.array(settings.shape_px) - 1) * np.array(settings.spacing_um)
    population = _begin(settings, drawn, size=size, rng=rng)
    light_seed = int(rng.integers(2**63))
    images, labels = [], []
    for frame in range(settings.frames):
        if frame:
            _divide(population, rng)
            _move(population, settings, size=size, rng=rng)
        label, photons = _render(population, settings, drawn=drawn, seed=light_seed)
        labels.append(label)
        images.append(photons)
    photons = np.stack(images)
    pixels = optics.expose_camera(photons, settings, drawn=drawn, rng=rng)
    about = {
        "axes": "T" + "ZYX"[-settings.ndim :],
        "spacing": settings.spacing_um,
        "name": "movie",
        "interval_s": settings.interval_s,
    }
    label = np.stack(labels)
    small = label.astype(np.uint16 if label.max(initial=0) < 2**16 else np.uint32)
    seen = set(np.unique(label).tolist())
    lineage = {child: p for child, p in population.parents.items() if {child, p} <= seen}
    return Sample("movie", Image(pixels, **about), Image(small, **about), lineage=lineage)


def _begin(
    settings: MovieSettings, drawn: dict, *, size: np.ndarray, rng: np.random.Generator
) -> Population:
    """The nuclei of the first frame, each somewhere in its cycle."""
    placed = packing.place_nuclei(size, drawn, count=settings.count, cut=settings.cut, rng=rng)
    count = len(placed)
    _, widths, turned = np.linalg.svd(placed.matrix)
    cycle = _draw_cycles(count, settings, rng=rng)
    age = rng.random(count) * cycle
    # the radius that was drawn is that of the middle of a cycle
    birth = (1.5 ** (-1 / settings.ndim)) / widths
    return Population(
        track=np.arange(1, count + 1),
        centre=placed.centre,
        speed=np.zeros_like(placed.centre),
        turn=turned.transpose(0, 2, 1),
        axes=birth,
        age=age,
        cycle=cycle,
        looks=phantom.draw_looks(count, drawn, rng=rng),
        parents={},
    )


def _draw_cycles(count: int, settings: MovieSettings, *, rng: np.random.Generator) -> np.ndarray:
    spread = 1 + CYCLE_SPREAD * rng.standard_normal(count).clip(-2.5, 2.5)
    return settings.cycle_frames * spread


def _divide(population: Population, rng: np.random.Generator) -> None:
    """Each nucleus at the end of its cycle becomes two, along its shortest axis."""
    population.age = population.age + 1
    ready = np.flatnonzero(population.age >= population.cycle)
    if not len(ready):
        return
    shortest = population.axes[ready].argmin(axis=1)
    way = population.turn[ready, :, shortest]
    radius = np.prod(population.axes[ready], axis=1) ** (1 / population.axes.shape[1])
    apart = APART * radius[:, None] * way
    first = max(population.track.max(), *population.parents, 0) + 1
    kept = np.setdiff1d(np.arange(len(population.track)), ready)
    order = np.concatenate([kept, ready, ready])
    new = first + np.arange(2 * len(ready))
    mothers = np.tile(population.track[ready], 2)
    population.parents |= dict(zip(new.tolist(), mothers.tolist(), strict=True))
    population.track = np.concatenate([population.track[kept], new])
    moved = np.concatenate([population.centre[ready] + apart, population.centre[ready] - apart])
    population.centre = np.concatenate([population.centre[kept], moved])
    spread = 1 + CYCLE_SPREAD * rng.standard_normal(2 * len(ready)).clip(-2.5, 2.5)
    cycles = np.tile(population.cycle[ready].mean(), 2 * len(ready)) * spread
    population.cycle = np.concatenate([population.cycle[kept], cycles])
    population.age = np.concatenate([population.age[kept], np.zeros(2 * len(ready))])
    for name in ("speed", "turn", "axes"):
        setattr(population, name, getattr(population, name)[order])
    seeds = rng.integers(2**63, size=2 * len(ready))
    looks = population.looks
    population.looks = phantom.Looks(
        looks.brightness[order], np.concatenate([looks.seed[kept], seeds])
    )


def _move(
    population: Population,
    settings: MovieSettings,
    *,
    size: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """One step of a persistent random walk, a slow turn, and room made for neighbours."""
    ndim = len(size)
    kick = settings.step_um * np.sqrt((1 - PERSISTENCE**2) / ndim)
    speed = PERSISTENCE * population.speed + kick * rng.standard_normal(population.speed.shape)
    shapes = population.shapes()
    margin = np.minimum(shapes.reach, size / 2)
    box = margin, size - margin
    centre = (population.centre + speed).clip(*box)
    centre = packing.push_apart(centre, shapes.matrix, box=box, closeness=1.0)
    population.speed, population.centre = speed, centre
    angles = TURN * rng.standard_normal(len(centre))
    c, s = np.cos(angles), np.sin(angles)
    spin = np.tile(np.eye(ndim), (len(centre), 1, 1))
    spin[:, -2, -2], spin[:, -2, -1], spin[:, -1, -2], spin[:, -1, -1] = c, -s, s, c
    population.turn = spin @ population.turn


def _render(
    population: Population, settings: MovieSettings, *, drawn: dict, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and expected photons of a frame; background and texture are those of all frames."""
    rng = np.random.default_rng(seed)
    spacing = np.array(settings.spacing_um)
    finer = packing.count_finer_planes(settings.spacing_um)
    shape = ((settings.shape_px[0] - 1) * finer + 1, *settings.shape_px[1:])
    fine = np.array([spacing[0] / finer, *spacing[1:]])
    label, dye = phantom.paint_nuclei(
        population.shapes(),
        drawn,
        shape=shape,
        spacing=fine,
        rng=rng,
        looks=population.looks,
    )
    light = optics.blur_dye(dye, drawn, spacing=fine)[::finer]
    photons = optics.illumination(light, drawn, rng=rng)
    numbers = np.concatenate([[0], population.track])
    return numbers[label[::finer]], photons
