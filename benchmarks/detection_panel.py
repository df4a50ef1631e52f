"""The panel for detectors: points and boxes on images of many microscopes, beside segmentations.

`python benchmarks/detection_panel.py [WEIGHTS ...] [--sets SET ...]`, with the data sets under
$NBTOOLS_DATA; WEIGHTS are names of shipped ones, `otsu`, or folders of models. No size and no pixel
size is given. Of labels the centres of gravity and the bounding boxes count, of boxes the middles.
F1 of points is measured within 5 px, and within 0.3 of the median diameter of the true nuclei of
each image; AP at IoU 0.5 is that of boxes, in the order of their scores.

Weights are chosen by this panel, and never by `--final`, which looks once at DSB2018's test images
and appends its date, commit and figures to `results/looks.csv`. The sets are those of `panel.py`.
Rows are written to `results/detection_panel.json` and `.md`; those of other weights and sets stay.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import panel
from _runs import describe_machine

from nbtools import methods
from nbtools.data import Sample
from nbtools.geometry import centroids, equivalent_diameters
from nbtools.metrics import boxes, detection
from nbtools.results import Boxes, Labels, Result
from nbtools.targets.boxes import boxes_of_labels
from nbtools.tasks.detection import as_points

HERE = Path(__file__).resolve().parent
SETS = tuple(one for one in panel.SETS if one.kind == "flat")
WEIGHTS = ("nuclei2d", "otsu")
GATE, SHARE = detection.GATE_PX, 0.3  # px; of the median diameter in the image
KEPT = ("f1", "precision", "recall", "tp", "fp", "fn", "count_error")
LOOKS = ("date", "commit", "weights", "set", "ap50", "mean_ap", "f1_5px")
HEAD = """# The panel for detectors

By `python benchmarks/detection_panel.py`: points and boxes on images of many microscopes, no size
given; of labels the centres and the bounding boxes. F1 of points within 5 px, with 95 % intervals
over images, and within 0.3 of the median diameter d of an image; AP of boxes at IoU 0.5.

| set | images | nuclei | weights | F1, 5 px [95 %] | precision | recall | F1, 0.3 d | AP@0.5 |
| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", nargs="*", default=list(WEIGHTS))
    parser.add_argument("--sets", nargs="+", choices=[s.name for s in SETS])
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth image")
    parser.add_argument("--final", action="store_true", help="look once at DSB2018's test images")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args()
    chosen = [s for s in SETS if not args.sets or s.name in args.sets]
    for weights in args.weights:
        for one in [panel.FINAL] if args.final else chosen:
            row = measure(panel.load(weights), one, every=args.every)
            row = {"weights": Path(weights).name, "set": one.name, **row}
            print(json.dumps({k: v for k, v in row.items() if k != "per_image"}), flush=True)
            if args.final:
                note_look(row, args.out / "looks.csv")
            keep(row, args.out / "detection_panel.json")


def look(models: dict[str, str], out: Path = HERE / "results") -> dict[str, dict]:
    """Look once at DSB2018's test images, and note that of the first; a row for each name.

    Parameters
    ----------
    models : name → shipped weights, `otsu`, or folder of a model.
    out : folder of the results.
    """
    rows = {}
    for name, model in models.items():
        about = {"weights": name, "set": panel.FINAL.name}
        rows[name] = about | measure(panel.load(model), panel.FINAL)
        keep(rows[name], out / "detection_panel.json")
    note_look(next(iter(rows.values())), out / "looks.csv")
    return rows


def measure(model: methods.Method, one: panel.PanelSet, *, every: int = 1) -> dict:
    """A row of the panel: what a model finds on the images of a set."""
    samples = list(panel.read(one, every=every))
    predicted = [model.predict(sample.image).result for sample in samples]
    return score(samples, predicted)


def score(samples: list[Sample], found: list[Result]) -> dict:
    """The figures of one set.

    Parameters
    ----------
    samples : with labels.
    found : labels, points or boxes of each.
    """
    within, relative, edges = [], [], []
    for sample, result in zip(samples, found, strict=True):
        label, points = sample.label.to("YX").pixels, as_points(result)
        places, sizes = centroids(label), equivalent_diameters(label)
        size = float(np.median(sizes)) if len(sizes) else 1.0
        within.append((sample.name, places, points.coordinates, points.score))
        relative.append((sample.name, places / size, points.coordinates / size, points.score))
        edges.append((boxes_of_labels(label), *list_boxes(result)))
    scores = detection.evaluate(within, gate=GATE)
    row = {"images": len(samples), "nuclei": scores["tp"] + scores["fn"]}
    row |= {k: scores[k] for k in KEPT} | {"interval_95": scores["interval_95"]["f1"]}
    row |= {"f1_relative": detection.evaluate(relative, gate=SHARE)["f1"]}
    known = all(isinstance(result, Labels | Boxes) for result in found)
    row |= boxes.score_boxes(edges) if known else {"ap50": None, "map50_95": None}
    rows = [{k: r[k] for k in ("name", "f1", "n_true", "n_pred")} for r in scores["per_image"]]
    return row | {"per_image": rows}


def list_boxes(result: Result) -> tuple[np.ndarray, np.ndarray | None]:
    """Boxes and their scores: those found, or those around labels."""
    if isinstance(result, Boxes):
        return result.edges, result.score
    if not isinstance(result, Labels):
        return np.zeros((0, 4)), None
    edges = boxes_of_labels(result.image.pixels)
    if result.score is None:
        return edges, None
    return edges, np.array([result.score[n] for n in sorted(result.score)], float)


def keep(row: dict, path: Path) -> None:
    """Write a row among those measured before, as JSON and as a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    row |= {"date": time.strftime("%Y-%m-%d")}
    before = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    known = {(r["weights"], r["set"]): r for r in [*before, row]}
    sets = [s.name for s in (*panel.SETS, panel.FINAL)]
    rows = sorted(known.values(), key=lambda r: (sets.index(r["set"]), r["weights"]))
    document = {"machine": describe_machine(), "rows": rows}
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    path.with_suffix(".md").write_text(HEAD + write_rows(rows), "utf-8")


def write_rows(rows: list[dict]) -> str:
    """A line for each set and weights."""
    lines = []
    for row in rows:
        f1, limits = f"{row['f1']:.3f}", row["interval_95"]
        f1 += f" [{limits[0]:.3f}, {limits[1]:.3f}]" if limits else ""
        cells = [row["set"], str(row["images"]), str(row["nuclei"]), row["weights"], f1]
        cells += [f"{row[k]:.3f}" for k in ("precision", "recall", "f1_relative")]
        cells.append("–" if row["ap50"] is None else f"{row['ap50']:.3f}")
        lines.append("| " + " | ".join(cells) + " |\n")
    return "".join(lines)


def note_look(row: dict, path: Path) -> None:
    """Append a look at the test images to the file of looks."""
    noted = list(csv.DictReader(path.open(encoding="utf-8"))) if path.is_file() else []
    figures = {"ap50": row["ap50"], "mean_ap": row["map50_95"], "f1_5px": row["f1"]}
    what = "boxes" if row["ap50"] is not None else "points"
    about = {"date": time.strftime("%Y-%m-%d"), "commit": panel.name_commit()}
    about |= {"weights": row["weights"], "set": f"{row['set']} ({what})"}
    told = {k: "" if v is None else f"{v:.3f}" for k, v in figures.items()}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, LOOKS, restval="")
        writer.writeheader()
        writer.writerows([*noted, about | told])


if __name__ == "__main__":
    main()
