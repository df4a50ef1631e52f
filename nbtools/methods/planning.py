"""Settings that follow from a data set: pixel size, patch, levels, kernels and batch, with reasons.

The rules are those of nnU-Net, written from their description: Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.geometry import equivalent_diameters
from nbtools.methods import planning_reasons
from nbtools.methods.data_plan import Budget, Fingerprint, Levels, Plan

CLASSES = 3  # background, core, rim: what the network says of a pixel
COARSE, SHORT = (
    3.0,
    3.0,
    # an axis is coarse where its pixels are so many times longer, and its images so many times
    # shorter
)
LEAST = 4  # pixels an axis keeps at the coarsest level
SIDE = {2: 2048, 3: 256}  # of the square or cube that the patch begins as
REFERENCE = {
    2: 85e6,
    3: 560e6,
}  # feature values of one patch that fit into 8 GB, when BATCH of them are trained on
BATCH = {2: 12, 3: 2}
MOST = {2: 16, 3: 10}  # times the width of the first level
SHARE = 0.05  # of the data set's pixels that one batch may hold


def take_fingerprint(dataset: DataSet) -> Fingerprint:
    """Measure every image of a data set, and its nuclei where it has labels.

    Parameters
    ----------
    dataset : images of the same axes.

    Raises
    ------
    UserError : the images have different axes.

    Examples
    --------
    >>> from nbtools import simulate
    >>> take_fingerprint(simulate.make("nuclei3d", count=2, seed=0)).shapes
    ((24, 96, 96), (24, 96, 96))
    """
    rows = [_look_at(sample) for sample in dataset]
    if len(axes := {r["image"].axes for r in rows}) > 1:
        raise UserError(
            "Images of one data set must have the same axes.",
            ", ".join(sorted(axes)),
            "Split planes and volumes in two sets.",
        )
    unit = next((s.unit for s in (r["image"] for r in rows) if s.spacing), "um")
    return Fingerprint(
        shapes=tuple(r["image"].shape for r in rows),
        spacings=tuple(r["image"].spacing if r["image"].unit == unit else None for r in rows),
        unit=unit,
        grey=tuple(r["grey"] for r in rows),
        diameters=tuple(r["diameters"] for r in rows),
    )


def make_plan(
    fingerprint: Fingerprint, budget: Budget | None = None, *, patch: tuple[int, ...] | None = None
) -> Plan:
    """Choose the settings of a training from the fingerprint of its images.

    Parameters
    ----------
    fingerprint : of the training images.
    budget : memory and width; 8 GB and 32 channels by default.
    patch : shape to use in place of the one that the rules find; it is rounded up to a multiple of
        what the levels need.

    References
    ----------
    Isensee et al. 2021, doi:10.1038/s41592-020-01008-z.

    Examples
    --------
    >>> few = Fingerprint(shapes=((24, 96, 96),) * 12, spacings=((1.0, 0.4, 0.4),) * 12)
    >>> plan = make_plan(few, Budget(memory_gb=0.15, width=16))
    >>> plan.patch, plan.kernels[0], plan.strides[0]
    ((16, 64, 64), (1, 3, 3), (1, 2, 2))
    """
    budget, ndim = budget or Budget(), fingerprint.ndim
    spacing, why = choose_spacing(fingerprint)
    pixel = np.array(spacing or (1.0,) * ndim)
    shape = np.median(
        [
            _resample(n, s, spacing)
            for n, s in zip(fingerprint.shapes, fingerprint.spacings, strict=True)
        ],
        axis=0,
    )
    begun = begin_patch(shape, pixel)
    chosen, levels = (
        _round_up(np.array(patch), pixel)
        if patch
        else fit_patch(begun, shape, pixel=pixel, budget=budget)
    )
    widths = plan_widths(len(levels.kernels), budget.width, ndim=ndim)
    most = SHARE * float(np.prod(shape)) * len(fingerprint.shapes) / float(np.prod(chosen))
    afforded = (
        budget.memory_gb
        / 8
        * REFERENCE[ndim]
        / count_features(chosen, levels, widths=widths)
        * BATCH[ndim]
    )
    batch = int(max(2, round(min(afforded, most))))
    plan = Plan(
        spacing, _whole(shape), _whole(chosen), batch, widths, levels.kernels, levels.strides
    )
    facts = planning_reasons.Facts(
        why=why,
        begun=_whole(begun),
        wished=patch is not None,
        capped=most < afforded,
        memory_gb=budget.memory_gb,
    )
    reasons = planning_reasons.explain(plan, fingerprint, facts=facts)
    return replace(plan, reasons=reasons)


def choose_spacing(fingerprint: Fingerprint) -> tuple[tuple[float, ...] | None, str]:
    """Choose the pixel size that all images are brought to.

    It is the median along each axis; along a coarse axis the 10th percentile, but no less than the
    others.

    Parameters
    ----------
    fingerprint : of the training images.

    Returns
    -------
    Pixel size along each axis, None where none is known; and the rule: "median", "percentile" or
    "unknown".

    Examples
    --------
    >>> choose_spacing(Fingerprint(shapes=((64, 64),) * 3, spacings=((1.0, 1.0), (2.0, 2.0), None)))
    ((1.5, 1.5), 'median')
    """
    known = np.array([s for s in fingerprint.spacings if s])
    if not len(known):
        return None, "unknown"
    spacing, shape = np.median(known, axis=0), np.median(fingerprint.shapes, axis=0)
    worst = int(np.argmax(spacing))
    others = [a for a in range(len(spacing)) if a != worst]
    if (
        spacing[worst] > COARSE * spacing[others].max()
        and shape[worst] * SHORT < shape[others].min()
    ):
        finer = float(np.percentile(known[:, worst], 10))
        spacing[worst] = max(finer, spacing[others].max())
        return tuple(map(float, spacing)), "percentile"
    return tuple(map(float, spacing)), "median"


def begin_patch(shape: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Patch to begin with: as many pixels as 2048² or 256³, and a square or a cube in µm.

    Along each axis it is no larger than the median image.

    Parameters
    ----------
    shape : median shape of the images, in pixels.
    pixel : pixel size along each axis.

    Examples
    --------
    >>> begin_patch(np.array((64, 512, 512)), np.array((2.0, 0.5, 0.5))).tolist()
    [64, 406, 406]
    """
    ndim = len(shape)
    side = SIDE[ndim] * float(np.prod(pixel)) ** (1 / ndim)
    return np.minimum(np.round(side / pixel), np.ceil(shape - 1e-6)).astype(int)


