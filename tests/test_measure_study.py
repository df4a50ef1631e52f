"""From rendered volumes to the difference of two lines: simulate, measure, compare."""

import numpy as np
import pytest

from nbtools import measure, simulate
from nbtools.metrics.statistics import compare_groups

SHARED = {
    "shape_px": (36, 72, 72),
    "spacing_um": (0.5, 0.25, 0.25),
    "count": 8,
    "cut": 0.0,
    "clustering": (0.0,),
    "squeeze": (0.0,),
    "radius_spread": (0.05,),
    "roughness": (0.02,),
    "chromocentres": (0.0,),
    "nucleoli": (0.0,),
}
LINES = {
    "wild type": (2.8, 1.1),
    "mutant": (2.8 * 1.1 ** (1 / 3), 1.7),
}  # mean radius in µm, longest over shortest axis


@pytest.fixture(scope="module")
def study() -> dict:
    """Six plants of each line, up to eight whole nuclei from each; plants differ by 2 % in
    radius.
    """
    rng, tables = np.random.default_rng(1), []
    for line, (radius, stretch) in LINES.items():
        for plant in range(6):
            changes = {"radius_um": (radius * rng.normal(1, 0.02),), "elongation": (stretch,)}
            field = simulate.make("nuclei3d", count=1, seed=len(tables), settings=SHARED | changes)[
                0
            ]
            tables.append(
                measure.measure(field.label, solidity=False) | {"line": line, "plant": plant}
            )
    whole = measure.stack(tables)
    return measure.choose(whole, ~whole["touches_border"])


@pytest.mark.parametrize("method", ["units", "mixed"])
def test_larger_and_flatter_nuclei_are_found_in_rendered_volumes(study, method):
    volume, flatness = compare_groups(
        study, ["volume_um3", "flatness"], group="line", unit="plant", method=method
    )["rows"]
    assert volume["ratio_interval_95"][0] < 1.1 < volume["ratio_interval_95"][1]
    assert volume["ratio_interval_95"][1] / volume["ratio_interval_95"][0] < 1.3
    assert flatness["interval_95"][0] > 0
    assert len(study["label"]) > 50
