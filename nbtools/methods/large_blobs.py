"""Blobs of an image in a file: what is decided for the whole, the blobs of each block, and all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from nbtools.inference.blocks import Block, BlockPlan, Place, plan_blocks
from nbtools.methods import local_threshold as local
from nbtools.methods.large_threshold import (
    GreySource,
    Sample,
    ThresholdSurvey,
    clip,
    find_rare,
    gather,
    shift,
    survey_threshold,
    within,
)
from nbtools.targets.blobs import measure_blobs
from nbtools.targets.peaks import find_peaks

TRUNCATE = 4.0  # standard deviations that a Gaussian filter reaches
BESIDE = 3  # px around a core that its maxima are compared and refined with
BYTES_PER_PIXEL = 80.0  # of some twenty arrays of 32 bit at most
FIELDS = ("places", "height", "diameter")


@dataclass(frozen=True, eq=False)
class BlobWork:
    """The blobs whose top lies in the core of a block.

    Parameters
    ----------
    grey : mended grey values, nuclei bright, of the box; None where it shows none.
    box : the part of the image without margins.
    diameters : that are looked for, in pixels of the finest axis.
    noise : height that noise alone can make.
    spacing : relative pixel size along each axis; None for 1.
    choose : (N, ndim) places, (N,) heights and (N,) diameters, the highest first → points.
    """

    grey: GreySource | None
    box: Place
    diameters: tuple[float, ...]
    noise: float
    spacing: tuple[float, ...] | None
    choose: Callable
    bytes_per_pixel: ClassVar = BYTES_PER_PIXEL
    min_size: ClassVar = 0

    @property
    def grid(self) -> tuple[int, ...]:
        return (1,) * len(self.box)

    @property
    def halo(self) -> tuple[int, ...]:
        """Reach of the widest filter, and the neighbours of a maximum."""
        ndim = len(self.box)
        relative = self.spacing or (1.0,) * ndim
        sigma = max(self.diameters, default=0.0) / 2 / np.sqrt(ndim)
        return tuple(int(TRUNCATE * sigma / one + 0.5) + BESIDE for one in relative)

    def __call__(self, block: Block) -> dict[str, np.ndarray]:
        """(N, ndim) places in the image, (N,) heights and (N,) diameters."""
        heat = np.zeros(block.shape, np.float32)
        diameter = np.full(block.shape, local.SMALLEST, np.float32)
        place = clip(block.outer, self.box)
        if self.grey is not None and place:
            grey = self.grey(shift(place, [along.start for along in self.box]))
            found = measure_blobs(grey, diameters=self.diameters, spacing=self.spacing)
            inner = within(place, block.outer)
            heat[inner] = np.where(found[..., 0] > self.noise, found[..., 0], 0)
            diameter[inner] = found[..., 1]
        places, height = find_peaks(heat, threshold=0.0)
        width = diameter[tuple(np.rint(places).astype(int).T)]
        places = places + [along.start for along in block.outer]
        low, high = (np.array([getattr(c, end) for c in block.core]) for end in ("start", "stop"))
        own = ((places >= low - 0.5) & (places < high - 0.5)).all(axis=1)
        values = (places[own], height[own], width[own])
        return dict(zip(FIELDS, values, strict=True))

    def judge(self, sums: Mapping[str, np.ndarray]) -> None:
        """The result stands."""


def sample_grey(read: Callable, shape: tuple[int, ...], *, free: float) -> tuple[Sample, int]:
    """What is gathered of grey values, and every how many pixels a large image is looked at.

    Parameters
    ----------
    read : place → (*place) grey values.
    shape : (*space).
    free : bytes of memory.
    """
    step = local.find_step(prod(shape), len(shape))
    return gather(read, plan_pass(shape, step=step, halo=2, free=free), step=step), step


def plan_pass(shape: tuple[int, ...], *, step: int, halo: int, free: float) -> BlockPlan:
    """Blocks of one pass over an image, whose cores begin at multiples of a step."""
    ndim = len(shape)
    about = {"halo": (halo,) * ndim, "grid": (step,) * ndim}
    return plan_blocks(shape, bytes_per_pixel=BYTES_PER_PIXEL, free=free, **about)


def find_diameter(
    grey: GreySource, *, spacing: tuple[float, ...] | None, free: float
) -> float | None:
    """Diameter of the nuclei, as `blob_log` estimates it in one piece; None where there are none.

    Parameters
    ----------
    grey : smoothed over about a pixel, nuclei bright.
    spacing : relative pixel size along each axis; None for 1.
    free : bytes of memory.
    """
    survey = survey_threshold(grey, spacing=spacing, free=free)
    while survey is not None:
        inside, sums, step = _look(survey, free=free)
        if survey.is_separate(sums):
            return local.estimate_thinned(inside, step, spacing=spacing) if inside.any() else None
        survey = None if survey.rare else find_rare(survey, free=free)
    return None


def _look(survey: ThresholdSurvey, *, free: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Every n-th pixel that lies in a nucleus, sums over edges, and n."""
    shape = survey.plain.shape
    step = local.find_step(prod(shape), len(shape))
    grid = tuple(int(np.lcm(step, g)) for g in survey.grid)
    about = {"halo": survey.halo, "grid": grid, "bytes_per_pixel": BYTES_PER_PIXEL}
    inside = np.zeros([-(-(n - step // 2) // step) for n in shape], bool)
    sums = np.zeros(survey.sums_shape)
    for block in plan_blocks(shape, free=free, **about):
        height = survey.find_height(block.outer)
        sums += survey.sum_edges(height, block.outer, part=block.inner)
        begin = [(step // 2 - c.start) % step for c in block.core]
        some = tuple(slice(b, None, step) for b in begin)
        kept = height[block.inner][some] > 0
        first = [(c.start + b) // step for c, b in zip(block.core, begin, strict=True)]
        inside[tuple(slice(f, f + n) for f, n in zip(first, kept.shape, strict=True))] = kept
    return inside, sums, step
