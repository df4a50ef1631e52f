"""How exact the numbers of shape are, on bodies whose numbers are known.

`python benchmarks/shape_accuracy.py` writes results/shape_accuracy.json. Balls, ellipsoids, cubes
(turned at random, or along the grid) and peanuts, their centres anywhere between the pixels, at z
steps of 1, 2, 5 and 10 times the pixel in the plane; the same in 2D. `worst` is the largest
relative error of each column over all bodies of a kind, `worst_reliable` over those for which no
column is named in `unreliable`, and `reliable` their share.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy.special import ellipe, elliprg

from nbtools.image import Image
from nbtools.measure import measure

RADII = (3, 4, 5, 6, 8, 10, 14, 20)
STEPS = {2: (1, 2), 3: (1, 2, 5, 10)}
KINDS = ("ball", "ellipsoid", "cube", "aligned cube", "peanut")
REPEATS = 12


def main() -> None:
    """Write errors by kind, z step and radius."""
    rows = []
    for ndim, steps in STEPS.items():
        for kind in KINDS:
            for step in steps:
                rows += [measure_bodies(kind, radius, step, ndim=ndim) for radius in RADII]
    document = {"repeats": REPEATS, "rows": [row for row in rows if row]}
    target = Path(__file__).parent / "results" / "shape_accuracy.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    worst = {}
    for row in document["rows"]:
        for column, error in (row["worst_reliable"] or {}).items():
            key = f"{row['dimensions']}D {column}"
            worst[key] = max(worst.get(key, 0), error)
    json.dump(worst, sys.stdout, indent=1)


def measure_bodies(kind: str, radius: float, step: int, *, ndim: int) -> dict | None:
    """Worst errors of bodies of a kind; None where none holds a pixel."""
    errors, reliable = [], []
    for seed in range(REPEATS):
        rng = np.random.default_rng([ndim, step, radius, seed])
        body = make_body(kind, radius, spacing=(float(step), 1.0, 1.0)[:ndim], rng=rng)
        if body is None:
            continue
        row, truth = measure_body(*body)
        reliable.append(bool(row["reliable"]))
        errors.append({name: abs(row[name] / value - 1) for name, value in truth.items()})
    if not errors:
        return None
    return {
        "dimensions": ndim,
        "kind": kind,
        "z_step": step,
        "radius_px": radius,
        "reliable": float(np.mean(reliable)),
        "worst": find_worst(errors),
        "worst_reliable": find_worst([e for e, r in zip(errors, reliable, strict=True) if r]),
    }


def measure_body(label: Image, surface: float, volume: float, solid: bool) -> tuple[dict, dict]:
    """The row of a body, and the true values of its columns."""
    row = {name: column[0] for name, column in measure(label).items()}
    if label.pixels.ndim == 2:
        radius = np.sqrt(volume / np.pi)
        truth = {"area_um2": volume, "perimeter_um": surface}
        truth["sphericity"] = 2 * np.pi * radius / surface
    else:
        radius = (volume * 3 / 4 / np.pi) ** (1 / 3)
        truth = {"volume_um3": volume, "surface_um2": surface}
        truth["sphericity"] = 4 * np.pi * radius**2 / surface
    return row, truth | ({"solidity": 1.0} if solid else {})


def find_worst(errors: list[dict]) -> dict | None:
    """Largest error of each column; None where there is no body. A missing value counts as 1."""
    if not errors:
        return None
    return {
        name: round(max(1.0 if np.isnan(e[name]) else float(e[name]) for e in errors), 4)
        for name in errors[0]
    }


def make_body(
    kind: str, radius: float, *, spacing: tuple[float, ...], rng: np.random.Generator
) -> tuple[Image, float, float, bool] | None:
    """Make a label image with its true surface (perimeter) and volume (area), and if it is convex.

    Parameters
    ----------
    kind : of `KINDS`; a peanut is two overlapping balls.
    radius : in µm; half of the edge of a cube, the mean of the axes of an ellipsoid.
    spacing : pixel size, z first.
    rng : of rotation, position and axes.
    """
    ndim = len(spacing)
    rotation = np.linalg.qr(rng.standard_normal((ndim, ndim)))[0]
    if kind == "aligned cube":
        rotation = np.eye(ndim)
    shape = (np.ceil(4.6 * radius / np.array(spacing)) + 2).astype(int)
    lines = [
        (np.arange(n) - (n - 1) / 2 + rng.uniform(-0.5, 0.5)) * s
        for n, s in zip(shape, spacing, strict=True)
    ]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1) @ rotation
    make = {"peanut": make_peanut, "cube": make_cube, "aligned cube": make_cube}
    inside, surface, volume = make.get(kind, make_ellipsoid)(grid, radius, kind, rng)
    if not inside.any():
        return None
    label = Image(inside.astype(np.uint8), "ZYX"[-ndim:], spacing)
    return label, surface, volume, kind != "peanut"


def make_cube(grid, radius, _kind, _rng) -> tuple[np.ndarray, float, float]:
    """A cube or square of edge 2 * radius."""
    ndim = grid.shape[-1]
    inside = (np.abs(grid) <= radius).all(axis=-1)
    return inside, 2 * ndim * (2 * radius) ** (ndim - 1), (2.0 * radius) ** ndim


def make_ellipsoid(grid, radius, kind, rng) -> tuple[np.ndarray, float, float]:
    """A ball, or an ellipsoid of the same volume with axes up to 1.8 times as long as others."""
    axes = np.full(grid.shape[-1], float(radius))
    if kind == "ellipsoid":
        axes *= np.exp(rng.uniform(-0.3, 0.3, len(axes)))
        axes *= radius / np.prod(axes) ** (1 / len(axes))
    inside = ((grid / axes) ** 2).sum(axis=-1) <= 1
    if len(axes) == 2:
        a, b = np.sort(axes)
        return inside, 4 * b * ellipe(1 - (a / b) ** 2), np.pi * a * b
    a, b, c = axes**2
    surface = 4 * np.pi * elliprg(a * b, a * c, b * c)  # Carlson's symmetric elliptic integral
    return inside, surface, 4 / 3 * np.pi * axes.prod()


def make_peanut(grid, radius, _kind, rng) -> tuple[np.ndarray, float, float]:
    """Two balls (discs) that overlap."""
    apart = radius * rng.uniform(0.2, 0.9)  # of each centre from the middle
    shift = np.eye(grid.shape[-1])[0] * apart
    inside = (((grid - shift) ** 2).sum(axis=-1) <= radius**2) | (
        ((grid + shift) ** 2).sum(axis=-1) <= radius**2
    )
    if grid.shape[-1] == 2:
        angle, side = np.arccos(apart / radius), np.sqrt(radius**2 - apart**2)
        lens = radius**2 * angle - apart * side
        return inside, 4 * radius * (np.pi - angle), 2 * (np.pi * radius**2 - lens)
    cap = np.pi * (radius - apart) ** 2 * (2 * radius + apart) / 3
    surface = 2 * (4 * np.pi * radius**2 - 2 * np.pi * radius * (radius - apart))
    return inside, surface, 2 * (4 / 3 * np.pi * radius**3 - cap)


if __name__ == "__main__":
    main()
