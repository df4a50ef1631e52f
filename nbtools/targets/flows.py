"""Flows: the direction to the inside of the nucleus, at every pixel; followed, its pixels meet.

Heat spreads inside each nucleus from an inner pixel, and the flow is the direction in which it
grows (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x). A flow is a step of one pixel, all
axes together; the pixel size shapes the heat and so the direction. Two nuclei that touch have
opposite flows where they meet, whatever their shape.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools import runtime
from nbtools.patches import Example
from nbtools.targets.base import Parameter, min_size_parameter, sigmoid, threshold_parameter
from nbtools.targets.class_head import ClassHeadTarget
from nbtools.targets.objects import SEEN, remove_small_objects

STEPS, BLOCK, STILL = (
    200,
    20,
    1.0,
)  # steps of a pixel; one that moved less than STILL px in the last BLOCK steps has arrived
ARRIVALS, WINDOW = (
    10,
    2,
    # a nucleus is where more pixels than that arrive, and nowhere more within so many pixels of the
    # finest axis
)
GROW, FEW = 5, 2  # and so many pixels around it, where more than FEW arrive
TOGETHER = 2**14  # points that a core follows before it takes others
FLOW_SCALE = 5.0  # flows of a network are so many times as long as the true ones (Cellpose)
ALL = 4.0  # no two flows of length 1 differ more


def encode(label: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """Encode labels as foreground, and the direction to the centre of the nucleus.

    Connected parts of a label have flows of their own; at the inner pixel of each the flow is 0.

    Parameters
    ----------
    label : (*space) labels; negative ones are ignored.
    spacing : relative pixel size along each axis; None for equal ones.

    Returns
    -------
    (*space, 1 + ndim) float32: foreground (0 or 1; -1 ignored), and the flow along each axis, of
    length 1 inside nuclei and 0 outside.

    References
    ----------
    Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.

    Examples
    --------
    >>> encode(np.array([[0, 4, 4, 4, 4, 4, 7]]))[0, :, 2].tolist()
    [0.0, 1.0, 1.0, 0.0, -1.0, -1.0, 0.0]
    """
    from skimage.measure import label as find_parts

    maps = np.zeros((*label.shape, 1 + label.ndim), np.float32)
    maps[..., 0] = np.where(label < 0, -1, label > 0)
    parts = find_parts(np.maximum(label, 0), background=0, connectivity=1)
    places = np.nonzero(parts)
    if len(places[0]):
        size = np.array(spacing or (1.0,) * label.ndim) / min(spacing or (1.0,))
        maps[(*places, slice(1, None))] = _find_directions(parts, np.stack(places, axis=1), size)
    return maps


def decode(
    maps: np.ndarray,
    *,
    spacing: tuple[float, ...] | None = None,
    threshold: float = 0.5,
    flow_threshold: float = ALL,
    min_size: int = 0,
) -> np.ndarray:
    """Decode foreground and flows: pixels that arrive at the same place are one nucleus.

    Parameters
    ----------
    maps : (*space, 1 + ndim) foreground probability, and the flow along each axis.
    spacing : relative pixel size along each axis, so that places of arrival are equally far apart
        in space; None for equal ones.
    threshold : foreground probability, 0 … 1, above which a pixel follows its flow.
    flow_threshold : in 2D, nuclei are removed whose `measure_error` is larger; 4 keeps all.
    min_size : smallest nucleus in pixels.

    Returns
    -------
    (*space) int32 labels.

    References
    ----------
    Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
    """
    foreground = maps[..., 0] > threshold
    flow = np.where(foreground[..., None], maps[..., 1:], 0)
    size = np.array(spacing or (1.0,) * foreground.ndim) / min(spacing or (1.0,))
    label = np.zeros(foreground.shape, np.int32)
    label[foreground] = _name_arrivals(
        follow(flow, np.argwhere(foreground)), foreground.shape, size=size
    )
    label = remove_small_objects(label, min_size)
    if label.ndim > 2 or flow_threshold >= ALL or not label.any():
        return label
    kept = np.concatenate([[False], measure_error(label, flow) <= flow_threshold])
    return remove_small_objects(np.where(kept[label], label, 0), min_size)


def flip(maps: np.ndarray, axis: int) -> np.ndarray:
    """Mirror foreground and flows along an axis; the flow along that axis changes its sign.

    Parameters
    ----------
    maps : (*space, 1 + ndim).
    axis : spatial, from 0.

    Examples
    --------
    >>> flip(np.array([[1.0, 0.5], [0.0, 0.0]]), 0).tolist()
    [[0.0, -0.0], [1.0, -0.5]]
    """
    mirrored = np.flip(maps, axis).copy()
    mirrored[..., 1 + axis] *= -1
    return mirrored


def follow(flow: np.ndarray, points: np.ndarray, *, steps: int = STEPS) -> np.ndarray:
    """Move points along flows until they arrive, with linear interpolation between pixels.

    Parameters
    ----------
    flow : (*space, ndim) step of a point at each pixel; what is not a number counts as 0.
    points : (n, ndim) in pixels.
    steps : largest number of steps.

    Returns
    -------
    (n, ndim) float32, where the points end; all stay inside the image.
    """
    from nbtools.targets import flow_kernels

    shape = np.array(flow.shape[:-1])
    ends = np.clip(points, 0, shape - 1).astype(np.float32)
    plain = (
        np.nan_to_num(flow).astype(np.float32, copy=False).reshape(-1, flow.shape[-1])
    )  # compiled loops trust what they are given
    about = {"steps": steps, "block": BLOCK, "still": STILL}
    with ThreadPoolExecutor(runtime.cores()) as pool:
        walks = [
            pool.submit(flow_kernels.integrate_flows, plain, shape, ends=some, **about)
            for some in np.array_split(ends, 1 + len(ends) // TOGETHER)
        ]
    for walk in walks:
        walk.result()
    return ends


def measure_error(label: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Measure for each nucleus how far given flows differ from those of its shape.

    Parameters
    ----------
    label : (*space) labels 1 … N.
    flow : (*space, ndim) as predicted.

    Returns
    -------
    (N,) mean squared difference, 0 … 4 for flows of length 1.
    """
    off = np.square(encode(label)[..., 1:] - flow).sum(axis=-1)
    return ndimage.mean(off, label, np.arange(1, label.max() + 1))


