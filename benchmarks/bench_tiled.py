"""Tiled prediction against the bare network on the same tiles, four at a time and already in
memory: what cutting and joining cost.

The image is 2000 x 2000 px in tiles of 512. What the network sees twice, in the overlaps of tiles,
counts as its work on both sides; `useful` is the share of its work that is not.
"""

from __future__ import annotations

import json
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from nbtools import inference, methods
from nbtools.inference import tiled

SIDE, TILE, BATCH, REPEATS = 2000, 512, 4, 3


def main() -> None:
    """Print the ratio as JSON."""
    model = methods.load("nuclei2d")
    pixels = np.random.default_rng(0).integers(100, 4000, (SIDE, SIDE, 1)).astype(np.uint16)
    plan = inference.plan_tiles(pixels.shape[:2], model.field, tile=(TILE, TILE))
    scale, tiles = model.scale_of(pixels), inference.Tiled(model.field)
    cut = np.stack([scale.apply(tiled._cut(pixels, plan, windows)) for windows in plan.tiles])
    batches = [cut[i : i + BATCH] for i in range(0, len(cut), BATCH)]
    work = cut[..., 0].size
    joined, bare = [], []
    for _ in range(1 + REPEATS):  # the first warms up
        start = time.perf_counter()
        tiles(lambda tile: model.run(scale.apply(tile)), pixels, tile=(TILE, TILE))
        middle = time.perf_counter()
        for batch in batches:
            np.asarray(model.model.predict_on_batch(batch))
        joined.append(middle - start)
        bare.append(time.perf_counter() - middle)
    ours, theirs = (work / 1e6 / statistics.median(seconds[1:]) for seconds in (joined, bare))
    about = {
        "what": "tiled prediction against the bare network",
        "ours": ours,
        "theirs": theirs,
        "unit": "megapixels/s",
    }
    result = {
        "ratio": ours / theirs,
        "goal": 0.9,
        "tiles": len(cut),
        "useful": round(plan.useful_share, 3),
    }
    print(json.dumps(about | result))


if __name__ == "__main__":
    main()
