"""Five minutes on two cores: train `fast_nuclei` on real images, score it on others, beside Otsu
and watershed on the same images.

`python benchmarks/five_minutes.py [--minutes 5] [--seeds 0] [--otsu-only]`, with the data sets
under $NBTOOLS_DATA. The budget is fixed beforehand and counts from the start of the process;
thresholds are chosen on the validation images; the test images are scored once a run. Writes
`results/five_minutes.json` with the commands that made it; `--otsu-only` renews the row of Otsu.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SET = "$NBTOOLS_DATA/dsb2018_fluorescence"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--otsu-only", action="store_true", help="keep the other rows")
    args = parser.parse_args()
    path = HERE / "results" / "five_minutes.json"
    if args.otsu_only:
        renew_otsu(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            train_and_score(Path(folder), minutes=args.minutes, seed=seed) for seed in args.seeds
        ]
        runs.append(score("otsu", Path(folder), name="otsu"))
    machine = {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine,
        "minutes": args.minutes,
        "runs": runs,
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))


def renew_otsu(path: Path) -> None:
    """Score Otsu and watershed again, and leave the trainings as they are."""
    document = json.loads(path.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        row = score("otsu", Path(folder), name="otsu") | {"date": time.strftime("%Y-%m-%d")}
    document["runs"] = [run for run in document["runs"] if run["name"] != "otsu"] + [row]
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(row))


def train_and_score(folder: Path, *, minutes: float, seed: int) -> dict:
    """One training of a fixed budget, and its scores on the test images."""
    started = time.monotonic()
    command, trained = run(
        f"train fast_nuclei {SET}/train --minutes {minutes:g} --seed {seed} --out {folder}/m{seed}"
    )
    wall = time.monotonic() - started
    scores = score(f"{folder}/m{seed}", folder, name=f"fast_nuclei, seed {seed}")
    return scores | {
        "seconds_train": round(wall, 1),
        "steps": trained["steps"],
        "commands": [command, *scores["commands"]],
    }


def score(model: str, folder: Path, *, name: str) -> dict:
    """Predict and evaluate the test images."""
    out = folder / f"result_{name.split()[-1]}"
    started = time.monotonic()
    first, _ = run(f"predict {model} {SET}/test/images --out {out}")
    wall = time.monotonic() - started
    second, scores = run(f"evaluate {out} {SET}/test --task instances")
    kept = (
        "pooled",
        "mean_ap",
        "panoptic_quality",
        "splits",
        "merges",
        "missed",
        "extra",
        "interval_95",
    )
    return {
        "name": name,
        **{k: scores[k] for k in kept},
        "seconds_predict": round(wall, 1),
        "commands": [first, second],
    }


def run(command: str) -> tuple[str, dict]:
    """(the command as a person would type it, its JSON)."""
    words = [os.path.expandvars(word) for word in shlex.split(command)]
    done = subprocess.run(
        [sys.executable, "-m", "nbtools.cli", *words, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    spelled = " ".join(
        Path(w).name if w.startswith(tempfile.gettempdir()) else w for w in shlex.split(command)
    )
    return f"nbtools {spelled}", json.loads(done.stdout)


if __name__ == "__main__":
    main()
