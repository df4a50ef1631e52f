"""Kill trainings and predictions at random moments, go on, and compare with a run that was not.

python tests/reliability/kills.py FOLDER [--trials 20] [--methods fast_nuclei n2v] [--seed 0]

Prints a table: how many resumed runs equal the whole one bit for bit, and what was left behind.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from nbtools.io.folders import PREFIX

SETTINGS = ("epochs=4", "steps_per_epoch=2", "batch_size=2", "patch_size=32")
BEGUN = {"train": "epoch 1:", "predict": " of "}  # what is said once there is something to lose
LONGEST = 120.0  # seconds of a run


def start(words: list, told: Path) -> subprocess.Popen:
    """Start a command; what it says goes into a file."""
    command = [sys.executable, "-m", "nbtools.cli", *map(str, words)]
    with open(told, "w") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)


def kill_once(words: list, told: Path, *, delay: float) -> bool:
    """Kill a command some seconds after it has begun; False where it had ended before."""
    process, started = start(words, told), time.monotonic()
    while BEGUN[words[0]] not in told.read_text() and process.poll() is None:
        time.sleep(0.02)
        if time.monotonic() - started > LONGEST:
            break
    time.sleep(delay)
    ended = process.poll() is not None
    process.kill()
    process.wait()
    return not ended


def same_weights(one: Path, other: Path) -> bool:
    """Whether two models have the same arrays, bit for bit."""
    with np.load(one / "weights.npz") as a, np.load(other / "weights.npz") as b:
        return a.files == b.files and all(np.array_equal(a[name], b[name]) for name in a.files)


def same_files(one: Path, other: Path) -> bool:
    """Whether two results have the same label images and objects, byte by byte."""
    names = [path.name for path in one.glob("*.tif")] + ["objects.csv"]
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def list_leftovers(folder: Path) -> list[str]:
    """What a killed process left in a folder and beside it."""
    places = (*folder.parent.iterdir(), *folder.rglob("*"))
    hidden = [path.name for path in places if path.name.startswith(PREFIX)]
    return [name for name in hidden if not name.endswith("images.jsonl")]


def attack(words: list, place: Path, *, trials: int, rng: random.Random, same) -> dict:
    """Kill a command and resume it, again and again.

    Parameters
    ----------
    words : of the command, without --out.
    place : for its outputs.
    trials : how often.
    rng : of the moments.
    same : (whole, resumed) → whether they are equal.
    """
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    started = time.monotonic()
    whole = start([*words, "--out", place / "whole"], place / "whole.txt")
    assert whole.wait() == 0, (place / "whole.txt").read_text()
    length = time.monotonic() - started
    counts = {"killed": 0, "equal": 0, "different": 0, "failed": 0, "leftovers": 0}
    for trial in range(trials):
        folder = place / f"t{trial}" / "out"
        folder.parent.mkdir()
        told = folder.parent / "told.txt"
        delay = rng.uniform(0, length / 3)
        counts["killed"] += kill_once([*words, "--out", folder], told, delay=delay)
        again = start([*words, "--out", folder, "--resume"], told)
        if again.wait():
            counts["failed"] += 1
            sys.stderr.write(told.read_text())
            continue
        counts["equal" if same(place / "whole", folder) else "different"] += 1
        counts["leftovers"] += bool(list_leftovers(folder))
        shutil.rmtree(folder.parent)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--methods", nargs="+", default=["fast_nuclei", "n2v"])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, data = random.Random(args.seed), args.folder / "data"
    if not data.is_dir():
        count = ("--count", "8", "--set", "shape_px=96,96")
        start(["simulate", "nuclei2d", *count, "--out", data], args.folder / "data.txt").wait()
    jobs = {
        f"train {m}": (["train", m, data, "--set", *SETTINGS], same_weights) for m in args.methods
    }
    jobs["predict otsu"] = (["predict", "otsu", data], same_files)
    jobs["predict nuclei2d"] = (["predict", "nuclei2d", data], same_files)
    sys.stdout.write("| run | killed | equal | different | failed | leftovers |\n")
    sys.stdout.write("| --- | ---: | ---: | ---: | ---: | ---: |\n")
    for name, (words, same) in jobs.items():
        place = args.folder / name.replace(" ", "_")
        found = attack(words, place, trials=args.trials, rng=rng, same=same)
        sys.stdout.write(f"| `{name}` | {' | '.join(map(str, found.values()))} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
