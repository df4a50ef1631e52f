"""Wild type and mutant: each planted effect is there, alone, and plants differ in their session."""

from functools import cache

import numpy as np
import pytest

from nbtools import simulate
from nbtools.measure import measure
from nbtools.simulate.genotypes import GenotypeSettings, draw_values

SMALL = {"plants": 1, "batch": 0.0, "plant_spread": 0.0, "radius_spread": (0.0,)}
SMALL |= {"shape_px": (24, 64, 64), "count": 4}


@cache
def measure_study(effect: str) -> dict[str, dict]:
    """Measurements of both genotypes, a few nuclei each, all of one size."""
    found = {}
    for sample in simulate.make("classes", count=2, seed=4, settings=SMALL | {"effect": effect}):
        how = {"solidity": False, "chromocentres": effect == "position"}
        found[sample.classes[1]] = measure(sample.label, sample.image, **how)
    return found


def compare(effect: str, column: str) -> float:
    """Mean of a measurement in mutants over that in wild type."""
    found = measure_study(effect)
    return float(np.nanmean(found["mutant"][column]) / np.nanmean(found["wild type"][column]))


def test_a_larger_nucleus_has_the_volume_that_was_planted():
    assert compare("size", "volume_um3") == pytest.approx(1.12**3, rel=0.1)


def test_a_flatter_nucleus_keeps_its_volume():
    assert compare("flatness", "flatness") > 1.15
    assert compare("flatness", "volume_um3") == pytest.approx(1, abs=0.08)


def test_position_moves_chromocentres_and_leaves_the_shape():
    assert compare("position", "chromocentre_centre_border_um") > 1.15
    assert compare("position", "volume_um3") == pytest.approx(1, abs=0.08)


def test_a_session_is_alike_within_a_plant_and_differs_between_plants():
    settings = simulate.settings_for("classes", {"effect": "none"})
    values = [draw_values(settings, kind=0, plant=p, seed=0)["photons"] for p in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    calm = simulate.settings_for("classes", {"effect": "none", "batch": 0.0})
    photons = {
        draw_values(calm, kind=k, plant=p, seed=0)["photons"] for k in (0, 1) for p in (0, 1)
    }
    assert len(photons) == 1


def test_without_an_effect_genotypes_are_drawn_alike():
    assert GenotypeSettings(effect="none").effect_factors() == {}
    assert set(GenotypeSettings(effect="all").effect_factors()) == {
        "radius_um",
        "flattening",
        "chromocentres",
        "spot_power",
    }
