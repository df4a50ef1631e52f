"""Segmentation in 3D, on simulated volumes whose planes lie farther apart than their pixels:
trained for a fixed budget, scored once.

`python benchmarks/volumes.py [--kind nuclei3d tissue] [--only stardist unet] [--minutes 6]`, about
an hour a kind. Volumes to learn from, to choose thresholds on, and to score are simulated anew,
always the same ones: voxels of 1 x 0.4 x 0.4 µm (`nuclei3d`), and of 1.5 x 0.5 x 0.5 µm in dense
tissue of touching nuclei (`tissue`). Budgets count from the start of the process to a usable model.
Rows are written as they are done to `results/volumes.json` and `results/volumes.md`; rows that are
not asked for stay as they were measured before.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from _instances import Entry, finish_row, keep_row, start_row, train_and_predict
from _runs import nbtools

HERE = Path(__file__).resolve().parent
KINDS = ("tissue", "nuclei3d")
COUNTS = {"train": 12, "val": 3, "test": 8}
SHAPE = "24,96,96"
ENTRIES = (
    Entry("otsu"),
    Entry("fast_nuclei", 6, "fast_nuclei"),
    Entry("unet", 6, "unet"),
    Entry("border_unet", 6, "border_unet"),
    Entry("stardist", 6, "stardist", "--set patch_depth=24"),
    Entry("stardist, 12 minutes", 12, "stardist", "--set patch_depth=24"),
    Entry("flows", 6, "flows"),
    Entry("flows, planes", 6, "flows", "--set views=planes --set patch_size=96"),
    Entry("qcanet", 6, "qcanet"),
    Entry("cdeep3m", 6, "cdeep3m", "--set patch_size=96"),
    Entry("nnunet_planned", 6, "nnunet_planned"),
)
HEAD = """# Every method of volumes on simulated ones

One seed, by `python benchmarks/volumes.py`. Trained on `train`, thresholds chosen on `val`,
scored once on `test`; 95 % intervals over volumes.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS[:1]))
    parser.add_argument("--only", nargs="+", choices=[e.name for e in ENTRIES])
    parser.add_argument(
        "--minutes", type=float, help="another budget, to try whether everything runs"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "volumes.json")
    args = parser.parse_args()
    order = [f"{entry.name}, {kind}" for kind in KINDS for entry in ENTRIES]
    for kind in args.kind:
        with tempfile.TemporaryDirectory() as place:
            made = simulate(kind, place)
            for entry in (e for e in ENTRIES if args.only is None or e.name in args.only):
                row = measure(entry, place, args=args) | {
                    "kind": kind,
                    "name": f"{entry.name}, {kind}",
                }
                row["commands"] = made + row["commands"]
                keep_row(
                    row,
                    args.results,
                    order=order,
                    about={"counts": COUNTS, "shape": SHAPE},
                    head=HEAD,
                )


def simulate(kind: str, place: str) -> list[str]:
    """Write the volumes; returns the commands."""
    row: dict = {"commands": []}
    for seed, (part, count) in enumerate(COUNTS.items()):
        nbtools(
            f"simulate {kind} --count {count} --seed {seed} --set shape_px={SHAPE} --out "
            f"{place}/{part}",
            row,
        )
    return row["commands"]


def measure(entry: Entry, place: str, *, args: argparse.Namespace) -> dict:
    """One row: training, prediction of the test volumes, scores, and what they took."""
    if entry.minutes and args.minutes:
        entry = replace(entry, minutes=args.minutes)
    row = start_row(entry, seed=args.seed)
    with tempfile.TemporaryDirectory() as folder:
        seconds = train_and_predict(entry, place, folder=Path(folder), row=row)
        return finish_row(row, place, folder=Path(folder), seconds=seconds)


if __name__ == "__main__":
    main()
