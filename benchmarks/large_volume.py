"""A volume that is larger than most memories bear at once: does the prediction stay within its
forecast, and how long does it take?

`python benchmarks/large_volume.py [--only unet] [--minutes 1]`, ten minutes a method. Each is
trained for a minute, then predicts a simulated volume of that shape, and one of 16 x 64 x 64 for
what the program takes anyway. `results/large_volume.json` holds the forecast beside the memory that
the large volume took more than the small one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from _runs import count_cores, describe_machine, nbtools

HERE = Path(__file__).resolve().parent
SETTINGS = {
    "fast_nuclei": "",
    "unet": "",
    "stardist": "--set patch_depth=24",
    "border_unet": "",
    "flows": "",
    "flows, planes": "--set views=planes --set patch_size=96",
    "qcanet": "",
    "cdeep3m": "--set patch_size=96",
    "nnunet_planned": "",
}
LARGE = ("fast_nuclei", "unet", "stardist")  # the others are asked for 32 x 256 x 256
SHAPES = {True: (64, 1024, 1024), False: (32, 256, 256)}
SMALL, PIECE = (16, 64, 64), (64, 256, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--minutes", type=float, default=1.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for seed, part in enumerate(("train", "val")):
            nbtools(
                f"simulate nuclei3d --count {6 - 4 * seed} --seed {seed} --out {place}/{part}",
                {"commands": []},
            )
        for shape in (SMALL, *SHAPES.values()):
            write_volume(Path(place) / name(shape), shape)
        for method in args.only:
            keep(measure(method, Path(place), minutes=args.minutes))


def write_volume(folder: Path, shape: tuple[int, ...]) -> None:
    """A simulated piece and its mirror images, side by side, until the shape is full."""
    from nbtools import io, simulate

    piece = simulate.make(
        "nuclei3d",
        count=1,
        seed=2,
        settings={"shape_px": tuple(min(a, b) for a, b in zip(PIECE, shape, strict=True))},
    )
    image = piece[0].image
    widths = [(0, n - own) for n, own in zip(shape, image.shape, strict=True)]
    folder.mkdir()
    io.write_image(
        folder / "volume.tif", image.replace(pixels=np.pad(image.pixels, widths, mode="symmetric"))
    )


def measure(method: str, place: Path, *, minutes: float) -> dict:
    """One row: training, the small volume, the large one, and the forecast."""
    from nbtools import io, methods

    shape = SHAPES[method in LARGE]
    row = {
        "name": method,
        "shape": shape,
        "cores": count_cores(),
        "date": time.strftime("%Y-%m-%d"),
        "commands": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        words = f"{SETTINGS[method]} --minutes {minutes:g} --out {folder}/model"
        nbtools(f"train {method.split(',')[0]} {place}/train --val {place}/val {words}", row)
        small = nbtools(f"predict {folder}/model {place / name(SMALL)} --out {folder}/small", row)
        large = nbtools(f"predict {folder}/model {place / name(shape)} --out {folder}/large", row)
        told = methods.load(f"{folder}/model").forecast(
            io.read_image(place / name(shape) / "volume.tif")
        )
    row |= {
        "tiles": told.tiles,
        "tile": told.tile,
        "forecast_gb": round(told.needed / 1e9, 2),
        "memory_gb": large["memory_gb"],
    }
    taken = round(large["memory_gb"] - small["memory_gb"], 2)
    image = large["document"]["images"][0]
    return row | {
        "taken_gb": taken,
        "within": taken <= row["forecast_gb"],
        "seconds": image["seconds"],
        "nuclei": image.get("nuclei"),
    }


def name(shape: tuple[int, ...]) -> str:
    """The folder of a volume of this shape."""
    return "x".join(map(str, shape))


def keep(row: dict) -> None:
    """Write the row among those measured before."""
    path = HERE / "results" / "large_volume.json"
    rows = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    rows = [r for r in rows if r["name"] != row["name"]] + [row]
    rows.sort(key=lambda r: list(SETTINGS).index(r["name"]))
    path.write_text(
        json.dumps({"machine": describe_machine(), "rows": rows}, indent=1) + "\n", encoding="utf-8"
    )
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