def self_consistency_error(maps: np.ndarray, label: np.ndarray) -> float:
    """Compare predicted flows with those of the labels they are decoded to.

    It needs no truth: it is small where the network is sure of whole nuclei.

    Parameters
    ----------
    maps : (*space, 1 + ndim) foreground probability and flows.
    label : (*space) labels that `decode` made of them.

    Returns
    -------
    Mean length of half the difference, 0 … 1 for flows of length 1, over the pixels of labels and
    of probable foreground; 1 where there are none.

    Examples
    --------
    >>> label = np.pad(np.ones((5, 5), int), 2)
    >>> maps = encode(label)
    >>> self_consistency_error(maps, label)
    0.0
    >>> round(self_consistency_error(maps * (1, 0, 0), label), 2)
    0.48
    """
    seen = (label > 0) | (maps[..., 0] > SEEN)
    off = np.linalg.norm((encode(label) - maps)[seen][:, 1:], axis=-1)
    return float(off.mean() / 2) if seen.any() else 1.0


def _find_directions(parts: np.ndarray, places: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Flows (n, ndim) at the places (n, ndim) of parts 1 … N.

    `size` is that of a pixel along each axis, the smallest 1.
    """
    part = parts[tuple(places.T)]
    order = np.argsort(
        part, kind="stable"
    )  # part by part, so that what belongs together lies together
    part, places = part[order], places[order]
    starts = np.searchsorted(part, np.arange(1, part[-1] + 2))
    centres, beside = _find_centres(part, places * size), _find_neighbours(parts, places)
    extents = np.array([[s.stop - s.start for s in box] for box in ndimage.find_objects(parts)])
    weights = 1 / size**2
    steps = (2 * (extents @ size)).astype(int)
    heat = _diffuse(starts, beside, centres, steps, rates=weights / (1 + 2 * weights.sum()))
    heat = np.log(np.maximum(heat, np.finfo(float).tiny))  # far from the centre it is tiny
    slope = (
        heat[beside[..., 1]] - heat[beside[..., 0]]
    ) / size**2  # per pixel, of a gradient in space
    slope[centres] = 0
    directions = np.empty_like(slope)
    directions[order] = slope / np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-30)
    return directions


def _diffuse(
    starts: np.ndarray,
    beside: np.ndarray,
    centres: np.ndarray,
    steps: np.ndarray,
    *,
    rates: np.ndarray,
) -> np.ndarray:
    """Heat (n,) as of `flow_kernels.diffuse`; of many points each core takes some of the parts."""
    from nbtools.targets import flow_kernels

    groups = 1 + int(starts[-1]) // TOGETHER
    bounds = np.searchsorted(starts, np.linspace(0, starts[-1], groups + 1))

    def diffuse(first: int, last: int) -> np.ndarray:
        begin, end = starts[first], starts[last]
        return flow_kernels.diffuse(
            starts[first : last + 1] - begin,
            beside[begin:end] - np.int32(begin),
            centres=centres[first:last] - begin,
            rates=rates,
            steps=steps[first:last],
        )

    spans = [(a, b) for a, b in itertools.pairwise(bounds.tolist()) if b > a]
    if len(spans) == 1:
        return diffuse(*spans[0])
    with ThreadPoolExecutor(runtime.cores()) as pool:
        return np.concatenate(list(pool.map(lambda span: diffuse(*span), spans)))


def _find_centres(part: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Of each part, the index of the pixel nearest to its centre of mass, which may lie outside.

    `part` is (n,) in rising order, `at` (n, ndim) in space.
    """
    first = np.flatnonzero(np.diff(part, prepend=0))
    count = np.diff(first, append=len(part))
    middle = np.add.reduceat(at, first) / count[:, None]
    away = np.square(at - np.repeat(middle, count, axis=0)).sum(axis=-1)
    near = np.flatnonzero(away == np.repeat(np.minimum.reduceat(away, first), count))
    return near[np.unique(part[near], return_index=True)[1]]


def _find_neighbours(parts: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n, ndim, 2) index of the pixel before and after along each axis.

    It is the pixel's own where that is of another part.
    """
    index = np.full(parts.shape, -1, np.int32)
    index[tuple(places.T)] = own = np.arange(len(places), dtype=np.int32)
    part, beside = parts[tuple(places.T)], np.empty((len(places), parts.ndim, 2), np.int32)
    for axis in range(parts.ndim):
        for side, step in enumerate((-1, 1)):
            there = places.copy()
            there[:, axis] = np.clip(there[:, axis] + step, 0, parts.shape[axis] - 1)
            there = tuple(there.T)
            beside[:, axis, side] = np.where(parts[there] == part, index[there], own)
    return beside


def _name_arrivals(ends: np.ndarray, shape: tuple[int, ...], *, size: np.ndarray) -> np.ndarray:
    """Labels (n,) of points that ended at `ends` (n, ndim).

    There is one for each place where many arrive; the others get 0.

    Places are looked up one by one, for they are few beside the pixels of the image.
    """
    wide = tuple(n + 2 * WINDOW for n in shape)  # so that every place has a window
    bins = np.ravel_multi_index(tuple(np.rint(ends).astype(int).T + WINDOW), wide)
    arrived = np.bincount(bins, minlength=int(np.prod(wide)))
    seeds = np.flatnonzero(arrived > ARRIVALS)
    for step in _list_steps(np.maximum(1, np.rint(WINDOW / size)), wide):
        here, there = arrived[seeds], arrived[seeds + step]
        seeds = seeds[
            (here > there) | ((here == there) & (step < 0))
        ]  # of two alike, the later one
    named = np.zeros(len(arrived), np.int32)
    named[seeds[np.argsort(arrived[seeds], kind="stable")]] = 1 + np.arange(len(seeds))
    places = np.flatnonzero((arrived > FEW) & (named == 0))
    for turn in range(GROW):  # where two grow into each other, the one with more arrivals wins
        found = np.zeros(len(places), np.int32)
        for step in _list_steps(turn < np.rint(GROW / size), wide):
            np.maximum(found, named[places + step], out=found)
        named[places] = found
        places = places[found == 0]
    return named[bins]


def _list_steps(reach: np.ndarray, shape: tuple[int, ...]) -> list[int]:
    """Steps from a pixel to all others of a window, in the flattened image.

    `reach` is that of the window along each axis.
    """
    along = [
        np.arange(-int(r), int(r) + 1) * int(np.prod(shape[axis + 1 :]))
        for axis, r in enumerate(reach)
    ]
    steps = np.sum(np.meshgrid(*along, indexing="ij"), axis=0).ravel()
    return [int(step) for step in steps if step]


@dataclass(frozen=True)
class FlowTarget(ClassHeadTarget):
    """Foreground and flows, see `encode` and `decode`.

    Flows are found in the patch as cut: so they turn, stretch and mirror with it, and those of half
    a nucleus meet in that half.

    Parameters
    ----------
    views : "native", or "planes" where a flat network predicts planes across each axis of a volume.
    """

    views: str = "native"

    per_patch: ClassVar = True
    parameters: ClassVar = (
        threshold_parameter(0.3, 0.4, 0.5, 0.6, 0.7),
        # of volumes in planes, in pixels of the finest spacing
        min_size_parameter(15, {2: (0, 15, 30, 45), 3: (0, 45, 90, 180, 360)}),
        Parameter(
            *("flow_threshold", ALL, {2: (0.4, 0.6, 0.8, 1.2, ALL)}, 0.0, ALL),
            help=(
                "2D: nuclei whose flows differ from those of their shape by more than that are "
                "removed, 4 keeps all; chosen on validation images if empty."
            ),
        ),
    )

    @property
    def in_planes(self) -> bool:
        """Whether a flat network predicts volumes plane by plane."""
        return self.ndim == 3 and self.views == "planes"

    @property
    def label_outputs(self) -> dict[str, int]:
        return {"foreground": 1, "flow": 2 if self.in_planes else self.ndim}

    def encode_labels(self, example: Example) -> np.ndarray:
        """(*space, 1 + ndim) foreground and flows, see `encode`."""
        return encode(example.label, spacing=None if self.in_planes else self.spacing)

    def activate_labels(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Logit and lengthened flows → probability of foreground, and flows."""
        return ops.concatenate([sigmoid(raw[..., :1], ops), raw[..., 1:] / FLOW_SCALE], axis=-1)

    def find_labels(self, maps: np.ndarray, **parameters: float) -> np.ndarray:
        """(*space, 1 + ndim) foreground and flows → (*space) int32 labels, see `decode`."""
        return decode(maps[..., : 1 + self.ndim], spacing=self.spacing, **parameters)

    def class_channels(self) -> slice | None:
        """Behind the flows along all axes, also where planes are predicted."""
        return slice(1 + self.ndim, 1 + self.ndim + len(self.classes)) if self.classes else None

    def self_consistency_error(self, maps: np.ndarray, label: np.ndarray) -> float:
        """See the function of this name."""
        return self_consistency_error(maps[..., : 1 + self.ndim], label)
