"""Classes of single nuclei: figures counted by hand."""

import numpy as np
import pytest

from nbtools.metrics import classes, instances

TRUE = {1: "round", 2: "round", 3: "long"}  # 4 is of unknown class


@pytest.fixture
def truth() -> np.ndarray:
    label = np.zeros((10, 50), int)
    for value in range(1, 5):
        label[2:8, 10 * value - 8 : 10 * value] = value
    return label


def summarize(truth: np.ndarray, predicted: np.ndarray, named: dict) -> dict:
    scores = classes.ClassScores()
    scores.add(truth, predicted, true_classes=TRUE, classes=named)
    return scores.summarize()


def test_the_truth_itself_is_perfect_whatever_the_unknown_nucleus_is_called(truth):
    found = summarize(truth, truth, TRUE | {4: "long"})
    assert {name: (c["nuclei"], c["mean_ap"]) for name, c in found["classes"].items()} == {
        "long": (1, 1.0),
        "round": (2, 1.0),
    }
    assert found["class_accuracy"] == 1.0


def test_a_wrong_class_is_missed_in_one_and_extra_in_the_other(truth):
    found = summarize(truth, truth, {1: "round", 2: "long", 3: "long", 4: "round"})
    counts = {
        name: tuple(c["pooled"]["0.50"][k] for k in ("tp", "fp", "fn"))
        for name, c in found["classes"].items()
    }
    assert counts == {"round": (1, 0, 1), "long": (1, 1, 0)}
    assert found["class_accuracy"] == pytest.approx(2 / 3)


def test_confusion_leaves_out_what_matches_a_nucleus_of_unknown_class(truth):
    predicted = np.where(truth == 1, 0, truth)  # the first is missed
    found = summarize(truth, predicted, {2: "long", 3: "long", 4: "round"})
    assert found["confusion"] == {"long": {"long": 1}, "round": {"long": 1, "missed": 1}}
    assert found["per_class"]["long"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": 2 / 3,
        "n_true": 1,
        "n_found": 2,
    }
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_a_nucleus_out_of_place_counts_as_missed_and_extra(truth):
    predicted = np.where(truth == 3, 0, truth)
    predicted[2:8, 44:50] = 9
    found = summarize(truth, predicted, {1: "round", 2: "round", 4: "round", 9: "long"})
    assert found["classes"]["long"]["mean_ap"] == 0
    assert found["classes"]["round"]["mean_ap"] == 1
    assert found["class_accuracy"] == 1.0  # of those that were found


def test_each_class_has_the_scores_of_stardist_on_its_nuclei(rng):
    matching = pytest.importorskip("stardist.matching").matching
    truth = np.zeros((90, 90), int)
    for value in range(1, 37):
        y, x = divmod(value - 1, 6)
        truth[15 * y + 2 : 15 * y + 12, 15 * x + 2 : 15 * x + 12] = value
    predicted = np.roll(truth, 2, axis=1)
    true, named = ({v: "ab"[rng.integers(2)] for v in range(1, 37)} for _ in range(2))
    scores = classes.ClassScores()
    scores.add(truth, predicted, true_classes=true, classes=named)
    for name, found in scores.summarize()["classes"].items():
        own, theirs = (
            np.where(np.isin(label, [v for v, c in table.items() if c == name]), label, 0)
            for label, table in ((truth, true), (predicted, named))
        )
        for iou in (0.5, 0.65, 0.7):
            expected = matching(own, theirs, thresh=iou)
            ours = found["pooled"][f"{iou:.2f}"]
            assert (ours["tp"], ours["fp"], ours["fn"]) == (expected.tp, expected.fp, expected.fn)


def test_images_are_pooled_and_without_classes_they_equal_instances(truth):
    predicted, scores = np.roll(truth, 1, axis=1), classes.ClassScores()
    for _ in range(2):
        scores.add(
            truth,
            predicted,
            true_classes=dict.fromkeys(range(1, 5), "any"),
            classes=dict.fromkeys(range(1, 5), "any"),
        )
    known = instances.evaluate([("a", truth, predicted), ("b", truth, predicted)])
    ours = scores.summarize()["classes"]["any"]
    assert ours["pooled"]["0.75"] == known["pooled"]["0.75"]
    assert ours["mean_ap"] == pytest.approx(known["mean_ap"])