def fit_patch(
    begun: np.ndarray, shape: np.ndarray, *, pixel: np.ndarray, budget: Budget
) -> tuple[np.ndarray, Levels]:
    """Cut a patch until the features of the network fit into the memory.

    In each step the axis is cut along which the patch covers most of the image.

    Parameters
    ----------
    begun : shape to begin with, in pixels.
    shape : median shape of the images, in pixels.
    pixel : pixel size along each axis.
    budget : memory and width.

    Returns
    -------
    Shape of the patch, and its levels.
    """
    limit = budget.memory_gb / 8 * REFERENCE[len(shape)]
    patch, levels = _round_up(begun, pixel)
    while (
        count_features(
            patch, levels, widths=plan_widths(len(levels.kernels), budget.width, ndim=len(shape))
        )
        > limit
    ):
        room = patch > 2 * LEAST
        if not room.any():
            break
        share = np.where(room, patch / shape, 0)
        axis = int(np.flatnonzero(share == share.max())[-1])
        coarse = _cut(patch, axis, levels.grid[axis], pixel=pixel)
        fine = _cut(
            patch, axis, coarse[1].grid[axis], pixel=pixel
        )  # a smaller patch is halved less often, and can be cut finer
        patch, levels = fine if fine[0][axis] < patch[axis] else coarse
    return patch, levels


