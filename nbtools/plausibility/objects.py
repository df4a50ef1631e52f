"""Whether what was found in an image can be nuclei at all, by the image itself."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nbtools.normalize.depth import find_gain
from nbtools.normalize.field import sample_field
from nbtools.plausibility.finding import Finding
from nbtools.populations import follows_edges, measure_noise

LOOKED_AT = 2_000_000  # pixels in the middle of the image
LARGE = 1 / 3  # of the field, that one nucleus does not cover
OUT_OF_PROPORTION, ENOUGH = 30.0, 8  # times the median size; objects that have a median
BRIGHTER = 10.0  # times the median height of objects above the background
LIKE = 1.0  # standard deviations of the noise within which grey values are the same
MANY = 1 / 3  # of the objects
DIMMER = 2.5  # times that one half of a volume is dimmer than the other
LITTLE = 0.02  # of the range of grey values, that objects fill at least


def judge_objects(pixels: np.ndarray, label: np.ndarray) -> list[Finding]:
    """Doubts about labels, from grey values and sizes.

    Parameters
    ----------
    pixels : (*space, C) grey values.
    label : (*space) labels found.
    """
    grey = pixels.mean(axis=-1, dtype=np.float32) if pixels.shape[-1] > 1 else pixels[..., 0]
    sizes = np.bincount(label.ravel())[1:]
    found = judge_depth(grey)
    if not sizes.any():
        return [_describe_nothing(), *found]
    found += judge_sizes(sizes[sizes > 0], label.size)
    middle = find_middle(label.shape)
    grey, label = grey[middle].astype(np.float32), label[middle]
    if not label.any():
        return found
    diameter = _find_diameter(label)
    smooth = ndimage.gaussian_filter(np.nan_to_num(grey), 1.0)
    one_group = not follows_edges(smooth, label > 0, diameter=diameter)
    if one_group and (label > 0).mean() < 0.9:
        return [*found, _describe_one_population()]
    heights = measure_heights(smooth, label, diameter=diameter)
    found += judge_heights(heights, noise=measure_noise(grey))
    return found + judge_range(grey, label)


def find_middle(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The middle of an image, of `LOOKED_AT` pixels at most."""
    share = min(1.0, (LOOKED_AT / np.prod(shape)) ** (1 / len(shape)))
    sides = [max(1, int(n * share)) for n in shape]
    return tuple(slice((n - s) // 2, (n - s) // 2 + s) for n, s in zip(shape, sides, strict=True))


def judge_sizes(sizes: np.ndarray, field: int) -> list[Finding]:
    """One object over a third of the field, or objects out of all proportion.

    Parameters
    ----------
    sizes : (N,) pixels of each object, N >= 1.
    field : pixels of the image.
    """
    largest, median = int(sizes.max()), float(np.median(sizes))
    if largest > LARGE * field:
        return [
            Finding(
                "object_fills_field",
                f"One object covers {largest / field:.0%} of the field.",
                "Look at it: the background may have been taken for a nucleus, or the wrong "
                "channel been chosen.",
            )
        ]
    many = int((sizes > OUT_OF_PROPORTION * median).sum())
    if len(sizes) < ENOUGH or not many:
        return []
    return [
        Finding(
            "out_of_proportion",
            f"{many} of {len(sizes)} objects are over {OUT_OF_PROPORTION:.0f} times as large as "
            "most.",
            "Look at them: they may be clumps, or the others dirt.",
        )
    ]


def judge_depth(grey: np.ndarray) -> list[Finding]:
    """A volume in which nuclei are far dimmer in one half; [] for planes.

    Parameters
    ----------
    grey : (*space) grey values.
    """
    if grey.ndim < 3:
        return []
    known = grey if grey.dtype.kind != "f" else np.nan_to_num(grey)
    gain = find_gain(sample_field(known))
    if gain is None:
        return []
    quarter = len(gain) // 4
    first, last = float(gain[quarter]), float(gain[-1 - quarter])
    times = max(first / last, last / first)
    if times < DIMMER:
        return []
    half = "first" if first > last else "last"
    return [
        Finding(
            "fading_with_depth",
            f"The {half} half of the planes is {times:.1f} times dimmer: nuclei there may be "
            "missing.",
            "Compare the counts of both halves; nbtools check --fix COPY --even-depth makes the "
            "volume even.",
        )
    ]


def measure_heights(grey: np.ndarray, label: np.ndarray, *, diameter: float) -> np.ndarray:
    """(N,) mean grey value of each object above that of the background around it.

    Parameters
    ----------
    grey : (*space) grey values.
    label : (*space) labels.
    diameter : of the objects in pixels: the distance over which background is averaged.
    """
    outside = ndimage.binary_erosion(label == 0, iterations=2, border_value=1)
    if not outside.any():
        return np.zeros(0)
    width = max(diameter / 2, 2.0)
    share = ndimage.gaussian_filter(outside.astype(np.float32), width, truncate=3.0)
    around = ndimage.gaussian_filter(np.where(outside, grey, np.float32(0)), width, truncate=3.0)
    everywhere = float(np.median(grey[outside]))
    around = np.where(share > 0.01, around / np.maximum(share, 1e-6), everywhere)
    numbers = np.flatnonzero(np.bincount(label.ravel()))
    return ndimage.mean(grey - around, label, numbers[numbers > 0])


def judge_heights(heights: np.ndarray, *, noise: float) -> list[Finding]:
    """Objects with the grey value of the background, or far brighter than most.

    Parameters
    ----------
    heights : (N,) by `measure_heights`.
    noise : standard deviation between neighbouring pixels.
    """
    return [*_judge_brightest(heights), *_judge_dimmest(heights, noise=noise)]


def _judge_brightest(heights: np.ndarray) -> list[Finding]:
    """Dead cells and debris: a nucleus in mitosis is a few times as bright as others."""
    median = float(np.median(heights)) if len(heights) >= ENOUGH else 0.0
    many = int((heights > BRIGHTER * median).sum()) if median > 0 else 0
    if not many:
        return []
    return [
        Finding(
            "far_brighter_objects",
            f"{many} of {len(heights)} objects are over {BRIGHTER:.0f} times as bright as most: "
            "they may be dead cells or debris, and nuclei beside them may be missing.",
            "Look at them, and leave them out of the counts if they are no nuclei.",
        )
    ]


def _judge_dimmest(heights: np.ndarray, *, noise: float) -> list[Finding]:
    like = int((np.abs(heights) <= LIKE * noise).sum())
    if like < 3 or like < MANY * len(heights):
        return []
    return [
        Finding(
            "objects_like_background",
            f"{like} of {len(heights)} objects have the grey value of the background around them.",
            "Look at them before you count them.",
        )
    ]


def judge_range(grey: np.ndarray, label: np.ndarray) -> list[Finding]:
    """Objects that fill little of the range of grey values: something else is far brighter.

    Parameters
    ----------
    grey : (*space) grey values.
    label : (*space) labels.
    """
    low, high = float(np.percentile(grey, 1)), float(grey.max())
    top = float(np.percentile(grey[label > 0], 98))
    share = (top - low) / (high - low) if high > low else 1.0
    if not 0 < share < LITTLE:
        return []
    return [
        Finding(
            "little_of_the_range",
            f"The objects fill {share:.1%} of the range of grey values: single pixels or bodies "
            "are far brighter.",
            "Look for hot pixels, dead cells or dust, and whether dim nuclei are missing.",
        )
    ]


def _find_diameter(label: np.ndarray) -> float:
    sizes = np.bincount(label.ravel())[1:]
    size = float(np.median(sizes[sizes > 0]))
    shape = 4 / np.pi if label.ndim == 2 else 6 / np.pi
    return (shape * size) ** (1 / label.ndim)


def _describe_nothing() -> Finding:
    return Finding(
        "no_objects",
        "Nothing was found.",
        "Look at the image: if it shows nuclei, check its channel, and whether they are bright or "
        "dark as those the method knows.",
    )


def _describe_one_population() -> Finding:
    return Finding(
        "one_population",
        "What was found does not lie on edges: grey values are of one group, not of nuclei and "
        "background, and the count may be noise.",
        "Look at the image, and leave it out of the counts if it shows no nuclei.",
    )
