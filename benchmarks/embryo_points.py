"""Nuclei of volumes as points, by detectors that saw simulated volumes only.

`python benchmarks/embryo_points.py [METHOD ...] [--minutes 8] [--seed 0] [--final]`, with the data
sets under $NBTOOLS_DATA. Volumes to learn from and to choose by are those of `embryo.py`. Scored
are the simulated validation volumes and the centres of `confocal_cells_3d`, by which a method is
chosen; with `--final` the embryo of 8 cells, too. A point counts within 6 px. Each model is timed
on 32 x 256 x 256 voxels beside `fast_nuclei`, which parts and numbers nuclei there: network with
random weights, and the maps that a perfect network would give. `--keep FOLDER` holds volumes and
models, which a later run with the same folder scores without training.
Writes `results/embryo_points.json`, a row per method and seed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import embryo
import numpy as np
from _runs import count_cores, describe_machine, nbtools, time_call

from nbtools import methods, simulate
from nbtools.methods.domain import Domain
from nbtools.targets import distance

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "embryo_points.json"
CONFOCAL = "$NBTOOLS_DATA/confocal_cells_3d/all"
GATE = 6  # px
RATIO = (2.18, 1.0, 1.0)  # of the pixel sizes
SCENE = {
    "shape_px": (32, 256, 256),
    "spacing_um": tuple(0.4 * r for r in RATIO),
    "density": (0.2,),
    "clustering": (0.5,),
}
KEPT = ("f1", "precision", "recall", "rmse", "tp", "fp", "fn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["kinet"], metavar="METHOD")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--final", action="store_true", help="score the embryo")
    parser.add_argument("--keep", type=Path, help="folder that keeps volumes and models")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        if not (folder / "train").is_dir():
            embryo.simulate(str(folder))
        for name in args.names:
            keep_row(run(name, args, folder))


def run(name: str, args: argparse.Namespace, folder: Path) -> dict:
    """Train unless that was done, score and time; the row of the results."""
    model = folder / f"{name}_{args.minutes:g}_{args.seed}"
    row = {"name": name, "minutes": args.minutes, "seed": args.seed, "commands": []}
    row |= {"cores": count_cores(), "date": time.strftime("%Y-%m-%d"), "gate_px": GATE}
    if not (model / "model.json").is_file():
        words = f"--val {folder}/val --minutes {args.minutes:g} --seed {args.seed} --out {model}"
        trained = nbtools(f"train {name} {folder}/train {words}", row)["document"]
        (folder / f"{model.name}.json").write_text(json.dumps(trained), encoding="utf-8")
    trained = json.loads((folder / f"{model.name}.json").read_text("utf-8"))
    row |= {k: trained[k] for k in ("steps", "parameters", "best")}
    places = {"simulated": f"{folder}/val", "confocal_cells_3d": CONFOCAL}
    if args.final:
        places["embryo"] = embryo.EMBRYO
    for part, place in places.items():
        row[part] = score(model, place, folder, row)
    return row | {"seconds": measure_seconds(model)}


def score(model: Path, place: str, folder: Path, row: dict) -> dict:
    """Rates of the points that a model predicts."""
    result = folder / "result"
    nbtools(f"predict {model} {place}/images --out {result} --overwrite", row)
    words = f"--task detection --gate-px {GATE}"
    scores = nbtools(f"evaluate {result} {place} {words}", row)["document"]
    return {key: scores[key] for key in KEPT}


def measure_seconds(model: Path) -> dict:
    """Seconds from a volume to points, and to labels by `fast_nuclei`, in one run."""
    [sample] = simulate.make("nuclei3d", count=1, seed=0, settings=SCENE)
    image, label = sample.image.replace(spacing=None), sample.label.pixels.astype(np.int32)
    points, other = methods.load(model), methods.get("fast_nuclei")()
    other.domain = Domain(3, spacing=RATIO)
    other.adopt(other.build())
    maps = distance.encode(label, spacing=RATIO)[..., :2]
    values, about = other.decoding_values(), {"repeats": 3, "warm_up": 1}
    ours, found = time_call(lambda: points.predict(image).points, **about)
    network, _ = time_call(lambda: other.infer(image.pixels[..., None]), **about)
    parting, _ = time_call(lambda: other.decode(maps, **values), **about)
    told = {"points": round(ours, 2), "network": round(network, 2), "parting": round(parting, 2)}
    told |= {"ratio": round((network + parting) / ours, 2), "found": len(found)}
    return told | {"nuclei": int(label.max())}


def keep_row(row: dict) -> None:
    """Write the row among those measured before."""
    before = json.loads(RESULTS.read_text("utf-8"))["rows"] if RESULTS.is_file() else []
    rows = {(r["name"], r["seed"]): r for r in [*before, row]}
    document = {"machine": describe_machine(), "looks": embryo.LOOKS}
    document |= {"rows": [rows[key] for key in sorted(rows)]}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
