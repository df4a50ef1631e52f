"""Fields with a fault: of the nuclei found without it, how many are found with it?

`python benchmarks/faults.py [--only hot_pixels]`, some 10 minutes on one core. Ten faults of four
strengths each, in planes (`nuclei2d`) and volumes (`nuclei3d`) of the simulator; the same field
without the fault is predicted beside it. Writes `results/faults.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _runs import describe_machine
from scipy import ndimage

from nbtools import methods, simulate
from nbtools.data import Sample

HERE = Path(__file__).resolve().parent
GOAL = 0.95
LOOKS = {
    2: {"shape_px": (288, 288), "radius_um": (4.0, 6.0), "photons": (60.0, 200.0)},
    3: {
        **{"shape_px": (28, 96, 96), "spacing_um": (2.18, 1.0, 1.0), "radius_um": (5.0, 8.0)},
        **{"density": (0.05, 0.08), "clustering": (0.0, 0.2), "squeeze": (0.0,)},
        **{"photons": (60.0, 150.0), "background": (0.02, 0.05), "depth_loss": (0.0,)},
        **{"psf_um": (0.7, 1.2), "psf_stretch": (3.0, 5.0), "outline": 0.1},
        **{"brightness_spread": (0.1, 0.3), "haze": (0.0, 0.1), "gradient": (0.2,)},
    },
}
WEIGHTS = {2: "nuclei2d", 3: "nuclei3d"}


@dataclass
class Field:
    """Grey values and labels, with what a fault needs to know of them.

    Parameters
    ----------
    grey : (*space) float32.
    label : (*space).
    top : largest grey value of the camera.
    """

    grey: np.ndarray
    label: np.ndarray
    top: float

    @property
    def dark(self) -> float:
        return float(np.median(self.grey[self.label == 0]))

    @property
    def bright(self) -> float:
        """Of the nuclei above the dark."""
        return float(np.median(self.grey[self.label > 0])) - self.dark


def hot_pixels(field: Field, share: float, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(field.grey.shape) < share, field.top, field.grey)


def dead_pixels(field: Field, share: float, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(field.grey.shape) < share, 0, field.grey)


def dead_cells(field: Field, times: float, rng: np.random.Generator) -> np.ndarray:
    """Three blurred bodies where there is no nucleus, 2 % of the field, so many times brighter."""
    size = (0.02 * field.grey.size / 3 / 4.19) ** (1 / 3) if field.grey.ndim == 3 else 0.0
    size = size or (0.02 * field.grey.size / 3 / 3.14) ** 0.5
    far = ndimage.distance_transform_edt(field.label == 0)
    light = np.zeros(field.grey.shape)
    for _ in range(3):
        place = np.unravel_index(np.argmax(far * (light == 0)), far.shape)
        apart = sum((a - p) ** 2 for a, p in zip(np.indices(far.shape), place, strict=True))
        radius = min(size, max(far[place] - 4, 3.0))
        light[apart <= radius**2] = times * field.bright
        far = np.where(apart <= (3 * size) ** 2, 0, far)
    return field.grey + ndimage.gaussian_filter(light, 1.0)


def black_margin(field: Field, share: float, rng: np.random.Generator) -> np.ndarray:
    return _put_into(field, share, 0.0)


def white_margin(field: Field, share: float, rng: np.random.Generator) -> np.ndarray:
    return _put_into(field, share, field.top)


def _put_into(field: Field, share: float, value: float) -> np.ndarray:
    """The field within a margin that is the given share of the whole."""
    side = (1 / (1 - share)) ** 0.5
    more = [round(n * (side - 1) / 2) for n in field.grey.shape[-2:]]
    width = [(0, 0)] * (field.grey.ndim - 2) + [(m, m) for m in more]
    field.label = np.pad(field.label, width)
    return np.pad(field.grey, width, constant_values=value)


def empty_ground(field: Field, times: float, rng: np.random.Generator) -> np.ndarray:
    """The field in the middle of empty ground with the noise of its own, so many times its size."""
    more = [round(n * (times**0.5 - 1) / 2) for n in field.grey.shape[-2:]]
    width = [(0, 0)] * (field.grey.ndim - 2) + [(m, m) for m in more]
    far = ndimage.distance_transform_edt(field.label == 0)
    ground = field.grey[far > np.percentile(far, 90)]
    inside = np.pad(np.ones(field.grey.shape, bool), width)
    found = rng.choice(ground, inside.shape)
    found[inside] = field.grey.ravel()
    field.label = np.pad(field.label, width)
    return found


def fading(field: Field, left: float, rng: np.random.Generator) -> np.ndarray:
    """Light falls to a share of it, by depth in volumes, from left to right in planes."""
    axis = np.linspace(0, 1, field.grey.shape[0 if field.grey.ndim == 3 else -1])
    fall = left**axis
    fall = fall[:, None, None] if field.grey.ndim == 3 else fall
    return _dim(field, fall, rng)


def uneven_light(field: Field, left: float, rng: np.random.Generator) -> np.ndarray:
    """Light falls to a share of it from the middle of each plane to its corners."""
    y, x = (np.linspace(-1, 1, n) for n in field.grey.shape[-2:])
    return _dim(field, left ** ((y[:, None] ** 2 + x**2) / 2), rng)


def _dim(field: Field, fall: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Less light with the noise of less light: the smooth part falls, the rest by its root."""
    even = ndimage.median_filter(field.grey, 3)
    even = np.maximum(even - field.dark, 0)
    noise = field.grey - field.dark - even
    return field.dark + even * fall + noise * np.sqrt(fall)