def plan_levels(patch: np.ndarray, pixel: np.ndarray) -> Levels:
    """Plan the levels of a network for a patch.

    An axis is halved while it is long enough, and its pixels are less than twice as long as the
    shortest. Its kernel is 1 until its pixels are that short, then 3.

    Parameters
    ----------
    patch : shape in pixels.
    pixel : pixel size along each axis.

    Examples
    --------
    >>> plan_levels(np.array((16, 64, 64)), np.array((2.5, 1, 1))).strides
    ((1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2))
    """
    size, pixel = np.array(patch, float), np.array(pixel, float)
    wide, kernels, strides = np.zeros(len(size), bool), [], []
    while True:
        wide |= pixel < 2 * pixel.min()
        kernels.append(tuple(3 if w else 1 for w in wide))
        room = size >= 2 * LEAST
        if room.sum() == 1:
            room &= size >= 3 * LEAST  # an axis alone must have more
        if not room.any():
            return Levels(tuple(kernels), tuple(strides))
        halved = room & (pixel < 2 * pixel[room].min())
        strides.append(tuple(2 if h else 1 for h in halved))
        size, pixel = np.ceil(size / strides[-1]), pixel * strides[-1]


def plan_widths(count: int, first: int, *, ndim: int) -> tuple[int, ...]:
    """Channels of each level: doubled each time, up to 16 (2D) or 10 (3D) times the first.

    Parameters
    ----------
    count : number of levels.
    first : channels of the first level.
    ndim : 2 or 3.

    Examples
    --------
    >>> plan_widths(6, 32, ndim=3)
    (32, 64, 128, 256, 320, 320)
    """
    return tuple(int(min(first * 2**level, first * MOST[ndim])) for level in range(count))


def count_features(patch: np.ndarray, levels: Levels, *, widths: tuple[int, ...]) -> float:
    """Count the feature values of one patch that training must keep in memory.

    Parameters
    ----------
    patch : shape in pixels.
    levels : kernels and strides.
    widths : channels of each level.
    """
    size, total = np.array(patch, float), 0.0
    for level, width in enumerate(widths):
        # upsampling, two convolutions, and an output of its own
        up = 3 * width + CLASSES if level < len(widths) - 1 else 0
        total += (2 * width + up) * float(np.prod(size))
        size = size / (levels.strides[level] if level < len(levels.strides) else 1)
    return total


def _look_at(sample: Sample) -> dict:
    image = sample.image.select(T=0, C=0)
    image = image.to("ZYX"[-len(image.spatial) :])
    label = None if sample.label is None else sample.label.select(T=0).pixels
    diameters = () if label is None else tuple(map(float, equivalent_diameters(label)))
    return {
        "image": image,
        "grey": (float(image.pixels.mean()), float(image.pixels.std())),
        "diameters": diameters,
    }


def _resample(
    shape: tuple[int, ...], own: tuple[float, ...] | None, spacing: tuple[float, ...] | None
) -> np.ndarray:
    return (
        np.array(shape, float)
        if own is None or spacing is None
        else np.array(shape) * own / np.array(spacing)
    )


def _cut(
    patch: np.ndarray, axis: int, step: int, *, pixel: np.ndarray
) -> tuple[np.ndarray, Levels]:
    """The patch with `step` pixels less along an axis."""
    smaller = patch.copy()
    smaller[axis] = max(LEAST, patch[axis] - step)
    return _round_up(smaller, pixel)


def _round_up(patch: np.ndarray, pixel: np.ndarray) -> tuple[np.ndarray, Levels]:
    levels = plan_levels(patch, pixel)
    return -(-patch // levels.grid) * levels.grid, levels


def _whole(values: np.ndarray) -> tuple[int, ...]:
    return tuple(round(v) for v in np.asarray(values).tolist())
