"""How often 95 % intervals hold a planted difference: 500 simulated studies, with the plant as the
unit and with the nucleus.

`python benchmarks/interval_coverage.py` writes results/interval_coverage.json. Wild type against a
mutant whose nuclei are 10 % larger and 8 % flatter; plants of a line differ by 6 %, nuclei of a
plant by 20 %; a plant has 10 to 60 nuclei. Intervals that hold in 95 % of all studies hold in 93 to
97 % of 500. `few_units`: how often the bootstrap interval of a mean of few images holds the mean of
all, for scores that are distributed normally or skewed to one side, with plain percentiles and with
those that `metrics.bootstrap` takes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from nbtools.metrics.bootstrap import DRAWS, find_tail
from nbtools.metrics.statistics import compare_groups

REPEATS, PLANTS = 500, 8
COLUMNS = {
    "volume_um3": (100.0, 1.10, 0.06, 0.20),
    "flatness": (1.25, 1.08, 0.03, 0.10),
}  # mean, ratio, spread of plants and of nuclei
ANALYSES = {
    "unit means": ("units", "plant"),
    "mixed model": ("mixed", "plant"),
    "bootstrap": ("bootstrap", "plant"),
    "nuclei": ("units", None),
}


def main() -> None:
    """Share of intervals that hold the truth, and of studies that find the difference, by analysis
    and column.
    """
    held = {name: {column: [0, 0, 0] for column in COLUMNS} for name in ANALYSES}
    for repeat in range(REPEATS):
        table = simulate_study(np.random.default_rng(repeat))
        for name, (method, unit) in ANALYSES.items():
            for row in compare_groups(table, list(COLUMNS), group="line", unit=unit, method=method)[
                "rows"
            ]:
                mean, ratio = COLUMNS[row["column"]][:2]
                (low, high), (least, most), count = (
                    row["interval_95"],
                    row["ratio_interval_95"],
                    held[name][row["column"]],
                )
                count[0] += low <= mean * (ratio - 1) <= high
                count[1] += least <= ratio <= most
                count[2] += low > 0
    words = ("difference_held", "ratio_held", "found")
    shares = {
        n: {c: dict(zip(words, np.array(k) / REPEATS, strict=True)) for c, k in one.items()}
        for n, one in held.items()
    }
    document = {
        "repeats": REPEATS,
        "plants_a_line": PLANTS,
        "planted": {c: COLUMNS[c][1] for c in COLUMNS},
        "shares": shares,
        "few_units": {str(n): measure_few(n) for n in (2, 3, 4, 5, 6, 8, 12, 20)},
    }
    (Path(__file__).parent / "results" / "interval_coverage.json").write_text(
        json.dumps(document, indent=2) + "\n", encoding="utf-8"
    )
    json.dump(document, sys.stdout, indent=2)


def measure_few(units: int) -> dict[str, float]:
    """Share of intervals of the mean of a few units that hold the mean of all."""
    rng, held = np.random.default_rng(units), {}
    draws = {
        "normal": lambda: rng.standard_normal(units),
        "skewed": lambda: 1 - rng.exponential(size=units),  # mean 0; some images fail badly
    }
    for name, draw in draws.items():
        count = np.zeros(2)
        for _ in range(4 * REPEATS):
            values = draw()
            times = rng.multinomial(units, np.full(units, 1 / units), size=DRAWS)
            means = times @ values / units
            for i, tail in enumerate((0.025, find_tail(units))):
                low, high = np.percentile(means, (100 * tail, 100 - 100 * tail))
                count[i] += low <= 0 <= high
        shares = np.round(count / (4 * REPEATS), 3).tolist()
        held |= {f"{name}, percentile": shares[0], f"{name}, widened": shares[1]}
    return held


def simulate_study(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A table of nuclei of two lines, with plants that differ."""
    plant = np.concatenate([np.full(rng.integers(10, 60), i) for i in range(2 * PLANTS)])
    mutant = plant >= PLANTS
    table = {"plant": plant, "line": np.where(mutant, "mutant", "wild type")}
    for column, (mean, ratio, between, within) in COLUMNS.items():
        deviation = between * rng.standard_normal(2 * PLANTS)[plant] + within * rng.standard_normal(
            plant.size
        )
        table[column] = mean * (np.where(mutant, ratio, 1.0) + deviation)
    return table


if __name__ == "__main__":
    main()
