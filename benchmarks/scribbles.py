"""What `forest` makes of scribbles on one hundredth of an image's pixels, on each test image of
DSB2018's fluorescence set.

`python benchmarks/scribbles.py [--share 0.01] [--otsu-only]`, with the data sets under
$NBTOOLS_DATA; `--otsu-only` renews the scores of Otsu's threshold and keeps the others. Each image
has scribbles of its own, drawn by `simulate.draw_strokes` from the labels as a person would (short
bent strokes, half on nuclei, half on background, away from the borders), and a forest of its own
with default settings; those were chosen on validation images. Three seeds draw strokes and trees
anew, and the first is done twice: it must give the same. Scored is the IoU of the foreground, with
and without the pixels that were drawn on; beside it that of `otsu`, which needs no
strokes. Written to `results/scribbles.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from _runs import describe_machine

from nbtools import config, data, methods, simulate

SET = "dsb2018_fluorescence/test"
SEEDS = (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--otsu-only", action="store_true", help="keep the other scores")
    args = parser.parse_args()
    images = data.DataSet.open(Path(config.environment("NBTOOLS_DATA")) / SET)
    path = Path(__file__).resolve().parent / "results" / "scribbles.json"
    if args.otsu_only:
        renew_otsu(path, images)
        return
    rows = [measure(sample, share=args.share) for sample in images]
    document = {
        "command": "python benchmarks/scribbles.py",
        "data": f"$NBTOOLS_DATA/{SET}",
        "machine": describe_machine(),
        "images": len(rows),
        "share_drawn": round(float(np.mean([r["share_drawn"] for r in rows])), 5),
        "seeds": [summarise([r["forest"][i] for r in rows]) for i in range(len(SEEDS))],
        "without_drawn_pixels": summarise([r["forest_undrawn"] for r in rows]),
        "otsu": summarise([r["otsu"] for r in rows]),
        "better_than_otsu": sum(r["forest"][0] > r["otsu"] for r in rows),
        "reproducible": all(r["reproducible"] for r in rows),
        "seconds_per_megapixel": summarise([r["seconds_per_megapixel"] for r in rows]),
        "per_image": rows,
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in document.items() if k != "per_image"}, indent=1))


def renew_otsu(path: Path, images: data.DataSet) -> None:
    """Score `otsu` again, and leave the forests as they are."""
    document = json.loads(path.read_text("utf-8"))
    rows = {row["name"]: row for row in document["per_image"]}
    for sample in images:
        rows[sample.name]["otsu"] = measure_otsu(sample)
    rows = list(rows.values())
    document["otsu"] = summarise([r["otsu"] for r in rows])
    document["better_than_otsu"] = sum(r["forest"][0] > r["otsu"] for r in rows)
    document["otsu_date"] = time.strftime("%Y-%m-%d")
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: document[k] for k in ("otsu", "better_than_otsu", "otsu_date")}))


def measure_otsu(sample: data.Sample) -> float:
    """Foreground IoU of `otsu` in one image."""
    found = methods.get("otsu")().predict(sample.image).labels.pixels > 0
    return measure_iou(sample.label.pixels > 0, found)


def measure(sample: data.Sample, *, share: float) -> dict:
    """One image: scribbles, training, prediction, foreground IoU."""
    truth, started = sample.label.pixels > 0, time.perf_counter()
    scribbles, found = zip(
        *(scribble_and_predict(sample, share=share, seed=seed) for seed in SEEDS), strict=True
    )
    seconds = (time.perf_counter() - started) / len(SEEDS)
    _, again = scribble_and_predict(sample, share=share, seed=SEEDS[0])
    undrawn = scribbles[0] < 0
    return {
        "name": sample.name,
        "shape": list(truth.shape),
        "share_drawn": round(float((~undrawn).mean()), 5),
        "strokes_on_nuclei_px": int((scribbles[0] > 0).sum()),
        "forest": [measure_iou(truth, f) for f in found],
        "forest_undrawn": measure_iou(truth[undrawn], found[0][undrawn]),
        "otsu": measure_otsu(sample),
        "reproducible": bool((again == found[0]).all()),
        "seconds_per_megapixel": round(seconds / truth.size * 1e6, 3),
    }


def scribble_and_predict(
    sample: data.Sample, *, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) scribbles, and the foreground that a forest trained on them finds."""
    from nbtools.training import TrainingPlan

    scribbles = simulate.draw_strokes(sample.label, share=share, rng=np.random.default_rng(seed))
    forest = methods.get("forest")()
    forest.fit(data.DataSet.of([sample.replace(label=scribbles)]), plan=TrainingPlan(seed=seed))
    return scribbles.pixels, forest.predict(sample.image).labels.pixels > 0


def measure_iou(truth: np.ndarray, found: np.ndarray) -> float:
    """Shared over covered pixels; 1 where there is nothing and nothing was found."""
    return (
        round(float((truth & found).sum() / max(1, (truth | found).sum())), 4)
        if (truth | found).any()
        else 1.0
    )


def summarise(values: list[float]) -> dict[str, float]:
    return {
        name: round(float(f(values)), 4)
        for name, f in (("median", np.median), ("mean", np.mean), ("lowest", np.min))
    }


if __name__ == "__main__":
    main()
