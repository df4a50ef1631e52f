"""Nuclei as points: every detector, the classical one, and the centres of segmentations.

`python benchmarks/points.py [--only kinet otsu] [--parts fields clumps stain volumes speed]`, with
the data sets under $NBTOOLS_DATA. Points are scored against the centroids of the labels, or centres
marked by hand, within 5 px (6 px in the embryo). Each method trains for the same time, from the
start of the process to a usable model; what it chooses, it chooses on validation images; test
images are looked at once. `--model NAME=FOLDER` scores a model that was trained before. Rows say
how much time of a core a training really had, and are kept in `results/points.json` and
`results/points.md`, by part, name and seed; rows that are not asked for stay as they were.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import embryo
import numpy as np
from _runs import count_cores, describe_machine, nbtools, time_call

from nbtools import methods
from nbtools.data import DataSet, write_dataset
from nbtools.image import Image

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "points.json"
KEPT = ("f1", "precision", "recall", "rmse", "ap", "tp", "fp", "fn", "count_error", "interval_95")
FIELDS = "$NBTOOLS_DATA/dsb2018_fluorescence"
STAIN = "$NBTOOLS_DATA/dsb2018_other"
CLUMPS = "$NBTOOLS_DATA/points_cells/all"
CELLS_3D = "$NBTOOLS_DATA/confocal_cells_3d/all"
GATE, GATE_3D = 5, 6  # px
SIDE = 2048  # px, of the image that is timed


@dataclass(frozen=True)
class Entry:
    """A row: a method to train, or a model that is there already."""

    name: str
    train: str = ""
    settings: str = ""

    @property
    def words(self) -> str:
        return f"--set {self.settings}" if self.settings else ""


ENTRIES = (
    Entry("otsu"),
    Entry("blob_log"),
    Entry("nuclei2d"),
    Entry("kinet", "kinet", "ema_decay=0.99"),
    Entry("sp_cnn", "sp_cnn", "ema_decay=0.99"),
    Entry("sp_cnn without prior", "sp_cnn", "ema_decay=0.99 shape_weight=0"),
    Entry("nuclei_detection", "nuclei_detection", "ema_decay=0.99"),
    Entry("stardist", "stardist"),
    Entry("qcanet", "qcanet"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[e.name for e in ENTRIES])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--model", nargs="+", default=[], metavar="NAME=FOLDER")
    args = parser.parse_args()
    models = dict(pair.split("=", 1) for pair in args.model)
    chosen = [e for e in ENTRIES if args.only is None or e.name in args.only]
    for part in args.parts:
        for seed in args.seeds:
            with tempfile.TemporaryDirectory() as folder:
                for row in PARTS[part](chosen, Path(folder), models=models, args=args, seed=seed):
                    keep({"part": part} | row)


def measure_fields(entries: list[Entry], folder: Path, *, models: dict, args, seed: int):
    """Fluorescence of DSB2018: trained on `train`, scored once on `test`."""
    for entry in entries:
        row = start_row(entry, seed)
        model = find_model(entry, row, place=FIELDS, folder=folder, models=models, args=args)
        yield score(row, model, images=f"{FIELDS}/test/images", truth=f"{FIELDS}/test", out=folder)


def measure_clumps(entries: list[Entry], folder: Path, *, models: dict, args, seed: int):
    """Clumps of nuclei with centres marked by hand, by models that never saw such; one test."""
    for entry in entries:
        if not entry.train or entry.name in models:
            row = start_row(entry, seed)
            model = models.get(entry.name, entry.name)
            yield score(row, model, images=f"{CLUMPS}/images", truth=CLUMPS, out=folder)


def measure_stain(entries: list[Entry], folder: Path, *, models: dict, args, seed: int):
    """Bright field and stained tissue of DSB2018, as grey images with bright nuclei."""
    for part in ("train", "val", "test"):
        darken(Path(os.path.expandvars(STAIN)) / part, folder / "stain" / part)
    place = f"{folder}/stain"
    for entry in entries:
        if entry.name == "nuclei2d":
            continue
        row = start_row(entry, seed)
        model = find_model(entry, row, place=place, folder=folder, models={}, args=args)
        yield score(row, model, images=f"{place}/test/images", truth=f"{place}/test", out=folder)


def measure_volumes(entries: list[Entry], folder: Path, *, models: dict, args, seed: int):
    """Learned from simulated volumes; the embryo is scored once, real confocal cells beside it."""
    embryo.simulate(str(folder))
    for entry in entries:
        if entry.name == "nuclei2d":
            continue
        row = start_row(entry, seed)
        model = find_model(entry, row, place=str(folder), folder=folder, models=models, args=args)
        where = {"images": f"{CELLS_3D}/images", "truth": CELLS_3D, "out": folder}
        cells = score({"commands": row["commands"]}, model, gate=GATE_3D, **where)
        row["confocal_cells_3d"] = {key: cells[key] for key in KEPT}
        where = {"images": f"{embryo.EMBRYO}/images", "truth": embryo.EMBRYO, "out": folder}
        yield score(row, model, gate=GATE_3D, **where)


def measure_speed(entries: list[Entry], folder: Path, *, models: dict, args, seed: int):
    """An image of 2048 x 2048 px from the pixels to points, and to labels of `nuclei2d`."""
    fields = DataSet.open(Path(os.path.expandvars(FIELDS)) / "val")
    image = lay_out(fields, SIDE)
    for entry in entries:
        if entry.train and entry.name not in models:
            continue
        model = methods.load(models.get(entry.name, entry.name))
        seconds, found = time_call(lambda m=model: m.predict(image), repeats=3, warm_up=1)
        marks = found.labels.pixels.max() if found.labels is not None else len(found.result)
        row = start_row(entry, seed) | {"seconds": round(seconds, 3), "found": int(marks)}
        yield row | {"method": model.name, "side_px": SIDE}


PARTS = {
    "fields": measure_fields,
    "clumps": measure_clumps,
    "stain": measure_stain,
    "volumes": measure_volumes,
    "speed": measure_speed,
}


def start_row(entry: Entry, seed: int) -> dict:
    about = {"name": entry.name, "seed": seed, "cores": count_cores()}
    return about | {"date": time.strftime("%Y-%m-%d"), "commands": []}


def find_model(entry: Entry, row: dict, *, place: str, folder: Path, models: dict, args) -> str:
    """The model of a row: given, shipped or classical, or trained now."""
    if entry.name in models or not entry.train:
        row |= read_training(models.get(entry.name, ""))
        return models.get(entry.name, entry.name)
    model = folder / f"model {entry.name}".replace(" ", "_")
    words = f"{entry.words} --minutes {args.minutes:g} --seed {row['seed']} --overwrite"
    val = f"--val {place}/val"
    before = os.times()
    trained = nbtools(f"train {entry.train} {place}/train {val} {words} --out {model}", row)
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    row |= {key: trained["document"][key] for key in ("steps", "parameters", "best")}
    share = {"minutes": round(trained["seconds"] / 60, 2), "core_minutes": round(spent / 60, 2)}
    row |= share
    return str(model)


def read_training(folder: str) -> dict:
    """Steps and minutes of a model that was trained before; {} of any other."""
    path = Path(folder) / "recipe.json"
    if not folder or not path.is_file():
        return {}
    recipe = json.loads(path.read_text("utf-8"))
    return {"steps": recipe.get("steps"), "minutes": round(recipe.get("seconds", 0) / 60, 2)}


def score(row: dict, model: str, *, images: str, truth: str, out: Path, gate: int = GATE) -> dict:
    """Predict, and add the scores of the points, or of the centres of the labels."""
    result = out / "result"
    done = nbtools(f"predict {model} {images} --out {result} --overwrite", row)["document"]
    row["seconds_predicting"] = round(sum(one["seconds"] for one in done["images"]), 2)
    scored = nbtools(f"evaluate {result} {truth} --task detection --gate-px {gate}", row)
    return row | {"gate_px": gate} | {key: scored["document"].get(key) for key in KEPT}


def darken(source: Path, out: Path) -> None:
    """A copy of a data set with one channel, of colour images red; bright ones are inverted."""
    samples = []
    for sample in DataSet.open(source):
        grey = sample.image.select(C=0)
        low, middle, high = np.percentile(grey.pixels, (1, 50, 99))
        if middle - low > 0.5 * (high - low):  # stained nuclei are dark on a bright ground
            grey = grey.replace(pixels=grey.pixels.max() - grey.pixels)
        samples.append(replace(sample, image=grey))
    write_dataset(DataSet.of(samples, name=source.name), out)


def lay_out(fields: DataSet, side: int) -> Image:
    """Fields beside each other, until an image is full."""
    pixels, row, column, height = np.zeros((side, side), np.uint8), 0, 0, 0
    index = 0
    while row < side:
        tile = fields.image(index % len(fields)).pixels
        part = pixels[row : row + tile.shape[0], column : column + tile.shape[1]]
        part[...] = tile[: part.shape[0], : part.shape[1]]
        height, column, index = max(height, tile.shape[0]), column + tile.shape[1], index + 1
        if column >= side:
            row, column, height = row + height, 0, 0
    return Image(pixels, "YX", name="laid out")


def keep(row: dict) -> None:
    """Write the row among those measured before, as JSON and as a table."""
    rows = json.loads(RESULTS.read_text("utf-8"))["rows"] if RESULTS.is_file() else []
    key = ("part", "name", "seed")
    rows = [one for one in rows if [one[k] for k in key] != [row[k] for k in key]] + [row]
    order = [entry.name for entry in ENTRIES]
    rows.sort(key=lambda one: (list(PARTS).index(one["part"]), order.index(one["name"])))
    document = {"machine": describe_machine(), "rows": rows}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(write_table(rows), encoding="utf-8")
    print(json.dumps(row), flush=True)


def write_table(rows: list[dict]) -> str:
    """A row per part, method and seed; everything else is in the JSON."""
    lines = [
        "# Nuclei as points",
        "",
        "By `python benchmarks/points.py`; within 5 px of the centroid, in the embryo 6 px. Rows",
        "of `speed` give seconds for 2048 x 2048 px.",
        "",
        "| part | method | F1 | precision | recall | steps | minutes | core minutes | seconds |",
        "| --- | --- |" + " ---: |" * 7,
    ]
    for row in rows:
        rates = [f"{row[k]:.3f}" if row.get(k) is not None else "" for k in KEPT[:3]]
        spent = [row.get(k) for k in ("steps", "minutes", "core_minutes", "seconds")]
        cells = [row["part"], row["name"], *rates, *("" if s is None else str(s) for s in spent)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
