"""Scoring labels: ten thousand nuclei in a volume at nine thresholds, nbtools beside stardist.matching in one run.

    python benchmarks/score_labels.py [--nuclei 10000] [--repeats 3]

Prints JSON: median seconds of both sides, their ratio, and the largest difference of any score.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from nbtools.metrics import instances

THRESHOLDS = [round(0.5 + 0.05 * i, 2) for i in range(9)]
SHAPE = (64, 512, 512)


def paint_balls(centres: np.ndarray, radii: np.ndarray, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Label image of balls, painted one after the other; centres (N, 3) and radii (N,) in pixels."""
    label = np.zeros(shape, np.int32)
    for name, (centre, radius) in enumerate(zip(centres, radii, strict=True), start=1):
        low = np.maximum(np.floor(centre - radius), 0).astype(int)
        high = np.minimum(np.ceil(centre + radius) + 1, shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grid = np.ogrid[box]
        label[box][sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2] = name
    return label


def make_pair(nuclei: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True labels on a jittered lattice, and a prediction that shifts, resizes, loses and invents some."""
    step = (np.prod(SHAPE) / nuclei) ** (1 / 3)
    axes = [np.linspace(step / 2, n - step / 2, max(int(np.ceil(n / step)), 1)) for n in SHAPE]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    centres = centres + rng.uniform(-0.15, 0.15, centres.shape) * step
    radii = rng.uniform(0.35, 0.5, len(centres)) * step
    kept = rng.random(len(centres)) > 0.05
    moved = centres[kept] + rng.normal(0, 0.08 * step, (kept.sum(), 3))
    return paint_balls(centres, radii), paint_balls(moved, radii[kept] * rng.uniform(0.85, 1.15, kept.sum()))


def time_call(call: Callable, repeats: int) -> tuple[float, object]:
    """Median seconds of some calls, and the last answer."""
    seconds, answer = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), answer


def score_with_nbtools(truth: np.ndarray, predicted: np.ndarray) -> list[instances.Score]:
    table = instances.find_overlap(truth, predicted)
    return [instances.score_overlap(table, t) for t in THRESHOLDS]


def main() -> None:
    from stardist.matching import matching

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nuclei", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    truth, predicted = make_pair(options.nuclei, np.random.default_rng(0))
    matching(truth[:4, :64, :64], predicted[:4, :64, :64])  # compile before the clock runs
    ours_s, ours = time_call(lambda: score_with_nbtools(truth, predicted), options.repeats)
    theirs_s, theirs = time_call(lambda: matching(truth, predicted, thresh=THRESHOLDS), 1)
    pairs = list(zip(ours, theirs, strict=True))
    gap = max(abs(getattr(a, ours_word) - getattr(b, word)) for a, b in pairs for ours_word, word in WORDS.items())
    answer = {"shape": SHAPE, "true_nuclei": ours[0].n_true, "predicted_nuclei": ours[0].n_pred, "thresholds": len(THRESHOLDS)}
    answer |= {"nbtools_s": ours_s, "stardist_s": theirs_s, "ratio": theirs_s / ours_s, "largest_difference": gap}
    print(json.dumps(answer, indent=1))


WORDS = {w: w for w in ("tp", "fp", "fn", "precision", "recall", "f1", "panoptic_quality", "mean_matched_score")} | {"ap": "accuracy"}

if __name__ == "__main__":
    main()
