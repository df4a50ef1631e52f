"""What a megapixel costs as images grow: the shipped `nuclei2d`, image to labels, from 1 to 256
megapixels in one run.

A scene of 1024 x 1024 px is repeated until the image is full. A flat line is the goal, within 10 %.
Minutes, not seconds: not part of `make bench`. Writes `results/growth.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _runs import count_cores, describe_machine, time_call

from nbtools import methods, simulate

SIDE, FACTORS = 1024, (1, 2, 4, 8, 16)
SCENE = {
    "shape_px": (SIDE, SIDE),
    "density": (0.3,),
    "clustering": (0.5,),
    "radius_um": (4.0, 7.0),
    "photons": (50.0, 500.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--largest",
        type=int,
        default=FACTORS[-1],
        help="Longest side of the largest image, in scenes.",
    )
    args = parser.parse_args()
    [sample] = simulate.make("nuclei2d", count=1, seed=0, settings=SCENE)
    model, rows = methods.load("nuclei2d"), []
    for factor in (f for f in FACTORS if f <= args.largest):
        image = sample.image.replace(pixels=np.tile(sample.image.pixels, (factor, factor)))
        seconds, found = time_call(
            lambda image=image: model.predict(image).labels,
            repeats=3 if factor < 8 else 1,
            warm_up=int(factor < 8),
        )
        megapixels = image.pixels.size / 1e6
        row = {
            "megapixels": round(megapixels, 1),
            "seconds": round(seconds, 2),
            "seconds_a_megapixel": round(seconds / megapixels, 3),
        }
        peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
        rows.append(row | {"nuclei": int(found.pixels.max()), "peak_gb": peak})
        print(json.dumps(rows[-1]), flush=True)
    costs = [row["seconds_a_megapixel"] for row in rows]
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "cores": count_cores(),
        "rows": rows,
    }
    document = about | {"dearest_over_cheapest": round(max(costs) / min(costs), 2), "goal": 1.1}
    path = Path(__file__).resolve().parent / "results" / "growth.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