def few_levels(field: Field, levels: float, rng: np.random.Generator) -> np.ndarray:
    """An offset of half the range, and nuclei only so many grey values brighter than the ground."""
    return np.round(field.top / 2 + (field.grey - field.dark) * levels / field.bright)


def burned_in(field: Field, kind: float, rng: np.random.Generator) -> np.ndarray:
    """1: a scale bar; 2: a bright plane, or bar; 3: a bright column; 4: a dark plane, or column."""
    found, (height, width) = field.grey.copy(), field.grey.shape[-2:]
    if kind == 1 or (kind == 2 and found.ndim == 2):
        found[..., height - 16 : height - 10, width - 80 : width - 10] = field.top
    elif found.ndim == 3:
        found[len(found) // 2] = field.top if kind == 2 else 0
    else:
        found[:, width // 3] = field.top if kind == 3 else 0
    return found


Fault = Callable[[Field, float, np.random.Generator], np.ndarray]
FAULTS: dict[
    Fault, tuple[float, ...]
] = {  # strengths in turn: a plane, a volume, a plane, a volume
    hot_pixels: (0.001, 0.003, 0.01, 0.02),
    dead_pixels: (0.001, 0.003, 0.01, 0.02),
    dead_cells: (10, 20, 30, 40),
    black_margin: (0.2, 0.4, 0.6, 0.8),
    white_margin: (0.2, 0.4, 0.6, 0.8),
    empty_ground: (4, 4, 16, 8),
    fading: (0.5, 0.26, 0.25, 0.13),
    uneven_light: (0.6, 0.5, 0.35, 0.3),
    few_levels: (100, 50, 25, 15),
    burned_in: (1, 2, 3, 4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[f.__name__ for f in FAULTS])
    args, path = parser.parse_args(), HERE / "results" / "faults.json"
    models = {ndim: methods.load(name) for ndim, name in WEIGHTS.items()}
    for fault, strengths in FAULTS.items():
        if args.only is None or fault.__name__ in args.only:
            for turn, strength in enumerate(strengths):
                keep(measure(models[2 + turn % 2], fault, strength, seed=turn), path)


def make_sample(ndim: int, *, seed: int) -> Sample:
    return simulate.make(f"nuclei{ndim}d", count=1, seed=seed, settings=LOOKS[ndim])[0]


def measure(model: methods.Method, fault: Fault, strength: float, *, seed: int) -> dict:
    """Nuclei found without the fault, those of them found with it, extra ones, warnings."""
    sample = make_sample(model.domain.ndim, seed=seed)
    pixels = sample.image.pixels
    top = float(np.iinfo(pixels.dtype).max)
    field = Field(pixels.astype(np.float32), sample.label.pixels, top)
    grey = fault(field, strength, np.random.default_rng(seed)).clip(0, top).astype(pixels.dtype)
    plain = model.predict(sample.image)
    faulty = model.predict(sample.image.replace(pixels=grey))
    before, _ = match(sample.label.pixels, plain.labels.pixels)
    after, extra = match(field.label, faulty.labels.pixels)
    return {
        "fault": fault.__name__,
        "strength": strength,
        "weights": model_name(model),
        "nuclei": len(np.unique(sample.label.pixels)) - 1,
        "found": len(before),
        "found_again": len(before & after),
        "extra": extra,
        "extra_before": match(sample.label.pixels, plain.labels.pixels)[1],
        "said": list(set(faulty.warnings) - set(plain.warnings)),
        "said_before": list(plain.warnings),
    }


def model_name(model: methods.Method) -> str:
    return WEIGHTS[model.domain.ndim]


def match(truth: np.ndarray, found: np.ndarray) -> tuple[set[int], int]:
    """Labels found at an IoU of .5 or more, and how many objects are none of them."""
    hits, used = set(), 0
    for label in np.unique(truth[truth > 0]):
        own = truth == label
        over, counts = np.unique(found[own], return_counts=True)
        for other, shared in zip(over, counts, strict=True):
            if other and 2 * shared > own.sum() and shared / (own | (found == other)).sum() >= 0.5:
                hits.add(int(label))
                used += 1
    return hits, len(np.unique(found[found > 0])) - used


def keep(row: dict, path: Path) -> None:
    """Write the row among those measured before, as JSON and as a table."""
    before = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    rows = {(r["fault"], r["strength"], r["weights"]): r for r in [*before, row]}
    names = [f.__name__ for f in FAULTS]
    rows = sorted(rows.values(), key=lambda r: names.index(r["fault"]))
    about = {"date": time.strftime("%Y-%m-%d"), "machine": describe_machine(), "rows": rows}
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(write_table(rows), encoding="utf-8")
    print(json.dumps(row), flush=True)


def write_table(rows: list[dict]) -> str:
    """A row a field."""
    good = sum(r["found_again"] >= GOAL * r["found"] for r in rows)
    lines = [
        "# Fields with a fault, and the same fields without it",
        "",
        f"By `python benchmarks/faults.py`. In {good} of {len(rows)} fields at least 95 % of the "
        "nuclei found without the fault (IoU 0.5) are found with it.",
        "",
        "| fault | strength | weights | nuclei | found | of these, with the fault | extra, without "
        "and with |",
        "| --- | ---: | --- |" + " ---: |" * 4,
    ]
    for r in rows:
        lines.append(
            f"| {r['fault'].replace('_', ' ')} | {r['strength']:g} | {r['weights']} "
            f"| {r['nuclei']} | {r['found']} | {r['found_again']} "
            f"| {r['extra_before']}, {r['extra']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
