"""Targets of 500 images: `fast_nuclei`'s distance, foreground and weights, against stardist's
distance alone, in the same run.

Both give each nucleus a distance to its border that is 1 at its centre.
"""

from __future__ import annotations

import json

import numpy as np
from _runs import time_call

from nbtools import simulate
from nbtools.targets import distance

SCENES, IMAGES, REPEATS = 20, 500, 3
LOOKS = {
    "shape_px": (256, 256),
    "density": (0.1, 0.4),
    "clustering": (0.0, 0.6),
    "radius_um": (3.0, 7.0),
}


def main() -> None:
    """Print the ratio as JSON."""
    from stardist.utils import edt_prob

    labels = [
        sample.label.pixels.astype(np.int32)
        for sample in simulate.make("nuclei2d", count=SCENES, seed=0, settings=LOOKS)
    ]
    labels = [np.rot90(labels[i % SCENES], i // SCENES % 4).copy() for i in range(IMAGES)]
    ours, made = time_call(lambda: [distance.encode(label) for label in labels], repeats=REPEATS)
    theirs, alone = time_call(lambda: [edt_prob(label) for label in labels], repeats=REPEATS)
    gap = max(float(np.abs(a[..., 1] - b)[b > 0].mean()) for a, b in zip(made, alone, strict=True))
    row = {
        "what": f"distance targets of {IMAGES} images of 256 x 256 px / stardist.utils.edt_prob",
        "ours": ours,
        "theirs": theirs,
    }
    nuclei = float(np.mean([label.max() for label in labels]))
    print(
        json.dumps(
            row
            | {
                "ratio": theirs / ours,
                "unit": "s",
                "goal": 5,
                "nuclei_an_image": nuclei,
                "largest_mean_difference": gap,
            }
        )
    )


if __name__ == "__main__":
    main()
