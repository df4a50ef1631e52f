"""Correct where the model is worst, or label at random? The active loop, simulated with known truth
as the annotator.

`python benchmarks/active_loop.py`, with the data sets under $NBTOOLS_DATA. Pool: 24 training images
of DSB2018's fluorescence set, drawn anew for each seed; judged by 40 images of `val`; of each the
middle 96 x 96 pixels, where nuclei are. Both ways begin with the same 5 labelled nuclei of one
image. In each of 5 rounds a `forest` of 30 trees is trained, and 5 nuclei more are labelled:

- *worst*: the most wrong nucleus of each of the five images of which the model itself expects
    least. It is not told the truth: from its probabilities p follows the IoU that it expects of its
    own foreground, sum of p inside over pixels inside plus sum of p outside. Images that have
    labels already come last.
- *random*: of all nuclei in the pool that have no label yet.

A label is a nucleus and the background within 6 px of it; what lies further, and other nuclei, stay
unknown (-1). Written to `results/active_loop.json`: mean foreground IoU of the judged images after
each round; and how many labels, and minutes of a person, each way needs for the IoU that random
choice has at the end. An outline is taken to cost OUTLINE seconds, and each image that is opened in
a round OPENING seconds more: assumptions, not measurements, so labels are the figure to quote.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _runs import describe_machine
from scipy import ndimage

from nbtools import config, data, methods, normalize
from nbtools.methods import decision_trees, pixel_features
from nbtools.metrics import semantic

POOL, SIDE, ROUNDS, BATCH, RIM, JUDGES, TREES = 24, 96, 5, 5, 6, 40, 30
OUTLINE, OPENING = 30.0, 10.0  # seconds of a person
WAYS = ("worst", "random")
Labelled = dict[int, set[int]]  # image of the pool → its labelled nuclei


@dataclass(frozen=True, eq=False)
class Piece:
    """The middle of an image: its labels (H, W), and what the forest sees of it (F, H, W)."""

    name: str
    label: np.ndarray
    features: np.ndarray

    @property
    def nuclei(self) -> list[int]:
        return np.unique(self.label[self.label > 0]).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    folder = Path(config.environment("NBTOOLS_DATA")) / "dsb2018_fluorescence"
    train, held_back = data.DataSet.open(folder / "train"), data.DataSet.open(folder / "val")
    judge = cut_pieces(held_back, range(len(held_back)), most=JUDGES)
    seeds = []
    for seed in range(args.seeds):
        seeds.append(run_seed(train, judge, seed=seed))
        write(seeds, judge)


def write(seeds: list[dict], judge: list[Piece]) -> None:
    """The figures so far."""
    document = {
        "command": "python benchmarks/active_loop.py",
        "data": "$NBTOOLS_DATA/dsb2018_fluorescence/train, val",
        "machine": describe_machine(),
        "judged_images": len(judge),
        "labels": [BATCH * (i + 1) for i in range(ROUNDS + 1)],
        "mean_iou": {way: average([s[way]["iou"] for s in seeds]) for way in WAYS},
        "seconds": {"outline": OUTLINE, "opening": OPENING},
        "needed_for_the_last_iou_of_random": [compare_needs(s) for s in seeds],
        "seeds": seeds,
    }
    print(json.dumps(document, indent=1))
    path = Path(__file__).resolve().parent / "results" / "active_loop.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def compare_needs(seed: dict) -> dict:
    """Labels and minutes of each way until it first has the IoU that random choice has at the end.

    Parameters
    ----------
    seed : as of `run_seed`.
    """
    wanted = seed["random"]["iou"][-1]
    needs = {"seed": seed["seed"], "iou": wanted}
    for way in WAYS:
        found = seed[way]
        for name in ("labels", "minutes"):
            needs[f"{way}_{name}"] = find_crossing(found[name], found["iou"], wanted)
    for name in ("labels", "minutes"):
        if needs[f"worst_{name}"] is not None:
            saved = 1 - needs[f"worst_{name}"] / needs[f"random_{name}"]
            needs[f"fewer_{name}"] = round(saved, 3)
    return needs


def find_crossing(costs: list[float], scores: list[float], wanted: float) -> float | None:
    """The cost at which a score is first reached, on straight lines between; None if it is not."""
    for i, score in enumerate(scores):
        if score >= wanted and i == 0:
            return costs[0]
        if score >= wanted:
            share = (wanted - scores[i - 1]) / (score - scores[i - 1])
            return round(costs[i - 1] + share * (costs[i] - costs[i - 1]), 2)
    return None


def cut_pieces(images: data.DataSet, order: range | np.ndarray, *, most: int) -> list[Piece]:
    """The first pieces with a nucleus in them."""
    pieces, scales = [], methods.get("forest")().settings.scales
    for i in order:
        sample = images[int(i)]
        place = tuple(
            slice(max(0, (n - SIDE) // 2), max(0, (n - SIDE) // 2) + SIDE)
            for n in sample.label.shape
        )
        pixels, label = (
            sample.image.select(C=0).to("YXC").pixels[place],
            sample.label.pixels[place].astype(np.int32),
        )
        if label.any():
            scaled = normalize.by_percentiles(pixels).apply(pixels)
            features = pixel_features.compute_features(scaled, scales)
            pieces.append(Piece(sample.name, label, features))
        if len(pieces) == most:
            break
    return pieces


def run_seed(train: data.DataSet, judge: list[Piece], *, seed: int) -> dict:
    """Both ways from one start: scores after each round."""
    rng = np.random.default_rng(seed)
    pool = cut_pieces(train, rng.permutation(len(train)), most=POOL)
    first = next(i for i, piece in enumerate(pool) if len(piece.nuclei) >= BATCH)
    start = {first: set(rng.choice(pool[first].nuclei, BATCH, replace=False).tolist())}
    found = {"seed": seed}
    for way, choose in (("worst", choose_worst), ("random", choose_random)):
        labelled, rng, scores = (
            {i: set(names) for i, names in start.items()},
            np.random.default_rng([seed, 1]),
            [],
        )
        labels, minutes, before = [], [], {}
        for round_ in range(ROUNDS + 1):
            trees = train_trees(pool, labelled, seed=seed)
            maps = predict(trees, judge)
            scores.append(measure_iou(maps, judge))
            labels.append(sum(map(len, labelled.values())))
            minutes.append(round((minutes or [0.0])[-1] + spend_minutes(before, labelled), 2))
            print(seed, way, labels[-1], minutes[-1], scores[-1], flush=True)
            before = {i: set(names) for i, names in labelled.items()}
            if round_ < ROUNDS:
                choose(trees, pool, labelled=labelled, rng=rng)
        found[way] = {"iou": scores, "labels": labels, "minutes": minutes}
        found[way]["images"] = len(labelled)
    return found


def spend_minutes(before: Labelled, after: Labelled) -> float:
    """Minutes of a person between two states of the labels."""
    new = {i: len(names - before.get(i, set())) for i, names in after.items()}
    opened = sum(count > 0 for count in new.values())
    return (OUTLINE * sum(new.values()) + OPENING * opened) / 60


def train_trees(pool: list[Piece], labelled: Labelled, *, seed: int) -> decision_trees.Trees:
    """As `forest` does, from the pixels of the labelled nuclei and of their rims."""
    features, nucleus, settings = [], [], methods.get("forest")().settings
    for i, names in labelled.items():
        marked = mark(pool[i].label, names)
        features.append(pool[i].features[:, marked >= 0].T)
        nucleus.append(marked[marked >= 0] > 0)
    about = {"trees": TREES, "leaf": settings.leaf, "balanced": True, "seed": seed}
    return decision_trees.grow(np.concatenate(features), np.concatenate(nucleus), **about)


def mark(label: np.ndarray, names: set[int]) -> np.ndarray:
    """(H, W) the nuclei of these names, background around them, and -1 elsewhere."""
    known = np.isin(label, list(names))
    near = ndimage.distance_transform_edt(~known) <= RIM
    return np.where(known, label, np.where(near & (label == 0), 0, -1))


def predict(trees: decision_trees.Trees, pieces: list[Piece]) -> list[np.ndarray]:
    """(H, W) probability of a nucleus in each piece, smoothed as `forest` does."""
    told = trees.ask(
        np.concatenate([p.features.reshape(len(p.features), -1) for p in pieces], axis=1)
    )
    parts = np.split(told, np.cumsum([p.label.size for p in pieces])[:-1])
    return [
        ndimage.gaussian_filter(part.reshape(p.label.shape), 1.0)
        for part, p in zip(parts, pieces, strict=True)
    ]


def choose_worst(
    trees: decision_trees.Trees, pool: list[Piece], *, labelled: Labelled, rng: np.random.Generator
) -> None:
    """Label the most wrong nucleus of each of the images that the model expects to do worst in."""
    maps = predict(trees, pool)
    order = sorted(range(len(pool)), key=lambda i: (i in labelled, expect_iou(maps[i])))
    for i in order[:BATCH]:
        free = [name for name in pool[i].nuclei if name not in labelled.get(i, ())] or pool[
            i
        ].nuclei
        missed = ndimage.mean(
            maps[i] <= 0.5, pool[i].label, free
        )  # share of each nucleus that was not found
        labelled.setdefault(i, set()).add(free[int(np.argmax(missed))])


def choose_random(
    trees: decision_trees.Trees, pool: list[Piece], *, labelled: Labelled, rng: np.random.Generator
) -> None:
    """Label any nuclei of the pool."""
    free = [
        (i, name)
        for i, piece in enumerate(pool)
        for name in piece.nuclei
        if name not in labelled.get(i, ())
    ]
    for k in rng.choice(len(free), BATCH, replace=False):
        labelled.setdefault(free[k][0], set()).add(free[k][1])


def expect_iou(probability: np.ndarray) -> float:
    """IoU of the foreground above 0.5 with the truth, as far as the probabilities are right."""
    inside = probability > 0.5
    return float(probability[inside].sum() / max(1e-9, inside.sum() + probability[~inside].sum()))


def measure_iou(maps: list[np.ndarray], judge: list[Piece]) -> float:
    """Mean over the images of the foreground IoU, each counted alike."""
    threshold = methods.get("forest")().tunable()["threshold"]
    pairs = [
        (p.name, p.label, (m > threshold).astype(np.uint8))
        for p, m in zip(judge, maps, strict=True)
    ]
    return round(float(np.mean([row["iou"] for row in semantic.evaluate(pairs)["per_image"]])), 4)


def average(rows: list) -> list[float] | float:
    return np.mean(rows, axis=0).round(4).tolist()


if __name__ == "__main__":
    main()
