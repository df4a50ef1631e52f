"""How sure a number is that was measured on a few images: what it would have been on other draws of
them, or of groups of them.

Efron & Tibshirani 1993, doi:10.1201/9780429246593.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000  # bootstrap samples: limits of the interval settle to about 0.002
LIMITS = (2.5, 97.5)  # percentiles of the draws

Rate = Callable[
    [np.ndarray], dict[str, np.ndarray]
]  # (..., counts) summed over images → name → (...) numbers


@dataclass(frozen=True)
class Counting:
    """How the scores of a task add up over images, so that any draw of images can be scored.

    Parameters
    ----------
    metrics : by name, the one that methods are ranked by first.
    count : (rows of `evaluate` for each method, its whole scores) → (methods, images, …) numbers
        that add up over images, and the function that turns their sums into metrics.
    smaller_is_better : those of the metrics where less is better.
    """

    metrics: tuple[str, ...]
    count: Callable[[Sequence[Sequence[Mapping]], Sequence[Mapping]], tuple[np.ndarray, Rate]]
    smaller_is_better: tuple[str, ...] = ()


def find_units(names: Sequence[str], groups: Mapping[str, object] | None = None) -> np.ndarray:
    """Number of the unit that each image is drawn with: its own, or that of its group (mosaic,
    embryo, patient).
    """
    if not groups:
        return np.arange(len(names))
    return np.unique([str(groups.get(name, name)) for name in names], return_inverse=True)[1]


def draw_sums(table: np.ndarray, *, units: np.ndarray, seed: int = 0) -> np.ndarray | None:
    """Sums over the images of each draw of units with replacement; None where there is only one
    unit.

    table : (images, ...) what adds up over images.     Returns (DRAWS, ...).
    """
    n = int(units.max(initial=-1)) + 1
    if n < 2:
        return None
    sums = np.zeros((n, *table.shape[1:]))
    np.add.at(sums, units, table)
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    return np.tensordot(times, sums, axes=1)


def find_intervals(
    table: np.ndarray, rate: Rate, *, units: np.ndarray, seed: int = 0
) -> dict[str, list[float] | None]:
    """95 % percentile interval of each number that `rate` makes of sums over images; None where
    there is only one unit to draw.

    table : (images, ...) what adds up over images.
    rate : (..., ...) sums → name → (...) numbers.

    >>> table = np.array([[1.0, 2.0], [1.0, 2.0]])  # found and true nuclei in two images
    >>> find_intervals(table, lambda sums: {"share": sums[..., 0] / sums[..., 1]}, units=find_units(["a", "b"]))
    {'share': [0.5, 0.5]}
    """
    drawn = draw_sums(table, units=units, seed=seed)
    if drawn is None:
        return dict.fromkeys(rate(table.sum(axis=0)))
    return {name: find_limits(values) for name, values in rate(drawn).items()}


def find_limits(drawn: np.ndarray) -> list[float] | None:
    """The interval that 95 % of the draws lie in; draws without a value are left out, and None
    where none is left.
    """
    drawn = drawn[np.isfinite(drawn)]
    return [float(v) for v in np.percentile(drawn, LIMITS)] if len(drawn) else None
