"""Tables of several images in one, and rows of them."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure import choose, measure, stack


def test_stacked_tables_keep_every_nucleus_and_its_plant():
    label = np.zeros((20, 20), np.uint8)
    label[2:8, 2:8], label[10:18, 10:18] = 1, 2
    tables = [
        measure(Image(one, "YX", (0.5, 0.5)), solidity=False)
        for one in (label, np.where(label == 1, label, 0), 0 * label)
    ]
    whole = stack([table | {"plant": plant} for table, plant in zip(tables, "abc", strict=True)])
    assert list(whole["plant"]) == ["a", "a", "b"]
    assert list(whole["label"]) == [1, 2, 1]
    assert list(choose(whole, whole["area_um2"] > 10)["label"]) == [2]


def test_tables_that_do_not_fit_together_are_refused():
    label = np.ones((9, 9), np.uint8)
    with pytest.raises(UserError, match="area_px, area_um2"):
        stack([measure(Image(label, "YX")), measure(Image(label, "YX", (0.5, 0.5)))])
    with pytest.raises(UserError, match="Measure an image first"):
        stack([])
