"""How often `check` finds labels that do not belong to their image, and how often it is wrong.

On data sets with curated labels (folders in `$NBTOOLS_DATA`), the labels of each image are taken as
they are, turned, and exchanged with those of the next image of the same size. Every finding on
labels as they are is a false alarm. Writes `results/label_placement.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from _runs import describe_machine

from nbtools import config
from nbtools.checks.correspondence import Comparison, Fit
from nbtools.data import DataSet

SETS = (
    "dsb2018_fluorescence/train",
    "dsb2018_fluorescence/val",
    "dsb2018_other/train",
    "dsb2018_other/val",
    "micronuclei_cells/all",
    "u2os_cells/all",
    "intestine_tissue/all",
    "confocal_cells_3d/all",
    "mouse_embryo_3d/all",
)
TURNS = {
    "upside_down": lambda label: label[..., ::-1, :],
    "half_turn": lambda label: label[..., ::-1, ::-1],
    "transposed": lambda label: np.swapaxes(label, -1, -2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=400, help="Images per set.")
    args = parser.parse_args()
    rows = []
    for name in SETS:
        dataset = DataSet.open(Path(config.environment("NBTOOLS_DATA")) / name)
        step = max(1, len(dataset) // args.most)
        rows.append({"set": name, **count_findings(dataset, range(0, len(dataset), step))})
        print(json.dumps(rows[-1]), flush=True)
    document = {"sets": rows, "machine": describe_machine()}
    target = Path(__file__).parent / "results" / "label_placement.json"
    target.write_text(json.dumps(document, indent=1) + "\n")


def count_findings(dataset: DataSet, places: range) -> dict:
    """Images, false alarms, and of each fault: cases, those found, and turns named rightly."""
    counts = {"images": len(places), "false_alarms": 0}
    labels = [dataset[i].label.pixels for i in range(len(dataset))]
    for i in places:
        image, label = dataset.image(i), labels[i]
        counts["false_alarms"] += is_found(Comparison(image, label).fit)
        for name, turn in TURNS.items():
            turned = np.ascontiguousarray(turn(label))
            if turned.shape == label.shape:
                add(counts, name, Comparison(image, turned).fit)
        others = [labels[(i + k) % len(labels)] for k in range(1, len(labels))]
        other = next((o for o in others if o.shape == label.shape), None)
        if other is not None:
            add(counts, "next_image", Comparison(image, other).fit)
    return counts


def add(counts: dict, fault: str, fit: Fit | None) -> None:
    """Count a case of a fault, whether it is found, and whether a turn is named."""
    row = counts.setdefault(fault, {"cases": 0, "found": 0, "turn_named": 0})
    row["cases"] += 1
    row["found"] += is_found(fit)
    row["turn_named"] += fit is not None and fit.turned


def is_found(fit: Fit | None) -> bool:
    """Whether labels are said not to lie on the nuclei."""
    return fit is not None and fit.misplaced


if __name__ == "__main__":
    main()
