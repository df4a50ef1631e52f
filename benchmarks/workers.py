"""Do two workers take half the time of one, and find the same nuclei?

`python benchmarks/workers.py [MODEL] [--side 8000] [--workers 1 2]`: `predict --workers N` of one
image as a person types it, each worker with one thread, so that a machine with as many free cores
is needed. Seconds of the clock; those of the same command on a tiny image are taken off, which are
the start of the program and of its workers. Efficiency is the time of one worker, divided by the
number of workers and their time. Labels are compared pixel by pixel. Writes `results/workers.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from _runs import describe_machine
from blocks import spend, write_field

RESULTS = Path(__file__).resolve().parent / "results" / "workers.json"
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
TINY = 64  # px
GOAL = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="nuclei2d_small")
    parser.add_argument("--side", type=int, default=8000, help="px")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()))
    args = parser.parse_args()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    with tempfile.TemporaryDirectory(dir=args.place) as folder:
        place = Path(folder)
        write_field(place, side=args.side, planes=0)
        write_tiny(place)
        rows = [measure(count, place, model=args.model) for count in args.workers]
    alone = rows[0]["workers"] * rows[0]["seconds"]
    for row in rows:
        row["efficiency"] = round(alone / (row["workers"] * row["seconds"]), 2)
        print(json.dumps(row), flush=True)
    document = {
        "command": f"python benchmarks/workers.py {args.model} --side {args.side}",
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "megapixels": args.side**2 / 1e6,
        "goal": GOAL,
        "rows": rows,
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def write_tiny(place: Path) -> None:
    """A corner of the image, whose prediction is the start of the program and little else."""
    pixels = tifffile.memmap(place / "image.tif", mode="r")[:TINY, :TINY]
    tifffile.imwrite(place / "tiny.tif", np.array(pixels))


def measure(workers: int, place: Path, *, model: str) -> dict:
    """A row: seconds of so many workers, and whether labels are those of the first number."""
    seconds = {}
    for name in ("tiny", "image"):
        out = place / f"{name}_{workers}"
        words = ["predict", model, str(place / f"{name}.tif"), "--out", str(out)]
        spent = spend([*words, "--workers", str(workers)], memory="")
        if spent.code:
            raise SystemExit(f"{workers} workers ended with {spent.code}.")
        seconds[name] = spent.seconds
    found = tifffile.memmap(place / f"image_{workers}" / "image.tif", mode="r")
    first = sorted(place.glob("image_*"), key=lambda path: path.stat().st_ctime)[0]
    same = bool(np.array_equal(found, tifffile.memmap(first / "image.tif", mode="r")))
    return {
        "workers": workers,
        "seconds": round(seconds["image"] - seconds["tiny"], 1),
        "start": round(seconds["tiny"], 1),
        "nuclei": int(found.max()),
        "same_labels": same,
    }


if __name__ == "__main__":
    main()
