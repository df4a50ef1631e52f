"""For which nuclei a method works."""

import numpy as np
import pytest

from nbtools.metrics import strata


def field(lost: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Twenty squares of rising size and, in another order, rising brightness; the ten smallest or
    the ten dimmest are not found.
    """
    truth, image = np.zeros((80, 100), int), np.tile([0.0, 2.0], (80, 50))
    for i in range(20):
        y, x, side = 20 * (i // 5) + 2, 20 * (i % 5) + 2, 4 + i // 2
        truth[y : y + side, x : x + side] = i + 1
        image[y : y + side, x : x + side] = 10 + (7 * i % 20)
    missed = np.arange(10) + 1 if lost == "small" else [i + 1 for i in range(20) if 7 * i % 20 < 10]
    return truth, np.where(np.isin(truth, missed), 0, truth), image


def test_small_nuclei_that_are_lost_show_in_the_classes_of_size():
    truth, predicted, image = field("small")
    nuclei = strata.describe_nuclei([("a", truth, predicted, image)])
    rows = strata.stratify(nuclei, "size", bins=2)
    assert [(r["nuclei"], r["found"]) for r in rows] == [(10, 0.0), (10, 1.0)]
    assert rows[0]["interval_95"] is None  # one image says nothing of others
    assert [r["found"] for r in strata.stratify(nuclei, "contrast", bins=2)] == [
        0.3,
        0.7,
    ]  # seven of the ten small ones are dim


def test_dim_nuclei_that_are_lost_show_in_the_classes_of_contrast():
    truth, predicted, image = field("dim")
    nuclei = strata.describe_nuclei(
        [("a", truth, predicted, image), ("b", truth, predicted, image)]
    )
    rows = strata.stratify(nuclei, "contrast", bins=2)
    assert [(r["nuclei"], r["found"]) for r in rows] == [(20, 0.0), (20, 1.0)]
    assert rows[1]["interval_95"] == [1.0, 1.0]
    assert nuclei["iou"][nuclei["found"]] == pytest.approx(1.0)


def test_without_images_or_results_the_table_says_so():
    truth = field("dim")[0]
    nuclei = strata.describe_nuclei([("a", truth, None, None)])
    assert not nuclei["found"].any()
    assert strata.stratify(nuclei, "contrast") == []
    assert len(nuclei["size"]) == 20
    assert strata.stratify(strata.describe_nuclei([("a", truth * 0, None, None)]), "size") == []
