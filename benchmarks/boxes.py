"""Boxes: detectors trained for a fixed time on blood cells, and on nuclei.

`python benchmarks/boxes.py NAME … [--minutes 30] [--seed 0]`, with the data sets under
$NBTOOLS_DATA. Blood cells (BCCD: 364 smears, red and white cells and platelets, Pascal VOC boxes
with known gaps) are used at half their resolution; test images are those whose sha256 of the stem
is 0 modulo 5, every tenth of the others is for validation. The test images are looked at once a
run. `NAME/nuclei` trains on the fluorescence images of DSB2018 instead and scores the validation
images, beside the boxes of the labels that `nuclei2d` finds there. Of `faster_rcnn` the boxes of
its first stage are scored, too.
Writes `results/boxes.json`, a row per run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from _runs import count_cores, describe_machine, nbtools

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "boxes.json"
BLOOD, NUCLEI = "$NBTOOLS_DATA/blood_cells/all", "$NBTOOLS_DATA/dsb2018_fluorescence"
LEAST = 0.02  # score from which boxes enter the precision-recall curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", help="METHOD, or METHOD/nuclei")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], help="settings of the training")
    parser.add_argument("--keep", type=Path, help="folder that keeps data and models")
    args = parser.parse_args()
    for name in args.names:
        with tempfile.TemporaryDirectory() as folder:
            keep_row(run(name, args, args.keep or Path(folder)))


def run(name: str, args: argparse.Namespace, folder: Path) -> dict:
    """Train, predict and score; the row of the results."""
    method, _, what = name.partition("/")
    place = folder / (what or "blood")
    if not place.is_dir():
        (write_nuclei if what else write_blood)(place)
    row = {"name": name, "budget_minutes": args.minutes, "seed": args.seed, "commands": []}
    row |= {"cores": count_cores(), "date": time.strftime("%Y-%m-%d"), "settings": args.set}
    model, words = folder / f"{method}_{place.name}", " ".join(args.set)
    words = f"--set {words}" if words else ""
    trained = nbtools(
        f"train {method} {place}/train --val {place}/val --minutes {args.minutes:g} "
        f"--seed {args.seed} {words} --out {model}",
        row,
    )
    row |= {"minutes": round(trained["seconds"] / 60, 2), "memory_gb": trained["memory_gb"]}
    row |= {k: trained["document"][k] for k in ("steps", "parameters", "best")}
    tested = "val" if what else "test"
    row |= {"images": tested} | score_model(model, place / tested)
    if what:
        row["nuclei2d"] = score_labels(place / tested)
    return row


def write_blood(place: Path) -> None:
    """The blood cells at half their resolution, in three parts."""
    from nbtools import data

    parts = {"train": [], "val": [], "test": []}
    for sample in open_set(BLOOD):
        number = int(hashlib.sha256(sample.name.encode()).hexdigest(), 16)
        part = "test" if number % 5 == 0 else ("val" if number // 5 % 10 == 0 else "train")
        parts[part].append(halve(sample))
    for part, samples in parts.items():
        data.write_dataset(data.DataSet.of(samples), place / part)


def open_set(place: str) -> object:
    from nbtools.data import DataSet

    return DataSet.open(Path(os.path.expandvars(place)))


def halve(sample: object) -> object:
    """A sample at half its resolution, with its boxes clipped to the image."""
    pixels = sample.image.to("YXC").pixels.astype(float)
    height, width = (n // 2 for n in pixels.shape[:2])
    blocks = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    image = sample.image.to("YXC").replace(pixels=blocks.mean(axis=(1, 3)).round().astype(np.uint8))
    edges = np.clip(sample.boxes / 2, 0, [height, width, height, width])
    whole = (edges[:, 2:] - edges[:, :2] > 1).all(axis=1)
    named = tuple(n for n, w in zip(sample.box_classes, whole, strict=True) if w)
    return sample.replace(image=image, boxes=edges[whole], box_classes=named)


def write_nuclei(place: Path) -> None:
    """DSB2018 with the boxes of its labels in place of these."""
    from nbtools import data
    from nbtools.training.examples import boxes_of_labels

    for part in ("train", "val"):
        samples = []
        for sample in open_set(f"{NUCLEI}/{part}"):
            edges = boxes_of_labels(sample.label.to(sample.label.spatial).pixels)
            samples.append(sample.replace(label=None, boxes=edges))
        data.write_dataset(data.DataSet.of(samples), place / part)


def score_model(model: Path, place: Path) -> dict:
    """AP of all boxes, and what the tuned threshold gives."""
    from nbtools import methods

    method, samples = methods.load(model), list(open_set(str(place)))
    values, started = method.decoding_values(), time.perf_counter()
    method.settings = method.settings.replace(threshold=LEAST)
    found = [method.predict(s.image).boxes for s in samples]
    seconds = time.perf_counter() - started
    # a box that is dropped for a better one is so at any threshold
    kept = sum(int((f.score >= values["threshold"]).sum()) for f in found)
    scores = {"decoding": values, "seconds_per_image": round(seconds / len(samples), 3)}
    scores |= rate(samples, found) | {"boxes": sum(len(s.boxes) for s in samples)}
    scores["found_at_tuned_threshold"] = kept
    target = method.target()
    if hasattr(target, "propose"):  # two stages
        raws = [method.predict(s.image, raw=True).raw for s in samples]
        alone = [target.decode(raw, threshold=LEAST, overlap=0.5) for raw in raws]
        scores["first_stage"] = rate_boxes(samples, alone)
    return scores


def rate(samples: list, found: list) -> dict:
    """AP at IoU 0.5 by class, its mean over the classes, and that of all boxes as one class."""
    named = sorted({name for s in samples for name in s.box_classes})
    by_class = {}
    for name in named:
        pairs = [
            (*_of_class(s.boxes, s.box_classes, name), *_found(f, name))
            for s, f in zip(samples, found, strict=True)
        ]
        by_class[name] = round(measure(pairs), 4)
    scores = rate_boxes(samples, found)
    if by_class:
        scores |= {"ap50_by_class": by_class}
        scores |= {"mean_ap50": round(float(np.mean(list(by_class.values()))), 4)}
    return scores


def _of_class(edges: np.ndarray, classes: tuple, name: str) -> tuple:
    return (edges[np.array(classes) == name] if len(edges) else edges,)


def _found(found: object, name: str) -> tuple:
    chosen = np.array(found.classes) == name if len(found) else np.zeros(0, bool)
    return found.edges[chosen], found.score[chosen]


def measure(pairs: list) -> float:
    from nbtools.metrics import boxes

    return boxes.measure_ap(pairs)


def rate_boxes(samples: list, found: list) -> dict:
    from nbtools.metrics import boxes

    scores = boxes.score_boxes(
        [(s.boxes, f.edges, f.score) for s, f in zip(samples, found, strict=True)]
    )
    return {f"{k}_as_one_class": round(v, 4) for k, v in scores.items()}


def score_labels(place: Path) -> dict:
    """AP of the boxes of the labels that `nuclei2d` finds."""
    from nbtools import methods
    from nbtools.results import Boxes, Grid
    from nbtools.training.examples import boxes_of_labels

    method, samples, found = methods.load("nuclei2d"), list(open_set(str(place))), []
    for sample in samples:
        labels = method.predict(sample.image).result
        score = np.array([labels.score[n] for n in sorted(labels.score)])
        edges = boxes_of_labels(labels.image.pixels)
        found.append(Boxes(edges, Grid.of(sample.image), score))
    return rate_boxes(samples, found)


def keep_row(row: dict) -> None:
    """Write the row among those measured before."""
    before = json.loads(RESULTS.read_text("utf-8"))["rows"] if RESULTS.is_file() else []
    rows = {r["name"]: r for r in before} | {row["name"]: row}
    document = {"machine": describe_machine(), "rows": [rows[name] for name in sorted(rows)]}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
