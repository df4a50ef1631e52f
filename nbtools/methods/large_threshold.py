"""The local threshold of an image in a file: decided once for all of it, applied block by block.

What `local_threshold` asks of a whole image (noise, where to begin, the size of nuclei, whether
outlines follow edges) is asked of the same pixels here, gathered block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import ndimage

from nbtools import populations
from nbtools.inference.block_store import Found
from nbtools.inference.blocks import Block, BlockNeeds, BlockPlan, Place, plan_blocks
from nbtools.io.stored import StoredPixels
from nbtools.methods import local_threshold as local
from nbtools.normalize.survey import survey_channel

TRUNCATE = 4.0  # standard deviations after which SciPy's Gaussian ends
AROUND = 3.0  # of neighbourhoods, after which their Gaussian ends
DIAMETERS = 4.0  # of the nuclei, around a core
LEAST_HALO = 32  # px
MIDDLE = (64, 256, 256)  # px of a volume that blocks are forecast by
BYTES_PER_PIXEL = 64.0  # of sixteen arrays of 32 bit at most
BRIGHT_VALUES = 2_000_000  # of rare nuclei, for their percentile
Read = Callable[[Place], np.ndarray]


@dataclass(frozen=True, eq=False)
class GreySource:
    """Grey values of an image, smoothed, of any place in it.

    Parameters
    ----------
    read : place → (*place) mended grey values.
    shape : (*space).
    smoothing : standard deviations of the blurs, one after the other, in pixels.
    """

    read: Read
    shape: tuple[int, ...]
    smoothing: tuple[float, ...]

    @property
    def reach(self) -> int:
        """Pixels around a place that its grey values depend on."""
        return sum(int(TRUNCATE * sigma + 0.5) for sigma in self.smoothing)

    def __call__(self, place: Place) -> np.ndarray:
        """(*place) float32."""
        outer = widen(place, (self.reach,) * len(place), shape=self.shape)
        grey = self.read(outer).astype(np.float32)
        for sigma in self.smoothing:
            grey = ndimage.gaussian_filter(grey, sigma)
        return grey[within(place, outer)]

    def blur(self, sigma: float) -> GreySource:
        """The same, smoothed further."""
        return replace(self, smoothing=(*self.smoothing, sigma))


def widen(place: Place, by: tuple[int, ...], *, shape: tuple[int, ...]) -> Place:
    """A place with so many pixels more on either side, within the image."""
    grown = zip(place, by, shape, strict=True)
    return tuple(slice(max(p.start - b, 0), min(p.stop + b, n)) for p, b, n in grown)


def within(place: Place, outer: Place) -> Place:
    """A place, counted from the first pixel of a larger one."""
    pairs = zip(place, outer, strict=True)
    return tuple(slice(p.start - o.start, p.stop - o.start) for p, o in pairs)


@dataclass
class Sample:
    """What is gathered of an image, block by block.

    Parameters
    ----------
    some : (n,) grey values at regular intervals, as `populations.thin` has them.
    rows : lines of grey values, from which noise is measured.
    coarse : (*space / step) means of blocks.
    thinned : (*space / step) every n-th grey value.
    low, high : smallest and largest.
    """

    some: np.ndarray
    rows: list[np.ndarray]
    coarse: np.ndarray
    thinned: np.ndarray
    low: float = np.inf
    high: float = -np.inf

    @property
    def span(self) -> float:
        return max(self.high - self.low, 0.0)

    def measure_noise(self, highest: float = np.inf) -> float:
        """As `populations.measure_noise`, of grey values that are cut off at one."""
        bends = [
            populations.find_bends(np.minimum(one, np.float32(highest))).ravel()
            for one in self.rows
            if one.shape[-1] > 2
        ]
        return populations.rate_bends(np.concatenate(bends) if bends else np.zeros(0))


def gather(grey: Callable[[Place], np.ndarray], plan: BlockPlan, *, step: int) -> Sample:
    """Gather the sample of an image in one pass.

    Parameters
    ----------
    grey : place → its grey values.
    plan : of the pass; its cores begin at multiples of the step.
    step : side of the blocks that means are taken of.
    """
    shape, size = plan.shape, int(np.prod(plan.shape))
    every = max(1, size // populations.SAMPLED) | 1
    lines = max(1, size // populations.SAMPLED)
    flat = np.arange(0, size, every)
    places = np.stack(np.unravel_index(flat, shape), axis=-1)
    coarse = tuple(-(-n // step) for n in shape)
    thinned = tuple(-(-(n - step // 2) // step) for n in shape)
    found = Sample(
        np.zeros(len(flat), np.float32), [], *(np.zeros(s, np.float32) for s in (coarse, thinned))
    )
    for block in plan:
        core = block.core
        outer = (*core[:-1], slice(core[-1].start, min(core[-1].stop + 2, shape[-1])))
        wide = grey(outer)
        values = wide[..., : core[-1].stop - core[-1].start]
        inside = np.ones(len(flat), bool)
        for axis, along in enumerate(core):
            inside &= (places[:, axis] >= along.start) & (places[:, axis] < along.stop)
        at = places[inside] - [along.start for along in core]
        found.some[inside] = values[tuple(at.T)]
        first = -core[-2].start % lines
        found.rows.append(wide[..., first::lines, :].copy())
        cells = tuple(slice(a.start // step, -(-a.stop // step)) for a in core)
        found.coarse[cells] = local.shrink(values, step)
        begin = tuple((step // 2 - a.start) % step for a in core)
        kept = values[tuple(slice(b, None, step) for b in begin)]
        start = [(a.start + b) // step for a, b in zip(core, begin, strict=True)]
        found.thinned[tuple(slice(s, s + n) for s, n in zip(start, kept.shape, strict=True))] = kept
        found.low, found.high = min(found.low, values.min()), max(found.high, values.max())
    return found


@dataclass(frozen=True, eq=False)
class ThresholdSurvey:
    """The threshold of a whole image, to be applied to blocks.

    Parameters
    ----------
    plain, smooth : grey values as they are compared with edges, and with the threshold.
    begun : where nuclei are looked for first.
    width : of the opening that gives the background, 0 for none.
    about : what outlines are moved by.
    noise : of `plain`.
    spacing : relative pixel size along each axis; None for 1.
    rare : nuclei are so few that only what is brightest counts.
    """

    plain: GreySource
    smooth: GreySource
    begun: local.Beginning
    width: float
    about: local.Surroundings
    noise: float
    spacing: tuple[float, ...] | None
    rare: bool = False

    @property
    def grid(self) -> tuple[int, ...]:
        """Steps of the coarser grid that means are taken on."""
        widths = self.about.widths(self.spacing, len(self.plain.shape))
        return tuple(int(f) for f in np.maximum(widths // 2.5, 1))

    @property
    def halo(self) -> tuple[int, ...]:
        """Pixels around a core within which its objects, and the threshold there, are settled."""
        widths = self.about.widths(self.spacing, len(self.plain.shape))
        ratio = 1.0 / np.asarray(self.spacing or (1.0,) * len(widths))
        nuclei = DIAMETERS * self.about.diameter * ratio
        return tuple(
            np.maximum(2 * AROUND * widths, np.maximum(nuclei, LEAST_HALO * ratio))
            .astype(int)
            .tolist()
        )

    def find_height(self, place: Place) -> np.ndarray:
        """(*place) float32 grey values above the threshold of their place."""
        grey = self.smooth(place)
        height = grey
        if self.width:
            height = above_background(self.smooth, self.width, place=place, spacing=self.spacing)
        capped, inside = self.begun.apply(grey, height)
        if self.rare:
            inside = local.drop_specks(inside)
        found = local.follow(capped, inside, about=self.about, spacing=self.spacing)
        return np.full(grey.shape, -1, np.float32) if found is None else grey - found.surface

    def sum_edges(self, height: np.ndarray, place: Place, *, part: Place) -> np.ndarray:
        """(tries, 1 + axes, 3, 2) sums of steepness in a part, see `populations.sum_edges`."""
        inside, plain = local.drop_specks(height > 0), self.plain(place)
        tries = populations.list_tries(self.about.diameter)
        sums = [populations.sum_edges(plain, inside, diameter=d, part=part) for d in tries]
        return np.stack(sums)

    @property
    def sums_shape(self) -> tuple[int, ...]:
        """Of `sum_edges`."""
        axes = sum(n > 1 for n in self.plain.shape[-2:])
        return (len(populations.list_tries(self.about.diameter)), 1 + axes, 3, 2)

    def is_separate(self, sums: np.ndarray) -> bool:
        """Whether the outlines of the whole image follow edges."""
        tries = zip(populations.list_tries(self.about.diameter), sums, strict=True)
        rated = (populations.rate_edges(s, diameter=d, noise=self.noise) for d, s in tries)
        return any(map(populations.are_edges, rated))


def above_background(
    grey: GreySource, width: float, *, place: Place, spacing: tuple[float, ...] | None
) -> np.ndarray:
    """(*place) grey values less the background that an opening finds."""
    relative = np.asarray(spacing or (1.0,) * len(place))
    cells = np.maximum(width / relative // 12, 1).astype(int)
    reach = (np.ceil(3 * width / relative / cells) * cells).astype(int)
    low = [max(p.start - r, 0) // c * c for p, r, c in zip(place, reach, cells, strict=True)]
    high = [min(p.stop + r, n) for p, r, n in zip(place, reach, grey.shape, strict=True)]
    outer = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    values = grey(outer)
    height = values - local.find_background(values, width, spacing=spacing)
    return height[within(place, outer)]


def survey_threshold(
    grey: GreySource, *, spacing: tuple[float, ...] | None, free: float
) -> ThresholdSurvey | None:
    """Decide the threshold of an image, in two or three passes over its file.

    Parameters
    ----------
    grey : smoothed over about a pixel.
    spacing : relative pixel size along each axis; None for 1.
    free : bytes of memory.

    Returns
    -------
    The survey; None where all grey values are the same.
    """
    ndim, size = len(grey.shape), int(np.prod(grey.shape))
    step = local.find_step(size, ndim)
    about = {"halo": (grey.reach + 5,) * ndim, "grid": (step,) * ndim}
    plan = plan_blocks(grey.shape, bytes_per_pixel=BYTES_PER_PIXEL / 2, free=free, **about)
    first = gather(grey, plan, step=step)
    if size < local.SMALLEST or first.low == first.high:
        return None
    noise, smooth, sample = first.measure_noise(), grey, first
    if local.is_noisy(first.some, noise):
        smooth = grey.blur(local.FURTHER)
        sample = gather(smooth, plan, step=step)
    width, logarithm = local.choose_start(sample.coarse, step, spacing=spacing)
    heights = sample
    if width:
        above = partial(_above, smooth, width, spacing)
        heights = gather(above, plan, step=step)
    if heights.some.min() == heights.some.max():
        return _survey_rare(grey, smooth, sample, plan=plan, spacing=spacing, noise=noise)
    begun = local.begin(heights.some, logarithm=logarithm, span=heights.span)
    inside = heights.thinned > begun.level
    diameter = local.estimate_thinned(inside, step, spacing=spacing)
    around = local.Surroundings(
        diameter,
        usual=begun.usual,
        noise=sample.measure_noise(np.inf if width else begun.highest),
        whole=float(np.median(np.minimum(sample.some, sample.some - heights.some + begun.highest))),
    )
    return ThresholdSurvey(grey, smooth, begun, width, around, noise, spacing)


def _above(
    grey: GreySource, width: float, spacing: tuple[float, ...] | None, place: Place
) -> np.ndarray:
    return above_background(grey, width, place=place, spacing=spacing)


def forecast_needs(
    pixels: StoredPixels, *, smoothing: float, spacing: tuple[float, ...] | None, free: float
) -> BlockNeeds | None:
    """What a block of a volume takes, judged by its middle; None where nothing is there.

    To look at all of it takes minutes, and blocks of volumes are often more than memory bears.

    Parameters
    ----------
    pixels : (Z, Y, X).
    smoothing : standard deviation of the blur, in pixels.
    spacing : relative pixel size along each axis; None for 1.
    free : bytes of memory.
    """
    starts = [max((n - most) // 2, 0) for n, most in zip(pixels.shape, MIDDLE, strict=True)]
    middle = pixels.view(tuple(slice(s, s + most) for s, most in zip(starts, MIDDLE, strict=True)))
    read = partial(survey_channel(middle).read, middle)
    source = GreySource(read, middle.shape, (smoothing,))
    survey = survey_threshold(source, spacing=spacing, free=free)
    return None if survey is None else BlockNeeds(survey.halo, survey.grid, BYTES_PER_PIXEL)


def find_rare(survey: ThresholdSurvey, *, free: float) -> ThresholdSurvey | None:
    """The survey for nuclei that are too few for Otsu's threshold; None where nothing is bright.

    Parameters
    ----------
    survey : that found no edges.
    free : bytes of memory.
    """
    grey, ndim = survey.smooth, len(survey.smooth.shape)
    step = local.find_step(int(np.prod(grey.shape)), ndim)
    about = {"halo": (grey.reach,) * ndim, "grid": (step,) * ndim}
    plan = plan_blocks(grey.shape, bytes_per_pixel=BYTES_PER_PIXEL / 2, free=free, **about)
    sample = gather(grey, plan, step=step)
    return _survey_rare(
        survey.plain, grey, sample, plan=plan, spacing=survey.spacing, noise=survey.noise
    )


def _survey_rare(
    plain: GreySource,
    smooth: GreySource,
    sample: Sample,
    *,
    plan: BlockPlan,
    spacing: tuple[float, ...] | None,
    noise: float,
) -> ThresholdSurvey | None:
    ground, level = local.find_rare_level(sample.some, sample.span)
    values = np.concatenate(list(_list_bright(smooth, plan, level)))
    if not len(values):
        return None
    usual = float(np.percentile(values, local.USUAL)) - ground
    highest = ground + local.BRIGHTER * usual
    # every n-th pixel may miss what is rare: the size of nuclei is that of the smallest
    inside = sample.thinned > level
    step = local.find_step(int(np.prod(smooth.shape)), len(smooth.shape))
    around = local.Surroundings(
        local.estimate_thinned(inside, step, spacing=spacing),
        usual=usual,
        noise=sample.measure_noise(highest),
        whole=float(np.median(np.minimum(sample.some, highest))),
    )
    begun = local.Beginning(level, highest, usual)
    return ThresholdSurvey(plain, smooth, begun, 0, around, noise, spacing, rare=True)


def _list_bright(grey: GreySource, plan: BlockPlan, level: float) -> Iterator[np.ndarray]:
    """Grey values of what is bright and no speck, of each block not too many."""
    for block in plan:
        values = grey(block.outer)
        bright = values[local.drop_specks(values > level)]
        yield bright[:: max(1, len(bright) * len(plan) // BRIGHT_VALUES)]


@dataclass(frozen=True, eq=False)
class ThresholdWork:
    """The work on a block: threshold, then objects; with the sums that tell edges from none.

    Parameters
    ----------
    survey : of the image; None where nothing is in it.
    box : the part of the image without margins, which the survey is of.
    decide : (*space, 1) heights → labels.
    min_size : of an object, in pixels.
    free : bytes of memory.
    """

    survey: ThresholdSurvey | None
    box: Place
    decide: Callable[[np.ndarray], np.ndarray]
    min_size: int
    free: float
    bytes_per_pixel: float = BYTES_PER_PIXEL

    @property
    def halo(self) -> tuple[int, ...]:
        return self.survey.halo if self.survey else (0,) * len(self.box)

    @property
    def grid(self) -> tuple[int, ...]:
        return self.survey.grid if self.survey else (1,) * len(self.box)

    def __call__(self, block: Block) -> Found:
        """Labels of core and halo."""
        heights, shape = np.zeros(block.shape, np.float32), self.survey and self.survey.sums_shape
        sums = np.zeros(shape or 0)
        place = clip(block.outer, self.box)
        core = clip(block.core, self.box)
        if self.survey and place:
            inner = shift(place, [along.start for along in self.box])
            found = self.survey.find_height(inner)
            heights[within(place, block.outer)] = found
            if core:
                sums = self.survey.sum_edges(found, inner, part=within(core, place))
        labels = self.decide(heights[..., None])
        names = (f"edges{n:03d}" for n in range(sums.size))
        return Found(labels, dict(zip(names, sums.ravel().tolist(), strict=True)))

    def judge(self, sums: dict[str, np.ndarray]) -> ThresholdWork | None:
        """Whether the outlines follow edges; else nuclei are rare, or there are none."""
        if self.survey is None:
            return None
        shape = self.survey.sums_shape
        edges = [float(sums[f"edges{n:03d}"]) for n in range(int(np.prod(shape)))]
        if self.survey.is_separate(np.reshape(edges, shape)):
            return None
        rare = None if self.survey.rare else find_rare(self.survey, free=self.free)
        return replace(self, survey=rare)


def clip(place: Place, box: Place) -> Place | None:
    """The part of a place that lies in a box; None where there is none."""
    both = zip(place, box, strict=True)
    found = tuple(slice(max(p.start, b.start), min(p.stop, b.stop)) for p, b in both)
    return found if all(f.start < f.stop for f in found) else None


def shift(place: Place, start: list[int]) -> Place:
    """A place, counted from a pixel."""
    return tuple(slice(p.start - s, p.stop - s) for p, s in zip(place, start, strict=True))
