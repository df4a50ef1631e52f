"""The panel: shipped weights and the classical method on images of many microscopes.

`python benchmarks/panel.py [WEIGHTS ...] [--sets SET ...] [--out FOLDER]`, with the data sets under
$NBTOOLS_DATA; WEIGHTS are names of shipped ones, `otsu`, or folders of models, and by default all
shipped weights that find nuclei. No size is given, no pixel size in 2D. Weights and defaults are
chosen by this panel, and never by `--final`, which looks once at DSB2018's test images and appends
its date, commit and figures to `results/looks.csv`.

Of `micronuclei_cells` and `u2os_cells` only the half counts that nothing is trained on (see
`mixture.py`). Rows are written as they are done to `results/panel.json` and `.md`; those of other
weights and sets stay, and so do the cards of shipped weights, which get their own rows. The worst
images of a run, with outlines, go to `results/panel_worst.jpg`.
`--look FOLDER` instead predicts images without truth, and draws them on one sheet to be looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _runs import describe_machine
from mixture import learns
from PIL import Image as Picture

from nbtools import config, methods, show
from nbtools.data import DataSet, Sample
from nbtools.geometry import equivalent_diameter
from nbtools.image import Image
from nbtools.metrics import bootstrap, instances
from nbtools.metrics.overlap import find_overlap, match_nuclei

HERE = Path(__file__).resolve().parent
BOUNDS = (0, 10, 20, 40, 1e9)  # px, of the diameters that nuclei are told apart by
SIZES = ("< 10 px", "10–20 px", "20–40 px", "> 40 px")
IOU = 0.5
MISTAKES = ("splits", "merges", "missed", "extra")


@dataclass(frozen=True)
class PanelSet:
    """Images of one source.

    Parameters
    ----------
    name : as in the tables.
    folder : below $NBTOOLS_DATA.
    kind : "flat", "colour" or "volume"; weights are asked for images of their own kind.
    held : only images that nothing is trained on.
    group : what its images are told apart by, for the column by kind.
    drawn : its images may stand in a figure; those under the LGPL do not.
    """

    name: str
    folder: str
    kind: str = "flat"
    held: bool = False
    group: str = ""
    drawn: bool = True


SETS = (
    PanelSet("dsb2018 val", "dsb2018_fluorescence/val", group="size of the field"),
    PanelSet("micronuclei_cells", "micronuclei_cells/all", held=True, group="cell line"),
    PanelSet("u2os_cells", "u2os_cells/all", held=True, group="plate"),
    PanelSet("intestine_tissue", "intestine_tissue/all", group="stain", drawn=False),
    PanelSet("dsb2018_other val", "dsb2018_other/val", kind="colour"),
    PanelSet("confocal_cells_3d", "confocal_cells_3d/all", kind="volume"),
    PanelSet("mouse_embryo_3d", "mouse_embryo_3d/all", kind="volume"),
)
FINAL = PanelSet("dsb2018 test", "dsb2018_fluorescence/test", group="size of the field")
KINDS = {
    "nuclei2d_flows": ("flat",),
    "nuclei2d_small": ("flat",),
    "nuclei2d": ("flat",),
    "nuclei2d_histology": ("colour",),
    "nuclei3d": ("volume",),
    "otsu": ("flat", "volume"),
}
SECTION = "## The panel"
ABOUT = """Images of other microscopes, no size given; none of them was learned from. By
`python benchmarks/panel.py`; AP at IoU 0.5 and mean AP 0.5–0.9 with 95 % intervals over images.
"""
HEAD = """# The panel

