"""A volume to labels: `fast_nuclei` against a StarDist of 96 rays with the package's defaults on a
grid of (1, 2, 2), in the same run.

The volume is 32 x 256 x 256 voxels of simulated nuclei. Both networks have random weights, for
their time does not depend on them, and see the volume as a user's would, in tiles where they need
any; both then decode the maps that a perfect network would give, so that each parts and draws as
many nuclei as there are. Minutes, not seconds: not part of `make bench`. Writes
`results/predict_volume.json`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _runs import count_cores, describe_machine, time_call

from nbtools import methods, simulate
from nbtools.methods.domain import Domain
from nbtools.metrics import instances
from nbtools.targets import distance

SHAPE, SPACING, GRID = (32, 256, 256), (1.0, 0.4, 0.4), (1, 2, 2)
SCENE = {"shape_px": SHAPE, "spacing_um": SPACING, "density": (0.2,), "clustering": (0.5,)}


def main() -> None:
    """Measure both sides, and print and write the ratio."""
    [sample] = simulate.make("nuclei3d", count=1, seed=0, settings=SCENE)
    pixels, label = sample.image.pixels, sample.label.pixels.astype(np.int32)
    seconds, ap = {}, {}
    for side, prepare in (("ours", prepare_ours), ("theirs", prepare_stardist)):
        steps = prepare(pixels, label)
        taken = {
            name: time_call(step, repeats=1, warm_up=int(name == "network"))
            for name, step in steps.items()
        }
        seconds[side] = {name: round(s, 2) for name, (s, _) in taken.items()}
        drawn = taken["labels"][1]
        ap[side] = instances.score(label, drawn[0] if isinstance(drawn, tuple) else drawn).ap
        print(side, seconds[side], ap[side], file=sys.stderr, flush=True)
    ours, theirs = (round(sum(seconds[side].values()), 2) for side in ("ours", "theirs"))
    row = {
        "what": f"{' x '.join(map(str, SHAPE))} voxels to labels",
        "ours": ours,
        "theirs": theirs,
        "ratio": theirs / ours,
        "unit": "s",
    }
    row |= {
        "goal": 3,
        "nuclei": int(label.max()),
        "parts": seconds,
        "ap_of_perfect_maps": ap,
        "cores": count_cores(),
    }
    document = {"date": time.strftime("%Y-%m-%d"), "machine": describe_machine(), **row}
    path = Path(__file__).resolve().parent / "results" / "predict_volume.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))


def prepare_ours(pixels: np.ndarray, label: np.ndarray) -> dict[str, Callable]:
    """Normalise and ask the network, and decode."""
    method = methods.get("fast_nuclei")()
    method.domain = Domain(3, spacing=tuple(s / min(SPACING) for s in SPACING))
    method.adopt(method.build())
    maps = distance.encode(label, spacing=method.domain.spacing)[..., :2]
    return {
        "network": lambda: method.infer(pixels[..., None]),
        "labels": lambda: method.decode(maps, **method.decoding_values()),
    }


def prepare_stardist(pixels: np.ndarray, label: np.ndarray) -> dict[str, Callable]:
    """What the package does: normalise and ask the network, in four tiles; decide between shapes
    and draw them.
    """
    from csbdeep.utils import normalize
    from stardist import Rays_GoldenSpiral
    from stardist.geometry import star_dist3D
    from stardist.models import Config3D, StarDist3D
    from stardist.utils import edt_prob

    anisotropy = tuple(s / min(SPACING) for s in SPACING)
    rays = Rays_GoldenSpiral(96, anisotropy=anisotropy)
    with tempfile.TemporaryDirectory() as folder:
        model = StarDist3D(
            Config3D(rays=rays, grid=GRID, anisotropy=anisotropy), name="alone", basedir=folder
        )
    shapes = star_dist3D(label, rays, grid=GRID)
    inside = edt_prob(label, anisotropy=anisotropy)[:: GRID[0], :: GRID[1], :: GRID[2]]
    return {
        "network": lambda: model.predict(
            normalize(pixels, 1, 99.8), n_tiles=(1, 2, 2), show_tile_progress=False
        ),
        "labels": lambda: model._instances_from_prediction(
            pixels.shape, inside, shapes, prob_thresh=0.5, nms_thresh=0.3
        ),
    }


if __name__ == "__main__":
    main()
