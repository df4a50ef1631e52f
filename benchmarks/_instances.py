"""What the benchmarks of segmentation share: a method trained for a fixed budget, scored once on
the test images, and the table of all.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _runs import count_cores, describe_machine, nbtools

KEPT = (
    "pooled",
    "mean_ap",
    "panoptic_quality",
    "splits",
    "merges",
    "missed",
    "extra",
    "interval_95",
)


@dataclass(frozen=True)
class Entry:
    name: str
    minutes: float = 0.0  # budget of the training; 0: nothing to train
    train: str = ""  # the method
    settings: str = ""


def start_row(entry: Entry, *, seed: int) -> dict:
    row = {
        "name": entry.name,
        "budget_minutes": entry.minutes,
        "seed": seed,
        "cores": count_cores(),
    }
    return row | {"date": time.strftime("%Y-%m-%d"), "commands": []}


def train_and_predict(entry: Entry, place: str, *, folder: Path, row: dict) -> float:
    """Train on `place`/train and predict `place`/test into `folder`/result; what that took goes
    into the row.

    Returns the seconds of predicting, reading and writing apart.
    """
    model, memory = entry.name, 0.0
    if entry.train:
        model, words = (
            folder / "model",
            f"{entry.settings} --minutes {entry.minutes:g} --seed {row['seed']}",
        )
        trained = nbtools(f"train {entry.train} {place}/train {words} --out {model}", row)
        row |= {
            "minutes": round(trained["seconds"] / 60, 2),
            "parameters": trained["document"]["parameters"],
        }
        row |= {"steps": trained["document"]["steps"]}
        memory = trained["memory_gb"]
    predicted = nbtools(f"predict {model} {place}/test/images --out {folder}/result", row)
    row |= {
        "memory_gb": max(memory, predicted["memory_gb"]),
        "spacing": predicted["document"]["spacing"],
    }
    return sum(image["seconds"] for image in predicted["document"]["images"])


def finish_row(row: dict, place: str, *, folder: Path, seconds: float) -> dict:
    """The row with the scores of `folder`/result.  seconds : of predicting."""
    scored = nbtools(f"evaluate {folder}/result {place}/test --task instances", row)
    row |= {"seconds_per_megapixel": round(seconds / count_megapixels(place), 3)}
    return row | {k: scored["document"][k] for k in KEPT}


def count_megapixels(place: str) -> float:
    from nbtools.data import DataSet

    test = DataSet.open(Path(os.path.expandvars(place)) / "test")
    return sum(test.image(i).pixels.size for i in range(len(test))) / 1e6


def keep_row(row: dict, path: Path, *, order: Sequence[str], about: dict, head: str) -> None:
    """Write the row among those measured before, by name, as JSON and as a table.

    order : names of all rows.   about : what else the JSON says.   head : of the table.
    """
    before = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    rows = {r["name"]: r for r in before} | {row["name"]: row}
    rows = [rows[name] for name in order if name in rows]
    path.write_text(
        json.dumps(about | {"machine": describe_machine(), "rows": rows}, indent=1) + "\n",
        encoding="utf-8",
    )
    path.with_suffix(".md").write_text(head + "\n" + write_table(rows), encoding="utf-8")
    print(json.dumps(row), flush=True)


def write_table(rows: list[dict]) -> str:
    """The figures a reader looks for; everything else is in the JSON."""
    names = "method", "AP@0.5", "AP@0.75", "mean AP [95 %]", "splits", "merges", "missed", "extra"
    names += "minutes", "cores", "s a megapixel", "memory GB"
    lines = ["| " + " | ".join(names) + " |", "| --- |" + " ---: |" * (len(names) - 1)]
    for r in rows:
        low, high = r["interval_95"]["mean_ap"]
        cells = [
            r["name"],
            f"{r['pooled']['0.50']['ap']:.3f}",
            f"{r['pooled']['0.75']['ap']:.3f}",
            f"{r['mean_ap']:.3f} [{low:.3f}, {high:.3f}]",
        ]
        cells += [str(r[k]) for k in ("splits", "merges", "missed", "extra")]
        cells += [f"{r['minutes']:.1f}" if "minutes" in r else "–", str(r["cores"])]
        cells += [f"{r['seconds_per_megapixel']:.2f}", f"{r['memory_gb']:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
