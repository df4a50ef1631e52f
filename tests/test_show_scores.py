"""Figures of the scores of every task."""

import numpy as np
import pytest

from nbtools import show
from nbtools.errors import UserError
from nbtools.metrics import classification, detection, frc, semantic, strata


@pytest.fixture
def classes() -> dict:
    truth = ["a"] * 6 + ["b"] * 4
    predicted = ["a"] * 5 + ["b"] * 4 + ["a"]
    return classification.evaluate(
        (str(i), t, p, 0.8) for i, (t, p) in enumerate(zip(truth, predicted, strict=True))
    )


def points(rng: np.random.Generator) -> dict:
    truth = rng.uniform(0, 50, (20, 2))
    return detection.evaluate(
        [(n, truth, truth + rng.normal(0, 3, truth.shape), rng.random(20)) for n in "abc"]
    )


def test_the_task_is_told_from_the_scores(classes, rng):
    label = np.eye(8, dtype=int)
    results = {
        "classification": classes,
        "detection": points(rng),
        "semantic": semantic.evaluate([("a", label, label)]),
    }
    for task, one in results.items():
        assert show.evaluation({"ours": one}).alt
        assert show.to_png(show.scores(one))[:4] == b"\x89PNG", task
    with pytest.raises(UserError, match="of a task"):
        show.scores({"loss": 1.0})


def test_several_results_stand_side_by_side_with_their_curves(rng):
    figure = show.evaluation({"one": points(rng), "two": points(rng)})
    assert figure.axes[-1].get_title(loc="left") == "Precision against recall"
    assert len(figure.axes[-1].lines) == 2
    assert figure.alt.startswith("f1: one ")


def test_confusion_is_counted_in_words_and_calibration_needs_probabilities(classes):
    figure = show.confusion(classes)
    assert sorted(t.get_text() for t in figure.axes[0].texts) == ["1", "1", "3", "5"]
    assert show.calibration(classes).alt == "calibration: expected error 0.000"
    with pytest.raises(UserError, match="probabilities"):
        show.calibration(classes | {"calibration": None})


def test_strata_are_drawn_for_each_method(rng):
    label = np.zeros((60, 60), int)
    for i in range(9):
        y, x, side = 20 * (i // 3) + 1, 20 * (i % 3) + 1, 4 + i
        label[y : y + side, x : x + side] = i + 1
    nuclei = strata.describe_nuclei([(n, label, label * (label > 3), None) for n in "ab"])
    figure = show.strata(
        {
            "ours": {
                "size": strata.stratify(nuclei, "size"),
                "contrast": strata.stratify(nuclei, "contrast"),
            }
        }
    )
    assert figure.alt == "share of nuclei matched by size: ours"
    with pytest.raises(UserError, match="nuclei to show"):
        show.strata({"ours": {"size": []}})


def test_a_resolution_is_said_with_its_unit(rng):
    found = frc.measure_resolution(*rng.normal(size=(2, 64, 64)))
    assert "not found" in show.resolution(found, names=("noise",)).alt
