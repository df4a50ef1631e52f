"""Scoring labels: ten thousand nuclei in a volume at nine thresholds, against stardist.matching in
the same run.
"""

from __future__ import annotations

import json

import numpy as np
from _runs import time_call

from nbtools.metrics import instances

THRESHOLDS = [round(0.5 + 0.05 * i, 2) for i in range(9)]
SHAPE = (64, 512, 512)
NUCLEI = 10_000


def paint_balls(
    centres: np.ndarray, radii: np.ndarray, shape: tuple[int, ...] = SHAPE
) -> np.ndarray:
    """Label image of balls, painted one after the other; centres (N, 3) and radii (N,) in
    pixels.
    """
    label = np.zeros(shape, np.int32)
    for name, (centre, radius) in enumerate(zip(centres, radii, strict=True), start=1):
        low = np.maximum(np.floor(centre - radius), 0).astype(int)
        high = np.minimum(np.ceil(centre + radius) + 1, shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grid = np.ogrid[box]
        label[box][sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2] = name
    return label


def make_pair(nuclei: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True labels on a jittered lattice, and a prediction that shifts, resizes, loses and invents
    some.
    """
    step = (np.prod(SHAPE) / nuclei) ** (1 / 3)
    axes = [np.linspace(step / 2, n - step / 2, max(int(np.ceil(n / step)), 1)) for n in SHAPE]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    centres = centres + rng.uniform(-0.15, 0.15, centres.shape) * step
    radii = rng.uniform(0.35, 0.5, len(centres)) * step
    kept = rng.random(len(centres)) > 0.05
    moved = centres[kept] + rng.normal(0, 0.08 * step, (kept.sum(), 3))
    return paint_balls(centres, radii), paint_balls(
        moved, radii[kept] * rng.uniform(0.85, 1.15, kept.sum())
    )


def score_with_nbtools(truth: np.ndarray, predicted: np.ndarray) -> list[instances.Score]:
    table = instances.find_overlap(truth, predicted)
    return [instances.score_overlap(table, t) for t in THRESHOLDS]


def main() -> None:
    """Print the ratio as JSON."""
    from stardist.matching import matching

    truth, predicted = make_pair(NUCLEI, np.random.default_rng(0))
    matching(truth[:4, :64, :64], predicted[:4, :64, :64])  # compile before the clock runs
    ours_s, ours = time_call(lambda: score_with_nbtools(truth, predicted), repeats=5)
    theirs_s, theirs = time_call(
        lambda: matching(truth, predicted, thresh=THRESHOLDS), repeats=1
    )  # most of a minute
    pairs = list(zip(ours, theirs, strict=True))
    gap = max(
        abs(getattr(a, mine) - getattr(b, word)) for a, b in pairs for mine, word in WORDS.items()
    )
    row = {
        "what": (
            f"score {ours[0].n_true} nuclei in {' x '.join(map(str, SHAPE))} at nine thresholds "
            "/ stardist.matching"
        )
    }
    row |= {
        "ours": ours_s,
        "theirs": theirs_s,
        "ratio": theirs_s / ours_s,
        "unit": "s",
        "goal": "10 times faster",
    }
    print(json.dumps(row | {"largest_difference": gap, "predicted": ours[0].n_pred}))


WORDS = {
    w: w
    for w in (
        "tp",
        "fp",
        "fn",
        "precision",
        "recall",
        "f1",
        "panoptic_quality",
        "mean_matched_score",
    )
} | {"ap": "accuracy"}

if __name__ == "__main__":
    main()
