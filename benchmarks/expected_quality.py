"""Does the agreement of two looks tell how good a result is?

`python benchmarks/expected_quality.py [WEIGHTS]`, with the data sets under $NBTOOLS_DATA. Each
image of the panel is looked at twice; per set, Spearman's rank correlation of agreement and true
mean AP.
Writes results/expected_quality.json. `--ship` also keeps the line through all images of the panel
beside the weights, so that `nbtools expect WEIGHTS IMAGES` uses it;
`--final` looks at the test images of DSB2018, too, and notes it in results/looks.csv.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import panel

from nbtools import io, methods
from nbtools.cli import expect
from nbtools.data import DataSet
from nbtools.inference.expected_quality import draw_line, find_rank_correlation

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE.parent / "data" / "weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="?", default="nuclei2d")
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("--final", action="store_true")
    args = parser.parse_args()
    model = methods.load(args.weights)
    sets = [one for one in panel.SETS if one.kind in panel.kinds_of(args.weights, model)]
    rows = {}
    for one in [*sets, *([panel.FINAL] if args.final else [])]:
        dataset = DataSet.of(list(panel.read(one)), name=one.name)
        rows[one.name], _ = expect.look(model, dataset, truth=True, say=print)
        print(one.name, describe(rows[one.name]), flush=True)
    chosen = [name for name in rows if name != panel.FINAL.name]
    line = draw_line(*np.concatenate([list_values(rows[name]) for name in chosen], axis=1))
    document = {
        "weights": args.weights,
        "sets": {name: describe(some) for name, some in rows.items()},
        "line": dataclasses.asdict(line),
    }
    io.write_json(HERE / "results" / "expected_quality.json", document)
    if args.ship:
        folder = WEIGHTS / args.weights
        kept = dataclasses.asdict(line) | expect.identify(folder, model)
        io.write_json(folder / expect.FILE, kept)
    if args.final:
        note_look(args.weights, describe(rows[panel.FINAL.name]))
    print(json.dumps(document, indent=1))


def note_look(weights: str, found: dict) -> None:
    """Append the look at the test images to the file of looks."""
    about = {"weights": weights, "set": f"{panel.FINAL.name}, agreement"}
    panel.note_look([about | {"mean_ap": found["mean_ap"]}], HERE / "results" / "looks.csv")


def list_values(rows: list[dict]) -> np.ndarray:
    """(2, N) agreements and true mean APs."""
    return np.array([[row[key] for row in rows] for key in ("agreement", "mean_ap")], float)


def describe(rows: list[dict]) -> dict:
    """Number of images with nuclei, rank correlation, and how far the true scores are spread."""
    values = list_values(rows)
    agreements, scores = values[:, np.isfinite(values).all(axis=0)]
    return {
        "images": len(scores),
        "rank_correlation": round(find_rank_correlation(agreements, scores), 3),
        "mean_ap": round(float(scores.mean()), 3),
        "standard_deviation": round(float(scores.std()), 3),
    }


if __name__ == "__main__":
    main()
