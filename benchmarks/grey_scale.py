"""Shipped weights with the robust grey scale and with percentiles of the image, on real fields.

`python benchmarks/grey_scale.py [--only nuclei2d]`, with the data sets under $NBTOOLS_DATA; some
20 minutes. An image that both scales bring to the same values is predicted once. No test set is
looked at. Writes `results/grey_scale.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _runs import describe_machine

from nbtools import config, methods, normalize
from nbtools.data import DataSet, Sample
from nbtools.image import Image
from nbtools.methods import Method
from nbtools.metrics import instances

HERE = Path(__file__).resolve().parent
FLAT = (
    *("dsb2018_fluorescence/val", "micronuclei_cells/all", "u2os_cells/all"),
    "intestine_tissue/all",
)
PANEL = {
    "nuclei2d_small": FLAT,
    "nuclei2d_flows": FLAT,
    "nuclei3d": ("confocal_cells_3d/all", "mouse_embryo_3d/all"),
}
SCALES = {"percentiles": normalize.PERCENTILES, "robust": normalize.ROBUST}


@dataclass
class Pair:
    """What a model finds in one image with either scale."""

    sample: Sample
    found: dict[str, Image]
    same: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PANEL))
    path = HERE / "results" / "grey_scale.json"
    args = parser.parse_args()
    for weights in args.only or PANEL:
        model = methods.load(weights)
        for name in PANEL[weights]:
            keep({"weights": weights, "set": name} | measure(model, name), path)


def measure(model: Method, name: str) -> dict:
    """Scores with either scale, and how many images are not the same for both."""
    dataset = DataSet.open(Path(config.environment("NBTOOLS_DATA", ".")) / name)
    pairs = [predict(model, dataset[i]) for i in range(len(dataset))]
    row = {"images": len(pairs), "changed": [p.sample.name for p in pairs if not p.same]}
    for scale in SCALES:
        scores = instances.evaluate(
            [(p.sample.name, p.sample.label, p.found[scale]) for p in pairs]
        )
        half = scores["pooled"]["0.50"]
        row[scale] = {"ap50": half["ap"], "mean_ap": scores["mean_ap"]}
        row[scale] |= {key: half[key] for key in ("tp", "fp", "fn")}
    return row


def predict(model: Method, sample: Sample) -> Pair:
    found, scaled = {}, {}
    image = model.check_image(sample.image)
    pixels = image.select(T=0).to(model.domain.axes + "C").pixels
    for name, scale in SCALES.items():
        grey, map_of = scale.prepare(pixels)
        scaled[name] = map_of.apply(grey)
    same = np.array_equal(*scaled.values())
    for name, scale in SCALES.items():
        model.normalization = scale
        found[name] = found["percentiles"] if same and found else model.predict(image).labels
    return Pair(sample, found, same)


def keep(row: dict, path: Path) -> None:
    """Write the row among those measured before, as JSON and as a table."""
    before = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    rows = {(r["weights"], r["set"]): r for r in [*before, row]}
    rows = [rows[key] for w, sets in PANEL.items() for key in ((w, s) for s in sets) if key in rows]
    about = {"date": time.strftime("%Y-%m-%d"), "machine": describe_machine(), "rows": rows}
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(write_table(rows), encoding="utf-8")
    print(json.dumps(row), flush=True)


def write_table(rows: list[dict]) -> str:
    """A row per weights and data set: AP at 0.5 and mean AP, percentiles → robust."""
    lines = [
        "# The robust grey scale on real fields",
        "",
        "By `python benchmarks/grey_scale.py`; percentiles 1 and 99.8 of the image → the robust "
        "scale. Changed: images whose scaled values are not the same.",
        "",
        "| weights | data set | images | changed | AP@0.5 | mean AP |",
        "| --- | --- |" + " ---: |" * 4,
    ]
    for r in rows:
        old, new = r["percentiles"], r["robust"]
        scores = (f"{old[k]:.3f} → {new[k]:.3f}" for k in ("ap50", "mean_ap"))
        lines.append(
            f"| {r['weights']} | {r['set'].split('/')[0]} | {r['images']} | {len(r['changed'])} | "
            + " | ".join(scores)
            + " |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
