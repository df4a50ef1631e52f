"""Measuring ten thousand nuclei in a volume, against scikit-image's regionprops_table in the same
run; solidity apart on both sides.
"""

from __future__ import annotations

import json

import numpy as np
from _runs import time_call
from bench_score_labels import NUCLEI, SHAPE, make_pair

from nbtools.image import Image
from nbtools.measure import measure

SPACING = (0.5, 0.2, 0.2)
SHARED = (
    "label",
    "area",
    "centroid",
    "equivalent_diameter_area",
    "inertia_tensor_eigvals",
    "intensity_mean",
    "intensity_std",
)


def main() -> None:
    """Print the ratio as JSON: all our columns against the columns that both have."""
    from skimage.measure import regionprops_table

    rng = np.random.default_rng(0)
    label, _ = make_pair(NUCLEI, rng)
    pixels = rng.poisson(100, SHAPE).astype(np.uint16)
    image, labels = Image(pixels, "ZYX", SPACING), Image(label, "ZYX", SPACING)
    theirs_s, theirs = time_call(
        lambda: regionprops_table(label, pixels, spacing=SPACING, properties=SHARED), repeats=1
    )
    ours_s, ours = time_call(lambda: measure(labels, image, solidity=False), repeats=5)
    gap = max(
        np.abs(ours["volume_um3"] - theirs["area"]).max(),
        np.abs(ours["mean_0"] - theirs["intensity_mean"]).max(),
    )
    scene = f"{len(ours['label'])} nuclei in {' x '.join(map(str, SHAPE))}"
    row = {
        "what": (
            f"measure {scene}, {len(ours)} columns / regionprops_table, the {len(theirs)} that "
            "both have"
        )
    }
    row |= {
        "ours": ours_s,
        "theirs": theirs_s,
        "ratio": theirs_s / ours_s,
        "unit": "s",
        "goal": "10 times faster",
    }
    print(
        json.dumps(
            row
            | {"columns": len(ours), "their_columns": len(theirs), "largest_difference": float(gap)}
        )
    )


if __name__ == "__main__":
    main()
