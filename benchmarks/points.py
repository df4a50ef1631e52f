"""Nuclei as points: detectors trained for a fixed time, and the centres of segmentations.

`python benchmarks/points.py [NAME …] [--minutes 5] [--seed 0] [--final] [--images N]`, with the
data sets under $NBTOOLS_DATA. `kinet`, `sp_cnn`, `nuclei_detection`, `blob_log` and `stardist`
learn from the fluorescence images of DSB2018, each for the same time from the start of the process
to a usable model; `otsu` and `nuclei2d` are used as they are. Points, or the centres of labels, are
scored against the centroids of the true labels, matched one to one within 5 px: on the validation
images, by which the thresholds were chosen, too. With `--final`, there is one look at the test
images, and at clumps of nuclei with centres marked by hand (`points_cells`), which no model saw.
`--keep FOLDER` holds the models, which a later run with the same folder scores without training;
`--images N` makes a trial of the first N images of each part, whose rows are printed only.
Writes `results/points.json`, a row per method, minutes, seed and part.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from _runs import count_cores, describe_machine, nbtools

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "points.json"
TRAINED = ("kinet", "sp_cnn", "nuclei_detection", "blob_log", "stardist")
READY = ("otsu", "nuclei2d")
NUCLEI, CLUMPS = "$NBTOOLS_DATA/dsb2018_fluorescence", "$NBTOOLS_DATA/points_cells/all"
GATE = 5  # px
KEPT = ("f1", "precision", "recall", "rmse", "ap", "tp", "fp", "fn", "count_error", "interval_95")
ROW = ("name", "minutes", "seed", "part")  # what tells rows apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[*READY, *TRAINED], metavar="NAME")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], help="settings of the training")
    parser.add_argument("--final", action="store_true", help="look at the test images")
    parser.add_argument("--images", type=int, help="of each part, for a trial")
    parser.add_argument("--keep", type=Path, help="folder that keeps data and models")
    args = parser.parse_args()
    unknown = set(args.names) - {*READY, *TRAINED}
    if unknown:
        parser.error(f"known are {', '.join((*READY, *TRAINED))}; not {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        for name in args.names:
            for row in run(name, args, folder):
                print(json.dumps(row), flush=True)
                if not args.images:
                    keep_row(row)


def run(name: str, args: argparse.Namespace, folder: Path) -> list[dict]:
    """Train where needed, predict and score; a row per part that is looked at."""
    minutes = args.minutes if name in TRAINED else 0
    about = {"name": name, "minutes": minutes, "seed": args.seed, "settings": args.set}
    model = name
    if name in TRAINED:
        model = folder / f"{name}_{minutes:g}_{args.seed}"
        about |= train(name, model, args, folder)
    rows = []
    for part in ("test", "points_cells") if args.final else ("val",):
        place = find_part(part, args, folder)
        rows.append(about | {"part": part} | score(model, place, folder))
    return rows


def train(name: str, model: Path, args: argparse.Namespace, folder: Path) -> dict:
    """Train a model, unless it is there; what is told of the training."""
    noted = model.with_suffix(".json")
    if noted.is_file():
        return json.loads(noted.read_text("utf-8"))
    learned, chosen = (find_part(part, args, folder) for part in ("train", "val"))
    words = f"--set {' '.join(args.set)}" if args.set and name != "blob_log" else ""
    row, before = {"commands": [], "cores": count_cores()}, os.times()
    trained = nbtools(
        f"train {name} {learned} --val {chosen} --minutes {args.minutes:g} --seed {args.seed} "
        f"{words} --out {model} --overwrite",
        row,
    )
    after = os.times()
    spent = after.children_user - before.children_user
    spent += after.children_system - before.children_system
    row |= {k: trained["document"].get(k) for k in ("steps", "parameters", "best")}
    row |= {"wall_minutes": round(trained["seconds"] / 60, 2)}
    row |= {"core_minutes": round(spent / 60, 2), "memory_gb": trained["memory_gb"]}
    noted.write_text(json.dumps(row), encoding="utf-8")
    return row


def find_part(part: str, args: argparse.Namespace, folder: Path) -> str:
    """The folder of a part; with `--images`, of a copy of its first images."""
    place = CLUMPS if part == "points_cells" else f"{NUCLEI}/{part}"
    if not args.images:
        return place
    from nbtools.data import DataSet, write_dataset

    copy = folder / f"first_{args.images}" / part
    if not copy.is_dir():
        whole = DataSet.open(Path(os.path.expandvars(place)))
        count = min(args.images, len(whole))
        write_dataset(DataSet.of([whole[i] for i in range(count)]), copy)
    return str(copy)


def score(model: str | Path, place: str, folder: Path) -> dict:
    """Scores of the points, or of the centres of the labels, that a model predicts."""
    row, result = {"commands": []}, folder / "result"
    done = nbtools(f"predict {model} {place} --out {result} --overwrite", row)["document"]
    scored = nbtools(f"evaluate {result} {place} --task detection --gate-px {GATE}", row)
    rates = {key: scored["document"].get(key) for key in KEPT}
    seconds = sum(one["seconds"] for one in done["images"])
    found = {"images": len(done["images"]), "seconds_predicting": round(seconds, 2)}
    return {"gate_px": GATE, "commands_of_scores": row["commands"]} | found | rates


def keep_row(row: dict) -> None:
    """Write the row among those measured before."""
    row |= {"date": time.strftime("%Y-%m-%d")}
    before = json.loads(RESULTS.read_text("utf-8"))["rows"] if RESULTS.is_file() else []
    rows = {key_of(one): one for one in before} | {key_of(row): row}
    ordered = [rows[key] for key in sorted(rows)]
    document = {"machine": describe_machine(), "rows": ordered}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def key_of(row: dict) -> tuple:
    """What tells a row from others; settings that were changed do, too."""
    return (*(row[name] for name in ROW), *row["settings"])


if __name__ == "__main__":
    main()
