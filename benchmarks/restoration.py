"""Every denoiser on simulated pairs at three light levels, in 2D and 3D, beside the classical
baseline and the image as it is.

`python benchmarks/restoration.py [--dims 2 3] [--peak 5 20 100] [--only n2v care]`

Fixed before any training: 5, 20 and 100 photons in the brightest pixels over a read noise of 2; as
many steps of as many patches for each method of a dimension (in volumes 2700, but 1200 of rcan,
which works at full resolution throughout); every network predicts 8 turned and mirrored views,
whose mean counts; one seed. Trained on `train` and `val`, scored once on `test`; PSNR with the
range of each clean image (max - min), means over the test images; in the JSON 95 % intervals of the
paired differences to the baseline and to the method before, by bootstrap over images.

Rows are written as they are done to `results/restoration.json` and `results/restoration.md`; rows
that are not asked for stay as they were measured before.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _runs import count_cores, describe_machine, nbtools

HERE = Path(__file__).resolve().parent
PEAKS = (5, 20, 100)
READ_NOISE = 2
SHAPES = {2: "256,256", 3: "24,128,128"}
SPACINGS = {2: "0.2,0.2", 3: "0.5,0.2,0.2"}
COUNTS = {2: {"train": 24, "val": 2, "test": 8}, 3: {"train": 6, "val": 1, "test": 4}}
STEPS = {
    2: "--set epochs=3 --set steps_per_epoch=200 --set batch_size=8",
    3: "--set epochs=3 --set steps_per_epoch=900 --set batch_size=1 --set patch_size=32",
}
# every network predicts 8 turned and mirrored views, and their mean counts
VIEWS = "--set tta=flips_and_rot90"
METRICS = ("psnr", "ssim", "nrmse", "psnr_si")


@dataclass(frozen=True)
class Entry:
    name: str
    train: str = ""  # the method; "": nothing to learn
    settings: str = ""
    dims: tuple[int, ...] = (2, 3)
    volumes: str = ""  # further settings in 3D


ENTRIES = (
    Entry("nlm"),
    Entry("n2v", "n2v", "--set variant=n2v"),
    Entry("n2v2", "n2v", "--set variant=n2v2", dims=(2,)),
    Entry("deconoising", "deconoising", dims=(2,)),
    Entry("pn2v", "pn2v", dims=(2,)),
    Entry("rcan", "rcan", volumes="--set steps_per_epoch=400"),
    Entry("care", "care"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dims", nargs="+", type=int, default=[2, 3], choices=[2, 3])
    parser.add_argument("--peak", nargs="+", type=int, default=list(PEAKS), choices=PEAKS)
    parser.add_argument("--only", nargs="+", choices=[e.name for e in ENTRIES])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "restoration.json")
    args = parser.parse_args()
    for ndim in args.dims:
        for peak in args.peak:
            with tempfile.TemporaryDirectory() as folder:
                simulate(Path(folder), ndim=ndim, peak=peak)
                for entry in ENTRIES:
                    if ndim in entry.dims and (args.only is None or entry.name in args.only):
                        keep(
                            measure(
                                entry,
                                Path(folder),
                                about={"ndim": ndim, "peak": peak, "seed": args.seed},
                            ),
                            args.results,
                        )


def simulate(folder: Path, *, ndim: int, peak: int) -> None:
    """Pairs of one light level; the same scenes at every level."""
    for number, (part, count) in enumerate(COUNTS[ndim].items()):
        light = f"--set photons={peak} --set read_noise={READ_NOISE}"
        where = f"--set shape_px={SHAPES[ndim]} --set spacing_um={SPACINGS[ndim]}"
        nbtools(
            f"simulate pairs --count {count} --seed {number} {where} {light} --out {folder}/{part}",
            {"commands": []},
        )


def measure(entry: Entry, folder: Path, *, about: dict) -> dict:
    """One row: training, prediction of the test images, and scores."""
    row = {
        "name": entry.name,
        **about,
        "cores": count_cores(),
        "date": time.strftime("%Y-%m-%d"),
        "commands": [],
    }
    model, result = entry.name, folder / f"result_{entry.name}"
    if entry.train:
        model = folder / entry.name
        more = entry.volumes if about["ndim"] == 3 else ""
        words = (
            f"{entry.settings} {STEPS[about['ndim']]} {more} {VIEWS} --seed {about['seed']} "
            f"--val {folder}/val --out {model}"
        )
        trained = nbtools(f"train {entry.train} {folder}/train {words}", row)
        row |= {k: trained["document"][k] for k in ("steps", "parameters")} | {
            "minutes": round(trained["seconds"] / 60, 2)
        }
    predicted = nbtools(f"predict {model} {folder}/test --out {result}", row)
    scored = nbtools(f"evaluate {result} {folder}/test --task restoration", row)["document"]
    row |= {
        "seconds_predict": round(sum(i["seconds"] for i in predicted["document"]["images"]), 2),
        "mean": scored["mean"],
    }
    row |= {
        "input": scored["input"],
        "range": scored["range"],
        "interval_95": scored.get("interval_95"),
    }
    return row | {
        "per_image": [{k: image[k] for k in ("name", "psnr")} for image in scored["per_image"]]
    }


def subtract(row: dict, other: dict) -> dict:
    """{"difference", "interval_95"} in dB of two rows over the same images, by paired bootstrap."""
    theirs = {image["name"]: image["psnr"] for image in other["per_image"]}
    gain = np.array([image["psnr"] - theirs[image["name"]] for image in row["per_image"]])
    draws = gain[np.random.default_rng(0).integers(len(gain), size=(2000, len(gain)))].mean(axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return {
        "against": other["name"],
        "difference": round(float(gain.mean()), 3),
        "interval_95": [round(low, 3), round(high, 3)],
    }


def keep(row: dict, path: Path) -> None:
    """Write the row among those measured before, with its differences to the baseline and to the
    row before it.
    """
    rows = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    order = [e.name for e in ENTRIES]
    rows = [r for r in rows if key(r) != key(row)] + [row]
    rows.sort(key=lambda r: (r["ndim"], r["peak"], order.index(r["name"])))
    for r in rows:
        scene = [o for o in rows if key(o)[:2] == key(r)[:2]]
        before = [o for o in scene if order.index(o["name"]) < order.index(r["name"])]
        r["differences"] = [
            subtract(r, o) for o in ({o["name"]: o for o in (*before[:1], *before[-1:])}).values()
        ]
    document = {
        "machine": describe_machine(),
        "read_noise": READ_NOISE,
        "peaks": PEAKS,
        "steps": STEPS,
        "views": VIEWS,
        "rows": rows,
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(write_table(rows), encoding="utf-8")
    print(
        json.dumps({k: row[k] for k in ("name", "ndim", "peak", "mean", "input") if k in row}),
        flush=True,
    )


def key(row: dict) -> tuple:
    return row["ndim"], row["peak"], row["name"]


def write_table(rows: list[dict]) -> str:
    """PSNR a method and light level, the input first; everything else is in the JSON."""
    lines = ["# Denoisers on simulated pairs", "", __doc__.split("\n\n")[2].replace("\n", " "), ""]
    for ndim in sorted({r["ndim"] for r in rows}):
        some = [r for r in rows if r["ndim"] == ndim]
        peaks = sorted({r["peak"] for r in some})
        lines += [
            f"## {ndim}D",
            "",
            "| PSNR, dB | " + " | ".join(f"{p} photons" for p in peaks) + " | minutes |",
        ]
        lines += ["| --- |" + " ---: |" * (len(peaks) + 1)]
        first = {r["peak"]: r["input"]["psnr"] for r in some}
        lines += ["| input | " + " | ".join(f"{first[p]:.2f}" for p in peaks) + " | – |"]
        for name in dict.fromkeys(e.name for e in ENTRIES):
            found = {r["peak"]: r for r in some if r["name"] == name}
            if found:
                minutes = [r["minutes"] for r in found.values() if "minutes" in r]
                cells = [f"{found[p]['mean']['psnr']:.2f}" if p in found else "" for p in peaks]
                lines.append(
                    f"| {name} | "
                    + " | ".join([*cells, f"{np.mean(minutes):.1f}" if minutes else "–"])
                    + " |"
                )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
