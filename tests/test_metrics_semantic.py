"""Pixels told apart by class."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.metrics import semantic


def test_hand_counted_pixels_give_their_known_scores():
    """Jaccard's example: 3 shared pixels, 5 true, 4 predicted: IoU 3/6, Dice 6/9."""
    truth, predicted = np.zeros((4, 5), int), np.zeros((4, 5), int)
    truth[0, :5] = 1
    predicted[0, 2:5] = predicted[1, 0] = 1
    found = semantic.evaluate([("a", truth, predicted)])
    assert (found["iou"], found["precision"], found["recall"]) == (0.5, 0.75, 0.6)
    assert found["dice"] == pytest.approx(6 / 9)
    assert found["accuracy"] == pytest.approx(17 / 20)
    assert found["confusion"] == [[14, 1], [2, 3]]


def test_agrees_with_scikit_learn_on_three_classes(rng):
    sklearn = pytest.importorskip("sklearn.metrics")
    truth, predicted = rng.integers(0, 3, (2, 40, 50))
    found = semantic.evaluate([("a", truth, predicted)], classes=("background", "inside", "border"))
    one, two = truth.ravel(), predicted.ravel()
    assert found["mean_iou"] == pytest.approx(sklearn.jaccard_score(one, two, average="macro"))
    assert [v["dice"] for v in found["per_class"].values()] == pytest.approx(
        list(sklearn.f1_score(one, two, average=None))
    )
    assert found["precision"] == pytest.approx(
        sklearn.precision_score(one, two, average=None)[1:].mean()
    )
    assert found["recall"] == pytest.approx(sklearn.recall_score(one, two, average=None)[1:].mean())
    assert found["confusion"] == sklearn.confusion_matrix(one, two).tolist()


def test_merged_nuclei_cost_nothing_here_and_everything_among_instances():
    from nbtools.metrics import instances

    truth = np.zeros((20, 20), int)
    truth[5:15, 2:10], truth[5:15, 10:18] = 1, 2
    merged = (truth > 0).astype(int)
    assert semantic.evaluate([("a", truth, merged)])["dice"] == 1.0
    assert instances.evaluate([("a", truth, merged)])["pooled"]["0.75"]["ap"] == 0.0


def test_names_of_labels_and_order_of_images_change_nothing(rng):
    pairs = [(str(i), *rng.integers(0, 4, (2, 8, 9))) for i in range(4)]
    plain = semantic.evaluate(pairs)
    turned = semantic.evaluate([(n, t * 7, p * 3) for n, t, p in reversed(pairs)])
    for key in ("iou", "dice", "accuracy", "confusion"):
        assert turned[key] == plain[key]


def test_nothing_to_find_and_nothing_found_is_perfect_and_a_missing_image_is_all_missed():
    empty, full = np.zeros((6, 6), int), np.ones((6, 6), int)
    assert semantic.evaluate([("a", empty, empty)])["dice"] == 1.0
    assert semantic.evaluate([("a", empty, full)])["dice"] == 0.0
    found = semantic.evaluate([("a", full, full), ("b", full, None)])
    assert (found["missing"], found["recall"], found["images"]) == (["b"], 0.5, 2)


def test_whole_groups_are_drawn(rng):
    pairs = [
        (str(i), np.ones((10, 10), int), (rng.random((10, 10)) < q).astype(int))
        for i, q in enumerate((0.2,) * 4 + (0.9,) * 4)
    ]
    alone = semantic.evaluate(pairs)["interval_95"]["recall"]
    grouped = semantic.evaluate(pairs, groups={str(i): "ab"[i // 4] for i in range(8)})[
        "interval_95"
    ]["recall"]
    assert grouped[1] - grouped[0] > alone[1] - alone[0]
    assert semantic.evaluate(pairs[:1])["interval_95"]["recall"] is None


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(UserError, match="named class"):
        semantic.evaluate(
            [("a", np.full((3, 3), 2), np.zeros((3, 3), int))], classes=("background", "nucleus")
        )
    with pytest.raises(UserError, match="same shape"):
        semantic.evaluate([("a", np.zeros((3, 3), int), np.zeros((3, 4), int))])
    with pytest.raises(UserError, match="At least one"):
        semantic.evaluate([])
