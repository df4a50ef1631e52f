"""Tables of several images in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from nbtools.errors import UserError


def stack(tables: Iterable[Mapping]) -> dict[str, np.ndarray]:
    """Tables one below the other; a single value, such as the plant of an image, is repeated for
    each of its nuclei.

    Images without nuclei add no row. A UserError where tables differ in their columns, as of
    calibrated and other images.

    >>> stack([{"label": [1, 2], "plant": "a"}, {"label": [1], "plant": "b"}])["plant"].tolist()
    ['a', 'a', 'b']
    """
    whole = [_repeat(table) for table in tables]
    if not whole:
        raise UserError("There must be a table to stack.", "none", "Measure an image first.")
    for table in whole:
        if odd := set(table) ^ set(whole[0]):
            remedy = (
                "Measure all images with the same options and channels, all with a pixel size in "
                "µm or none."
            )
            raise UserError(
                "Tables of one study have the same columns.",
                f"{', '.join(sorted(odd))} in some of them",
                remedy,
            )
    return {name: np.concatenate([table[name] for table in whole]) for name in whole[0]}


def choose(table: Mapping, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of a table for which `rows` (n,) is True, or those with these numbers.

    >>> choose({"label": [4, 7], "reliable": [True, False]}, np.array([True, False]))
    {'label': array([4]), 'reliable': array([ True])}
    """
    return {name: np.asarray(column)[rows] for name, column in table.items()}


def _repeat(table: Mapping) -> dict[str, np.ndarray]:
    count = max((len(column) for column in table.values() if np.ndim(column)), default=1)
    return {
        name: np.asarray(column) if np.ndim(column) else np.full(count, column)
        for name, column in table.items()
    }