By `python benchmarks/panel.py`: shipped weights and the classical method on images of many
microscopes, no size given. AP at IoU 0.5 and mean AP 0.5–0.9, pooled, 95 % intervals over images.
`micronuclei_cells` and `u2os_cells`: the half of their images that nothing is trained on.
The column `images` says of how many; decoding values of `nuclei2d` were chosen by every third.
Splits: true nuclei in pieces; merges: predictions of several nuclei in one.
"""


def main() -> None:
    args = parse()
    if args.look:
        draw_looks(args.weights[0], args.look, out=args.out)
        return
    sets = [FINAL] if args.final else [s for s in SETS if not args.sets or s.name in args.sets]
    rows, worst = [], []
    for weights in args.weights:
        model = load(weights)
        for one in (s for s in sets if s.kind in kinds_of(weights, model)):
            row, found = measure(model, one, every=args.every)
            rows.append({"weights": Path(weights).name, "set": one.name, **row})
            worst += [(r["ap50"], *rest) for r, *rest in found if one.drawn]
            print(
                json.dumps(
                    {k: rows[-1][k] for k in ("weights", "set", "ap50", "mean_ap", *MISTAKES)}
                )
            )
            keep(rows[-1:], args.out / ("final.json" if args.final else "panel.json"))
    if args.final:
        note_look(rows, args.out / "looks.csv")
    draw_worst(worst, args.out / "panel_worst.jpg")
    if args.out == HERE / "results" and not args.final:
        for weights in args.weights:
            write_card(weights, args.out / "panel.json")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="*", default=list(KINDS))
    parser.add_argument("--sets", nargs="+", choices=[s.name for s in SETS])
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth image")
    parser.add_argument("--final", action="store_true", help="look once at DSB2018's test images")
    parser.add_argument("--look", type=Path, help="folder of images without truth, to be drawn")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def load(weights: str) -> methods.Method:
    """Shipped weights, the model of a folder, or a method that needs no training."""
    return methods.get("otsu")() if weights == "otsu" else methods.load(weights)


def kinds_of(weights: str, model: methods.Method) -> tuple[str, ...]:
    """The kinds of images that weights are for."""
    if weights in KINDS:
        return KINDS[weights]
    return (
        ("volume",)
        if model.domain.ndim == 3
        else ("colour",)
        if model.domain.channels == 3
        else ("flat",)
    )


def read(one: PanelSet, *, every: int = 1) -> Iterator[Sample]:
    """The images of a set: those held, those in colour alone; without pixel size where flat."""
    dataset = DataSet.open(Path(config.environment("NBTOOLS_DATA", ".")) / one.folder)
    names = [i for i, name in enumerate(dataset.names) if not (one.held and learns(name))]
    for index in names[::every]:
        sample = dataset[index]
        if one.kind == "colour" and not sample.image.is_rgb:
            continue
        image = sample.image if one.kind == "volume" else sample.image.replace(spacing=None)
        yield sample.replace(image=image)


def measure(model: methods.Method, one: PanelSet, *, every: int = 1) -> tuple[dict, list]:
    """A row of the panel, and (scores, sample, predicted label) of its worst images."""
    samples, found, seconds = [], [], 0.0
    for sample in read(one, every=every):
        predicted = model.predict(sample.image)
        seconds += predicted.seconds
        samples.append(sample)
        found.append(predicted.labels)
    row = score(
        [(s.name, s.label, p) for s, p in zip(samples, found, strict=True)], group=one.group
    )
    megapixels = sum(np.prod(s.image.space_shape) for s in samples) / 1e6
    row |= {"images": len(samples), "seconds_per_megapixel": round(seconds / megapixels, 2)}
    order = np.argsort([r["ap50"] for r in row["per_image"]])[:4]
    worst = [(row["per_image"][i], samples[i], found[i]) for i in order]
    return row, worst


def score(pairs: list[tuple[str, Image, Image]], *, group: str = "") -> dict:
    """The figures of one set.

    Parameters
    ----------
    pairs : name, true and predicted labels.
    group : what the images are told apart by; see `name_group`.
    """
    scores = instances.evaluate(pairs)
    rows = scores["per_image"]
    counts, rate = instances.count_nuclei([rows], [scores])
    limits = bootstrap.find_intervals(
        counts[0], rate, units=bootstrap.find_units([row["name"] for row in rows])
    )
    return {
        "ap50": scores["pooled"]["0.50"]["ap"],
        "mean_ap": scores["mean_ap"],
        "interval_95": {k: limits[k] for k in ("ap50", "mean_ap")},
        **{k: scores[k] for k in MISTAKES},
        "nuclei": scores["pooled"]["0.50"]["tp"] + scores["pooled"]["0.50"]["fn"],
        "by_size": count_by_size((t, p) for _, t, p in pairs),
        "by_kind": rate_groups(rows, group),
        "per_image": [
            {k: r[k] for k in ("name", "ap50", "mean_ap", "n_true", "n_pred")} for r in rows
        ],
    }


def count_by_size(pairs: Iterable[tuple[Image, Image]]) -> dict[str, dict[str, int]]:
    """Of the true nuclei of each size, how many are found.

    Parameters
    ----------
    pairs : true and predicted labels.
    """
    totals = np.zeros((len(SIZES), 2), int)
    for truth, predicted in pairs:
        table = find_overlap(truth, predicted)
        diameters = equivalent_diameter(table.true_size, len(truth.spatial))
        matched = np.zeros(len(table.true_labels), bool)
        matched[table.row[match_nuclei(table, table.iou, iou=IOU)]] = True
        place = np.digitize(diameters, BOUNDS[1:-1])
        totals[:, 0] += np.bincount(place[matched], minlength=len(SIZES))
        totals[:, 1] += np.bincount(place, minlength=len(SIZES))
    return {
        name: {"found": int(found), "nuclei": int(count)}
        for name, (found, count) in zip(SIZES, totals, strict=True)
        if count
    }


def rate_groups(rows: list[dict], group: str) -> dict[str, dict]:
    """Pooled AP at 0.5 of the images of each group."""
    found: dict[str, list] = {}
    for row in rows:
        found.setdefault(name_group(row["name"], group), []).append(row)
    rates = {}
    for name, own in sorted(found.items()):
        counts, rate = instances.count_nuclei([own], [{}])
        rates[name] = {"images": len(own), "ap50": round(float(rate(counts[0].sum(0))["ap50"]), 3)}
    return rates if group else {}


def name_group(name: str, group: str) -> str:
    """The group of an image, by its name.

    Examples
    --------
    >>> name_group("training__2022-10-14_U2OS__3", "cell line")
    'U2OS'
    """
    if group == "cell line":
        return name.split("__")[1].split("_")[-1]
    if group == "plate":
        return name.split("_")[1]
    if group == "stain":
        return name.split("_mouse")[0]
    return "all"


def keep(rows: list[dict], path: Path) -> None:
    """Write rows among those measured before, as JSON and as a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    known = {(r["weights"], r["set"]): r for r in before}
    known |= {(r["weights"], r["set"]): r | {"date": time.strftime("%Y-%m-%d")} for r in rows}
    sets = [s.name for s in (*SETS, FINAL)]
    order = sorted(known.values(), key=lambda r: (sets.index(r["set"]), r["weights"]))
    document = {"machine": describe_machine(), "rows": order}
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    path.with_suffix(".md").write_text(HEAD + "\n" + write_table(order), "utf-8")


