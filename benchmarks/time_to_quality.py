"""How soon each is as good as StarDist after half an hour: training budgets fixed beforehand, one
run a budget, three seeds.

`python benchmarks/time_to_quality.py [--only fast_nuclei] [--budgets 3 5] [--seeds 0 1 2]`, with
the data sets under $NBTOOLS_DATA. Random first weights; training images only; thresholds and
checkpoints on `val`; `test` is scored once a run and chooses nothing. A budget counts from the
start of the process to a usable model. `stardist_package` is the package by itself with its
defaults (32 rays, grid 2, 256-px patches, batch 4), `stardist_light` the same package as light as
it gets (16 base filters, depth 2, 64 features after the network, 128-px patches, batch 8, a
learning rate of 0.001). All runs of a table are to be made on the same cores.

Rows are written as they are done to `results/time_to_quality.json` and `.md`. A goal is what a side
reaches in its longest budget; the ratio is the minutes of that by the smallest budget of another
side whose median over the seeds is as much in AP at 0.5 and mean AP.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from _instances import Entry, finish_row, start_row, train_and_predict
from _runs import describe_machine
from dsb2018 import SET, drive_package

HERE = Path(__file__).resolve().parent
LIGHT = (
    "unet_n_filter_base=16 unet_n_depth=2 net_conv_after_unet=64 train_patch_size=[128,128] "
    "train_batch_size=8 train_learning_rate=0.001"
)
SIDES = {
    "stardist_package": ((5.0, 10.0, 20.0, 30.0), "by itself", ""),
    "stardist_light": ((3.0, 5.0, 10.0, 20.0), "by itself", LIGHT),
    "fast_nuclei": ((1.0, 1.5, 2.0, 3.0, 5.0, 10.0), "fast_nuclei", ""),
}
GOALS = ("stardist_package", "stardist_light")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument(
        "--budgets", nargs="+", type=float, help="minutes, instead of those of each side"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=HERE / "results" / "time_to_quality.json")
    args = parser.parse_args()
    for seed in args.seeds:
        for name in args.only:
            budgets, train, settings = SIDES[name]
            for minutes in args.budgets or budgets:
                keep(measure(Entry(name, minutes, train, settings), seed=seed), args.results)


def measure(entry: Entry, *, seed: int) -> dict:
    """One row: a training of its own for this budget, the test images predicted and scored once."""
    row = start_row(entry, seed=seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        alone = entry.train == "by itself"
        seconds = (
            drive_package(entry, folder, row)
            if alone
            else train_and_predict(entry, SET, folder=folder, row=row)
        )
        return finish_row(row, SET, folder=folder, seconds=seconds)


def keep(row: dict, path: Path) -> None:
    """Write the row among those measured before, by name, budget and seed, as JSON and as a
    table.
    """
    rows = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    rows = sorted(
        [r for r in rows if key(r) != key(row)] + [row],
        key=lambda r: (list(SIDES).index(r["name"]), *key(r)[1:]),
    )
    about = {"data": SET, "machine": describe_machine(), "goals": find_ratios(rows), "rows": rows}
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(write_table(about), encoding="utf-8")
    print(
        json.dumps({k: row[k] for k in ("name", "budget_minutes", "seed", "mean_ap")}), flush=True
    )


def key(row: dict) -> tuple:
    return row["name"], row["budget_minutes"], row["seed"]


def summarise(rows: list[dict]) -> dict[tuple[str, float], dict]:
    """(name, budget) → the scores of its seeds: {"ap50", "mean_ap"}, each [lowest, median,
    highest], and how many.
    """
    found: dict[tuple, list[dict]] = {}
    for row in rows:
        found.setdefault(key(row)[:2], []).append(row)
    return {
        which: {
            "ap50": spread([r["pooled"]["0.50"]["ap"] for r in some]),
            "mean_ap": spread([r["mean_ap"] for r in some]),
            "seeds": len(some),
        }
        for which, some in found.items()
    }


def spread(values: list[float]) -> list[float]:
    return [min(values), statistics.median(values), max(values)]


def find_ratios(rows: list[dict]) -> dict[str, dict]:
    """Goal → its minutes, and how many times sooner each other side is there; None where no budget
    that was tried is enough.
    """
    scores, found = summarise(rows), {}
    for goal in GOALS:
        if not (
            longest := max((minutes for name, minutes in scores if name == goal), default=None)
        ):
            continue
        wanted = scores[goal, longest]
        reached: dict[str, float | None] = {name: None for name, _ in scores if name != goal}
        for (name, minutes), score in sorted(scores.items(), reverse=True):
            if name != goal and all(score[k][1] >= wanted[k][1] for k in ("ap50", "mean_ap")):
                reached[name] = longest / minutes
        found[goal] = {"minutes": longest, "times_sooner": reached}
    return found


def write_table(about: dict) -> str:
    """A row a side and budget; everything else is in the JSON."""
    lines = [
        "# Time to quality on DSB2018, fluorescence",
        "",
        "By `python benchmarks/time_to_quality.py`; median [range] over seeds.",
        "",
    ]
    lines += ["| trained | minutes | cores | AP@0.5 | mean AP | seeds |", "| --- |" + " ---: |" * 5]
    cores = {key(r)[:2]: r["cores"] for r in about["rows"]}
    for (name, minutes), score in summarise(about["rows"]).items():
        cells = [
            f"{middle:.3f} [{low:.3f}, {high:.3f}]"
            for low, middle, high in (score["ap50"], score["mean_ap"])
        ]
        lines.append(
            f"| {name} | {minutes:g} | {cores[name, minutes]} | {' | '.join(cells)} | "
            f"{score['seeds']} |"
        )
    for goal, found in about["goals"].items():
        for name, ratio in found["times_sooner"].items():
            told = (
                f"{ratio:.1f} times sooner" if ratio else "not within the budgets that were tried"
            )
            lines += [
                "",
                f"`{name}` reaches what `{goal}` reaches in {found['minutes']:g} minutes: {told}.",
            ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
