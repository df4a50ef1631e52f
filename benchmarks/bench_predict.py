"""A 2048 x 2048 image to labels: the shipped `nuclei2d_small` against a StarDist with the package's
defaults, in the same run.

Both take the same image of some 5,600 nuclei, half of them touching. Ours is the whole way from
image to labels. StarDist's network has random weights, for its time does not depend on them; the
shapes are then drawn from the maps that a perfect network would give, by the package itself, so
that it decides between as many candidates as it would. Normalising is on both sides.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _runs import time_call

from nbtools import methods, simulate

SIDE, REPEATS = 2048, 3
SCENE = {
    "shape_px": (SIDE, SIDE),
    "density": (0.3,),
    "clustering": (0.5,),
    "radius_um": (4.0, 7.0),
    "photons": (50.0, 500.0),
}


def main() -> None:
    """Print the ratio as JSON."""
    [sample] = simulate.make("nuclei2d", count=1, seed=0, settings=SCENE)
    model = methods.load("nuclei2d_small")
    ours, found = time_call(lambda: model.predict(sample.image).labels, repeats=REPEATS, warm_up=1)
    steps = prepare_stardist(sample.image.pixels, sample.label.pixels)
    theirs = {name: time_call(step, repeats=REPEATS, warm_up=1)[0] for name, step in steps.items()}
    total = sum(theirs.values())
    about = {
        "what": "2048 x 2048 px to labels",
        "nuclei": int(sample.label.pixels.max()),
        "found": int(found.pixels.max()),
    }
    result = {
        "ours": ours,
        "theirs": total,
        "unit": "s",
        "ratio": total / ours,
        "goal": 3,
        "theirs_parts": theirs,
    }
    print(json.dumps(about | result))


def prepare_stardist(pixels: np.ndarray, label: np.ndarray) -> dict[str, Callable]:
    """What the package does, in two parts that can be timed: normalise and ask the network; decide
    between shapes and draw them.
    """
    from csbdeep.utils import normalize
    from stardist.geometry import star_dist
    from stardist.models import Config2D, StarDist2D
    from stardist.utils import edt_prob

    grid = (2, 2)
    with tempfile.TemporaryDirectory() as folder:
        model = StarDist2D(Config2D(grid=grid), name="alone", basedir=folder)
    shapes = star_dist(label, model.config.n_rays, grid=grid)
    inside = edt_prob(label)[:: grid[0], :: grid[1]]
    return {
        "network": lambda: model.predict(normalize(pixels, 1, 99.8), show_tile_progress=False),
        "shapes": lambda: model._instances_from_prediction(
            pixels.shape, inside, shapes, prob_thresh=0.5, nms_thresh=0.4
        ),
    }


if __name__ == "__main__":
    main()
