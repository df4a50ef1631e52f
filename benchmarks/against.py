"""Compare the speed of two versions of nbtools: `against.py BASE`, the folder of another clone.

Runs the benchmarks of both by turns, and prints for each the ratio of times, this clone to BASE,
with a 95 % interval (t interval of the logarithms of the ratios of each pair of runs). Benchmarks
run with the code of their own clone, `bench_step.py` is this clone's for both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy import stats

HERE = Path(__file__).resolve().parents[1]
BENCHMARKS = ("step", "predict", "import", "first_picture", "tiled")
LIMIT = 1.05  # an interval wholly above it means: slower


def main() -> int:
    """Print the ratios as JSON; 1 if something is slower."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path, help="folder of the other clone")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS)
    parser.add_argument("--cases", nargs="+", default=[], help="of bench_step, as unet_2D_tiny")
    parser.add_argument("--runs", type=int, default=7, help="alternating runs per side")
    args = parser.parse_args()
    sides = {"here": HERE, "base": args.base.resolve()}
    seconds = {name: [] for name in sides}
    for run in range(args.runs):
        for name in sorted(sides, reverse=bool(run % 2)):
            print(f"run {run + 1}, {name}: {sides[name]}", file=sys.stderr, flush=True)
            seconds[name].append(time_all(sides[name], args.only, cases=args.cases))
    ratios = {what: compare(seconds, what) for what in seconds["here"][0]}
    slower = [k for k, r in ratios.items() if r["interval_95"] and r["interval_95"][0] > LIMIT]
    print(json.dumps({"runs": args.runs, "slower": slower, "ratios": ratios}, indent=1))
    return 1 if slower else 0


def time_all(clone: Path, benchmarks: list[str], *, cases: list[str]) -> dict[str, float]:
    """Seconds of everything that is measured, once."""
    found = {}
    for name in benchmarks:
        folder = HERE if name == "step" else clone
        script = folder / "benchmarks" / f"bench_{name}.py"
        document = run_script(script, cases if name == "step" else [], clone=clone)
        found |= read_seconds(name, document)
    return found


def run_script(script: Path, words: list[str], *, clone: Path) -> dict:
    """The document that a benchmark prints last, run with the nbtools of a clone."""
    environment = {k: v for k, v in os.environ.items() if k != "NBTOOLS_FAST"}
    answer = subprocess.run(
        [sys.executable, str(script), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=clone,
        env=environment | {"PYTHONPATH": str(clone)},
        check=True,
    )
    return json.loads(answer.stdout.splitlines()[-1])


def read_seconds(name: str, document: dict) -> dict[str, float]:
    """What a benchmark measured of nbtools, in seconds; rates become seconds per megapixel."""
    if name != "step":
        rate = document["unit"].endswith("/s")
        return {name: 1 / document["ours"] if rate else document["ours"]}
    steps = document["steps"]
    return {"step": statistics.geometric_mean(steps.values()), **steps}


def compare(seconds: dict[str, list[dict]], what: str) -> dict:
    """Ratio of times with its 95 % interval, and the median of each side."""
    here, base = (np.array([run[what] for run in seconds[side]]) for side in ("here", "base"))
    logs = np.log(here / base)
    interval = None
    if len(logs) > 1:
        reach = stats.t.ppf(0.975, len(logs) - 1) * stats.sem(logs)
        interval = np.exp([logs.mean() - reach, logs.mean() + reach]).round(4).tolist()
    medians = {"here": float(np.median(here)), "base": float(np.median(base))}
    return {"ratio": round(float(np.exp(logs.mean())), 4), "interval_95": interval, **medians}


if __name__ == "__main__":
    sys.exit(main())
