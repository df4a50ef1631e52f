"""How well nuclei are followed: simulated movies of 40 to 400 nuclei, planes and volumes.

    python benchmarks/tracking.py

TRA, DET and SEG from the true labels, where nothing but the linking can fail, and from labels that
a shipped network predicts; and the seconds that linking takes. Every movie divides. Nothing was
chosen by these movies: the reach is measured in each of them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from nbtools import io, methods, simulate, tracking

OUT = Path(__file__).parent / "results" / "tracking.json"
FRAMES = 50
MOVIES = {  # name → nuclei in the first frame, settings, network
    "40 in a plane": (40, {"shape_px": (384, 384)}, "nuclei2d"),
    "150 in a plane": (150, {"shape_px": (704, 704)}, "nuclei2d"),
    "400 in a plane": (400, {"shape_px": (1120, 1120)}, "nuclei2d"),
    "40 in a volume": (
        40,
        {"shape_px": (24, 160, 160), "spacing_um": (1.0, 0.4, 0.4), "frames": 20},
        "nuclei3d",
    ),
}


def follow(name: str, *, seed: int, predict: bool) -> dict:
    """Scores of one movie."""
    count, changes, network = MOVIES[name]
    settings = {"frames": FRAMES, "cycle_frames": 60.0, "count": count, "photons": (200.0,)}
    settings |= {"radius_um": (4.5,), "step_um": 1.5} | changes
    if len(settings["shape_px"]) == 3:
        settings |= {"radius_um": (3.2,), "step_um": 1.0}
    movie = simulate.make("movie", count=1, seed=seed, settings=settings)[0]
    true = tracking.from_labels(movie.label, parents=movie.lineage, tracked=True)
    row = {"movie": name, "seed": seed, "nuclei": len(true), "divisions": true.divisions}
    row["true labels"] = score(movie.label, movie.label, true=true)
    if predict:
        found = methods.load(network).predict(movie.image).labels
        row[network] = score(movie.label, found, true=true)
    return row


def score(truth: object, found: object, *, true: tracking.Tracks) -> dict:
    """TRA, DET, SEG, divisions, and the seconds of linking."""
    nuclei = tracking.from_labels(found)
    start = time.perf_counter()
    tracks = tracking.link(nuclei)
    seconds = time.perf_counter() - start
    scores = tracking.score(truth, found, true=true, tracks=tracks)
    kept = ("tra", "det", "seg", "divisions_found", "divisions_right")
    return {k: round(scores[k], 4) for k in kept} | {"seconds": round(seconds, 2)}


def main() -> None:
    """Follow all movies, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MOVIES, default=list(MOVIES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--no-predict", dest="predict", action="store_false")
    args = parser.parse_args()
    rows = []
    for name in args.only:
        for seed in range(args.seeds):
            rows.append(follow(name, seed=seed, predict=args.predict))
            print(json.dumps(rows[-1]), flush=True)
    io.write_json(OUT, {"frames": FRAMES, "movies": rows})


if __name__ == "__main__":
    main()