def write_table(rows: list[dict]) -> str:
    """A row for each set and weights."""
    names = ("set", "images", "weights", "AP@0.5 [95 %]", "mean AP [95 %]", *MISTAKES)
    names += tuple(f"found, {size}" for size in SIZES)
    lines = ["| " + " | ".join(names) + " |", "| --- | ---: | --- |" + " ---: |" * (len(names) - 3)]
    for row in rows:
        cells = [row["set"], str(row["images"]), row["weights"]]
        cells += [say_interval(row, "ap50"), say_interval(row, "mean_ap")]
        cells += [str(row[k]) for k in MISTAKES]
        cells += [say_share(row["by_size"].get(size)) for size in SIZES]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def say_interval(row: dict, name: str) -> str:
    limits = row["interval_95"][name]
    return f"{row[name]:.3f}" + (f" [{limits[0]:.3f}, {limits[1]:.3f}]" if limits else "")


def say_share(counted: dict | None) -> str:
    return "–" if not counted else f"{counted['found'] / counted['nuclei']:.2f}"


def write_card(weights: str, path: Path) -> None:
    """Renew the section on the panel in the card of shipped weights."""
    card = HERE.parent / "data" / "weights" / weights / "README.md"
    rows = [r for r in json.loads(path.read_text("utf-8"))["rows"] if r["weights"] == weights]
    if not rows or not card.is_file():
        return
    before = card.read_text("utf-8").split(f"\n{SECTION}")
    rest = before[1].split("\n## ", 1)[1:] if len(before) > 1 else []
    text = f"{before[0]}\n{SECTION}\n\n{ABOUT}\n{write_table(rows)}"
    card.write_text(text + "".join(f"\n## {part}" for part in rest), "utf-8")


def name_commit() -> str:
    """The commit that is checked out, in short."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=HERE, check=False)
    return done.stdout.strip()


def note_look(rows: list[dict], path: Path) -> None:
    """Append a look at the test images to the file of looks."""
    commit, new = name_commit(), not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["date", "commit", "weights", "set", "ap50", "mean_ap", "f1_5px"])
        for row in rows:
            found = (row.get("ap50"), row["mean_ap"], None)
            figures = ("" if one is None else f"{one:.3f}" for one in found)
            writer.writerow(
                [time.strftime("%Y-%m-%d"), commit, row["weights"], row["set"], *figures]
            )


def draw_worst(worst: list[tuple], path: Path, *, most: int = 8) -> None:
    """The images of lowest AP with the outlines found, the worst first, on one sheet."""
    flat = [w for w in sorted(worst, key=lambda w: w[0]) if len(w[1].image.spatial) == 2]
    if flat:
        tiles = [draw_tile(sample.image, label) for _, sample, label in flat[:most]]
        Picture.fromarray(lay_out(tiles)).save(path, quality=80)


def draw_tile(image: Image, label: Image, *, side: int = 360) -> np.ndarray:
    """(side, side, 3) uint8: a corner of an image with outlines."""
    shown = [one.replace(pixels=one.pixels[:512, :512]) for one in (image, label)]
    rgb = show.overlay_rgb(*shown, fill=0.0)
    rows, columns = (np.linspace(0, n - 1, side).round().astype(int) for n in rgb.shape[:2])
    return rgb[np.ix_(rows, columns)]


def lay_out(tiles: list[np.ndarray], *, columns: int = 4) -> np.ndarray:
    """Tiles of one size on a sheet, row by row."""
    blank = np.zeros_like(tiles[0])
    tiles = [*tiles, *[blank] * (-len(tiles) % columns)]
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def draw_looks(weights: str, folder: Path, *, out: Path) -> None:
    """Predict images without truth, and draw all on one sheet."""
    model, tiles = load(weights), []
    for path in sorted(folder.glob("*.tif")):
        if not path.name.startswith("xy_") or "labels" in path.name or "binary" in path.name:
            continue
        image = DataSet.open(path).image(0).replace(spacing=None)
        found = model.predict(image).labels
        print(path.name, image.shape, int(found.pixels.max()), flush=True)
        tiles.append(draw_tile(image, found, side=260))
    Picture.fromarray(lay_out(tiles, columns=7)).save(out / "looks.jpg", quality=85)


if __name__ == "__main__":
    main()
