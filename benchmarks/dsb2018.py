"""The methods people know, side by side on DSB2018's fluorescence images: trained for a fixed budget each, scored once on the test images.

`python benchmarks/dsb2018.py [--only unet stardist]`, with the data sets under $NBTOOLS_DATA. Budgets count from the start of the process
to a usable model, thresholds chosen on the validation images included. `stardist_package` is the stardist package driven by itself, with
the network, patches and batch that our `stardist` has here; the same images, the same budget, the same scoring. Rows are written as they
are done to `results/dsb2018.json` and `results/dsb2018.md`; rows that are not asked for stay as they were measured before.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from _runs import describe_machine, nbtools, spend

HERE = Path(__file__).resolve().parent
SET = "$NBTOOLS_DATA/dsb2018_fluorescence"
LIKE_THE_PACKAGE = "--set preset=paper --set grid=2 --set patch_size=256 --set batch_size=4"
KEPT = ("pooled", "mean_ap", "panoptic_quality", "splits", "merges", "missed", "extra", "interval_95")


@dataclass(frozen=True)
class Entry:
    name: str
    minutes: float = 0.0  # budget of the training; 0: nothing to train
    train: str = ""  # the method
    settings: str = ""


ENTRIES = (
    Entry("otsu"),
    Entry("unet", 10, "unet"),
    Entry("border_unet", 10, "border_unet"),
    Entry("fast_nuclei", 5, "fast_nuclei"),
    Entry("stardist", 20, "stardist", LIKE_THE_PACKAGE),
    Entry("stardist_package", 20, "by itself"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[e.name for e in ENTRIES])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for entry in ENTRIES:
        if args.only is None or entry.name in args.only:
            with tempfile.TemporaryDirectory() as folder:
                keep(measure(entry, Path(folder), seed=args.seed))


def measure(entry: Entry, folder: Path, *, seed: int) -> dict:
    """One row: training, prediction of the test images, scores, and what they took."""
    row = {"name": entry.name, "budget_minutes": entry.minutes, "seed": seed, "date": time.strftime("%Y-%m-%d"), "commands": []}
    if entry.name == "stardist_package":
        spent = spend([sys.executable, str(HERE / "stardist_alone.py"), str(entry.minutes), str(folder / "result"), str(seed)])
        predicted, row["commands"] = spent["document"], [f"python benchmarks/stardist_alone.py {entry.minutes:g} result {seed}"]
        row |= {"minutes": spent["document"]["minutes"], "parameters": spent["document"]["parameters"], "memory_gb": spent["memory_gb"]}
    else:
        predicted = train_and_predict(entry, folder, row=row, seed=seed)
    scored = nbtools(f"evaluate {folder}/result {SET}/test --task instances", row)
    row |= {"seconds_per_megapixel": round(predicted["seconds"] / count_megapixels(), 3)}
    return row | {k: scored["document"][k] for k in KEPT}


def train_and_predict(entry: Entry, folder: Path, *, row: dict, seed: int) -> dict:
    """{"seconds"} of predicting the test images, reading and writing apart; training and memory go into the row."""
    model, memory = entry.name, 0.0
    if entry.train:
        model, words = folder / "model", f"{entry.settings} --minutes {entry.minutes:g} --seed {seed}"
        trained = nbtools(f"train {entry.train} {SET}/train {words} --out {model}", row)
        row |= {"minutes": round(trained["seconds"] / 60, 2), "parameters": trained["document"]["parameters"]}
        row |= {"steps": trained["document"]["steps"]}
        memory = trained["memory_gb"]
    predicted = nbtools(f"predict {model} {SET}/test/images --out {folder}/result", row)
    row["memory_gb"] = max(memory, predicted["memory_gb"])
    return {"seconds": sum(image["seconds"] for image in predicted["document"]["images"])}


def count_megapixels() -> float:
    from nbtools.data import DataSet

    test = DataSet.open(Path(os.path.expandvars(SET)) / "test")
    return sum(test.image(i).pixels.size for i in range(len(test))) / 1e6


def keep(row: dict) -> None:
    """Write the row among those measured before, in the order of ENTRIES, as JSON and as a table."""
    path = HERE / "results" / "dsb2018.json"
    rows = {r["name"]: r for r in (json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else [])} | {row["name"]: row}
    rows = [rows[e.name] for e in ENTRIES if e.name in rows]
    path.write_text(json.dumps({"data": SET, "machine": describe_machine(), "rows": rows}, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(write_table(rows), encoding="utf-8")
    print(json.dumps(row), flush=True)


def write_table(rows: list[dict]) -> str:
    """The figures a reader looks for; everything else is in the JSON."""
    names = "method", "AP@0.5", "AP@0.75", "mean AP [95 %]", "splits", "merges", "missed", "extra", "minutes", "s a megapixel", "memory GB"
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
        cells += [f"{r['minutes']:.1f}" if "minutes" in r else "–", f"{r['seconds_per_megapixel']:.2f}", f"{r['memory_gb']:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    head = "# Five methods and the stardist package on DSB2018, fluorescence\n\nTwo cores, one seed, by `python benchmarks/dsb2018.py`. "
    return (
        head
        + "Trained on `train`, thresholds chosen on `val`, scored once on `test`; 95 % intervals over images.\n\n"
        + "\n".join(lines)
        + "\n"
    )


if __name__ == "__main__":
    main()
