"""The methods people know, side by side on DSB2018's fluorescence images: trained for a fixed
budget each, scored once on the test images.

`python benchmarks/dsb2018.py [--only unet stardist]`, with the data sets under $NBTOOLS_DATA.
Budgets count from the start of the process to a usable model, thresholds chosen on the validation
images included. `stardist_package` is the stardist package driven by itself: the network, patches,
batch and learning rate that our `stardist` has here, the same images, budget and scoring,
everything else by its own defaults; in `stardist_package_defaults` patches, batch and learning rate
too are its defaults. To spare time they can run side by side, each bound to one core (`taskset -c 0
…`), which their rows say. Rows are written as they are done to `results/dsb2018.json` and
`results/dsb2018.md`; rows that are not asked for stay as they were measured before.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from _instances import Entry, finish_row, keep_row, start_row, train_and_predict
from _runs import spend

HERE = Path(__file__).resolve().parent
SET = "$NBTOOLS_DATA/dsb2018_fluorescence"
SAME_NETWORK = "--set preset=paper --set grid=2 --set patch_size=128 --set batch_size=8"
ENTRIES = (
    Entry("otsu"),
    Entry("unet", 10, "unet"),
    Entry("border_unet", 10, "border_unet"),
    Entry("fast_nuclei", 5, "fast_nuclei"),
    Entry("stardist", 20, "stardist", SAME_NETWORK),
    Entry(
        "stardist_package",
        20,
        "by itself",
        "train_patch_size=[128,128] train_batch_size=8 train_learning_rate=0.001",
    ),
    Entry("stardist_package_defaults", 20, "by itself"),
)
HEAD = """# Five methods and the stardist package on DSB2018, fluorescence

One seed, by `python benchmarks/dsb2018.py`. Trained on `train`, thresholds chosen on `val`,
scored once on `test`; 95 % intervals over images.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[e.name for e in ENTRIES])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for entry in ENTRIES:
        if args.only is None or entry.name in args.only:
            with tempfile.TemporaryDirectory() as folder:
                row = measure(entry, Path(folder), seed=args.seed)
            path, order = HERE / "results" / "dsb2018.json", [e.name for e in ENTRIES]
            keep_row(row, path, order=order, about={"data": SET}, head=HEAD)


def measure(entry: Entry, folder: Path, *, seed: int) -> dict:
    """One row: training, prediction of the test images, scores, and what they took."""
    row = start_row(entry, seed=seed)
    seconds = (
        drive_package(entry, folder, row)
        if entry.train == "by itself"
        else train_and_predict(entry, SET, folder=folder, row=row)
    )
    return finish_row(row, SET, folder=folder, seconds=seconds)


def drive_package(entry: Entry, folder: Path, row: dict) -> float:
    """The stardist package by itself, as `train_and_predict` does it with ours."""
    words = [str(row["seed"]), *entry.settings.split()]
    spent = spend(
        [
            sys.executable,
            str(HERE / "stardist_alone.py"),
            str(entry.minutes),
            str(folder / "result"),
            *words,
        ]
    )
    row["commands"].append(
        f"python benchmarks/stardist_alone.py {entry.minutes:g} result {' '.join(words)}"
    )
    row |= {
        "minutes": spent["document"]["minutes"],
        "parameters": spent["document"]["parameters"],
        "memory_gb": spent["memory_gb"],
    }
    return spent["document"]["seconds"]


if __name__ == "__main__":
    main()
