"""Nuclei of another size than the training's: the shipped `nuclei2d` on real images made smaller
and larger, with the size told and not.

`python benchmarks/sizes.py [--every 6]`, with the data sets under $NBTOOLS_DATA; minutes. Every
sixth validation image of DSB2018's fluorescence images, 256 x 256 px of it, at 0.4 to 4 times its
size. One look is the image as it is; its own look is what `predict` does: it looks for the
magnification at which it contradicts itself least; told is `--diameter`. Writes
`results/sizes.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _runs import describe_machine
from skimage.transform import resize

from nbtools import config, methods
from nbtools.data import DataSet, Sample
from nbtools.methods import Method
from nbtools.metrics import instances

FACTORS, SIDE = (0.4, 0.6, 1.0, 2.0, 3.0, 4.0), 256
HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--every", type=int, default=6, help="Take every so-manieth validation image."
    )
    args = parser.parse_args()
    dataset = DataSet.open(
        Path(config.environment("NBTOOLS_DATA", ".")) / "dsb2018_fluorescence" / "val"
    )
    samples = [dataset[i] for i in range(0, len(dataset), args.every)]
    once, model, rows = methods.load("nuclei2d"), methods.load("nuclei2d"), []
    once.settings = once.settings.replace(auto_scale=False)
    for factor in FACTORS:
        scaled = [scale(sample, factor) for sample in samples]
        size = model.domain.nucleus_size * factor
        rows.append(
            {
                "factor": factor,
                "one look": judge(once, scaled),
                "its own look": judge(model, scaled),
            }
        )
        rows[-1]["told"] = judge(model, scaled, diameter=size)
        print(json.dumps(rows[-1]), flush=True)
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "images": len(samples),
        "rows": rows,
    }
    (HERE / "results" / "sizes.json").write_text(
        json.dumps(about, indent=1) + "\n", encoding="utf-8"
    )
    (HERE / "results" / "sizes.md").write_text(write_table(rows), encoding="utf-8")


def scale(sample: Sample, factor: float) -> Sample:
    """A corner of a sample, enlarged or reduced, as 16 bit; its pixel is the unit of its
    spacing.
    """
    shape = tuple(round(min(n, SIDE) * factor) for n in sample.image.space_shape)
    grey, label = (i.to("YX").pixels[:SIDE, :SIDE] for i in (sample.image, sample.label))
    grey = resize(
        grey.astype(np.float32), shape, order=1, anti_aliasing=factor < 1, preserve_range=True
    )
    label = resize(label, shape, order=0, anti_aliasing=False, preserve_range=True).astype(np.int32)
    about = {"axes": "YX", "spacing": (1.0, 1.0), "unit": "pixel", "channels": ()}
    image = sample.image.replace(pixels=np.round(200 * grey).astype(np.uint16), **about)
    return sample.replace(image=image, label=sample.label.replace(pixels=label, **about))


def judge(
    model: Method, samples: list[Sample], *, diameter: float | None = None
) -> dict[str, float]:
    """Pooled AP at 0.5, and the mean AP."""
    found = []
    for sample in samples:
        image = sample.image if diameter else sample.image.replace(spacing=None)
        found.append((sample.name, sample.label, model.predict(image, diameter=diameter).labels))
    scores = instances.evaluate(found)
    return {
        "ap50": round(scores["pooled"]["0.50"]["ap"], 3),
        "mean_ap": round(scores["mean_ap"], 3),
    }


def write_table(rows: list[dict]) -> str:
    """A row a size; AP at 0.5 and mean AP."""
    names = [name for name in rows[0] if name != "factor"]
    lines = [
        "# Nuclei of another size than the training's",
        "",
        "By `python benchmarks/sizes.py`, on 256 x 256 px of every sixth validation image of "
        "DSB2018; AP at 0.5 / mean AP.",
        "",
    ]
    lines += [f"| images enlarged | {' | '.join(names)} |", "| ---: |" + " ---: |" * len(names)]
    for row in rows:
        cells = " | ".join(
            f"{row[name]['ap50']:.3f} / {row[name]['mean_ap']:.3f}" for name in names
        )
        lines.append(f"| {row['factor']:g} times | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
