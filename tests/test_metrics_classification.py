"""Images told apart by class."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.metrics import classification


def rows(truth: list, predicted: list, probability: list | None = None) -> list[tuple]:
    return [
        (str(i), t, p, None if probability is None else probability[i])
        for i, (t, p) in enumerate(zip(truth, predicted, strict=True))
    ]


def test_always_naming_the_common_class_is_accurate_and_not_balanced():
    told = classification.evaluate(rows(["wild type"] * 9 + ["mutant"], ["wild type"] * 10))
    assert (told["accuracy"], told["balanced_accuracy"]) == (0.9, 0.5)
    assert told["macro_f1"] == pytest.approx((0 + 18 / 19) / 2)
    assert told["classes"] == ["mutant", "wild type"]
    assert told["confusion"] == [[0, 1], [0, 9]]


def test_agrees_with_scikit_learn(rng):
    sklearn = pytest.importorskip("sklearn.metrics")
    truth, predicted = (rng.choice(list("abcd"), 200, p=(0.6, 0.2, 0.15, 0.05)) for _ in range(2))
    told = classification.evaluate(rows(list(truth), list(predicted)))
    assert told["accuracy"] == pytest.approx(sklearn.accuracy_score(truth, predicted))
    assert told["balanced_accuracy"] == pytest.approx(
        sklearn.balanced_accuracy_score(truth, predicted)
    )
    assert told["macro_f1"] == pytest.approx(sklearn.f1_score(truth, predicted, average="macro"))
    assert told["confusion"] == sklearn.confusion_matrix(truth, predicted).tolist()
    assert [v["recall"] for v in told["per_class"].values()] == pytest.approx(
        list(sklearn.recall_score(truth, predicted, average=None))
    )


def test_calibration_by_hand():
    """Ten predictions at 0.85, of which six are right, and ten at 0.65, of which seven are: gaps of
    0.25 and 0.05.
    """
    truth = ["a"] * 20
    predicted = ["a"] * 6 + ["b"] * 4 + ["a"] * 7 + ["b"] * 3
    told = classification.evaluate(rows(truth, predicted, [0.85] * 10 + [0.65] * 10))["calibration"]
    assert told["ece"] == pytest.approx((0.25 + 0.05) / 2)
    assert [(b["count"], b["accuracy"]) for b in told["bins"]] == [(10, 0.7), (10, 0.6)]


def test_calibration_has_the_bins_of_scikit_learn(rng):
    calibration = pytest.importorskip("sklearn.calibration")
    sure, right = rng.uniform(0.05, 0.95, 500), rng.random(500) < 0.6
    predicted = list(np.where(right, "a", "b"))
    bins = classification.evaluate(rows(["a"] * 500, predicted, list(sure)))["calibration"]["bins"]
    accuracy, probability = calibration.calibration_curve(right, sure, n_bins=10)
    assert [b["accuracy"] for b in bins] == pytest.approx(list(accuracy))
    assert [b["probability"] for b in bins] == pytest.approx(list(probability))


def test_a_method_that_says_what_it_knows_is_calibrated(rng):
    sure = rng.uniform(0.5, 1, 20_000)
    predicted = np.where(rng.random(20_000) < sure, "a", "b")
    assert (
        classification.evaluate(rows(["a"] * 20_000, list(predicted), list(sure)))["calibration"][
            "ece"
        ]
        < 0.015
    )


def test_names_and_order_change_nothing(rng):
    truth, predicted = rng.choice(list("ab"), (2, 30))
    plain = classification.evaluate(rows(list(truth), list(predicted)))
    swap = {"a": "z", "b": "c"}
    named = classification.evaluate(
        rows([swap[t] for t in truth][::-1], [swap[p] for p in predicted][::-1])
    )
    assert (named["macro_f1"], named["balanced_accuracy"]) == pytest.approx(
        (plain["macro_f1"], plain["balanced_accuracy"])
    )


def test_a_missing_prediction_is_wrong_and_named():
    told = classification.evaluate(rows(["a", "a", "b"], ["a", None, "b"]))
    assert (told["missing"], told["accuracy"], told["balanced_accuracy"]) == (
        ["1"],
        pytest.approx(2 / 3),
        0.75,
    )
    assert told["confusion"] == [[1, 0], [0, 1]]


def test_perfect_is_one_and_images_of_one_animal_are_drawn_together():
    assert classification.evaluate(rows(["a", "b"], ["a", "b"]))["macro_f1"] == 1.0
    truth, predicted = ["a"] * 8, ["a"] * 4 + ["b"] * 4
    groups = {str(i): "one" if i < 4 else "two" for i in range(8)}
    alone = classification.evaluate(rows(truth, predicted))["interval_95"]["accuracy"]
    together = classification.evaluate(rows(truth, predicted), groups=groups)["interval_95"][
        "accuracy"
    ]
    assert together == [0.0, 1.0]
    assert alone[0] > 0


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(UserError, match="At least one"):
        classification.evaluate([])
    with pytest.raises(UserError, match="between 0 and 1"):
        classification.evaluate(rows(["a"], ["a"], [85.0]))
    with pytest.raises(UserError, match="named ones"):
        classification.evaluate(rows(["a"], ["b"]), classes=["a"])
