"""Nuclei found as points."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.metrics import detection

# Padilla et al. 2020 (doi:10.1109/IWSSIP48289.2020.9145130), their worked example of 24 detections
# of 15 objects, in order of confidence:
# which are hits. The area under the interpolated curve is given there as 24.56 %.
PADILLA = [0, 2, 9, 11, 12, 13, 22]


def test_the_worked_example_of_padilla_has_its_published_area():
    hit = np.isin(np.arange(24), PADILLA)
    curve = detection.precision_recall_curve(hit, np.linspace(0.95, 0.1, 24), n_true=15)
    assert curve["precision"][[0, 2, 13]] == pytest.approx([1, 2 / 3, 6 / 14])
    assert detection.average_precision(curve) == pytest.approx(0.2456, abs=1e-4)


def test_the_area_is_scikit_learns_where_the_curve_falls_anyway():
    sklearn = pytest.importorskip("sklearn.metrics")
    hit, scores = np.array([1, 1, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    curve = detection.precision_recall_curve(hit.astype(bool), scores, n_true=3)
    assert detection.average_precision(curve) == pytest.approx(
        sklearn.average_precision_score(hit, scores)
    )


def test_hand_placed_points_give_their_known_scores():
    truth = np.array([[10, 10], [10, 30], [10, 50], [10, 70]])
    found = np.array([[10, 13], [14, 30], [10, 56], [40, 40]])  # off by 3, by 4, by 6; and nowhere
    told = detection.evaluate([("a", truth, found, None)])
    assert (told["gate_px"], told["tp"], told["fp"], told["fn"]) == (5.0, 2, 2, 2)
    assert told["precision"] == told["recall"] == told["f1"] == 0.5
    assert told["rmse"] == pytest.approx(np.sqrt((9 + 16) / 2))
    assert told["ap"] == 0.25  # one point of the curve: precision x recall
    assert (
        detection.evaluate([("a", truth, found, None)], gate=6)["tp"] == 3
    )  # a distance equal to the gate matches


def test_the_best_assignment_finds_pairs_that_a_greedy_one_loses():
    truth, found = np.array([[0.0, 0.0], [0.0, 4.0]]), np.array([[0.0, 3.0], [0.0, 6.5]])
    one, two = (
        detection.match_points(truth, found, gate=3, matching=m) for m in ("greedy", "optimal")
    )
    assert (len(one[0]), len(two[0])) == (1, 2)


def test_matching_is_that_of_scipy_on_random_points(rng):
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    for _ in range(10):
        truth, found = rng.uniform(0, 40, (2, 30, 3))
        distance = cdist(truth, found)
        cost = np.where(distance <= 6, distance - 1000, 0)
        row, column = linear_sum_assignment(cost)
        kept = distance[row, column] <= 6
        told = detection.match_points(truth, found, gate=6)
        assert len(told[0]) == kept.sum()
        assert told[2].sum() == pytest.approx(distance[row, column][kept].sum())


def test_order_of_points_changes_nothing_and_the_unit_scales_all(rng):
    truth, found = rng.uniform(0, 50, (2, 25, 2))
    scores = rng.random(25)
    turn = rng.permutation(25)
    plain = detection.evaluate([("a", truth, found, scores)])
    turned = detection.evaluate([("a", truth[::-1], found[turn], scores[turn])])
    assert turned["ap"] == pytest.approx(plain["ap"])
    assert turned["rmse"] == pytest.approx(plain["rmse"])
    scaled = detection.evaluate([("a", truth * 0.2, found * 0.2, scores)], gate=1.0, unit="um")
    assert scaled["gate_um"] == 1.0
    assert (scaled["f1"], scaled["rmse"]) == (plain["f1"], pytest.approx(plain["rmse"] * 0.2))


def test_scores_that_put_hits_first_have_a_larger_area():
    truth = np.array([[10.0, 10.0], [30.0, 30.0]])
    found = np.concatenate([truth, truth + 100])
    first = detection.evaluate([("a", truth, found, np.array([0.9, 0.8, 0.2, 0.1]))])
    last = detection.evaluate([("a", truth, found, np.array([0.2, 0.1, 0.9, 0.8]))])
    assert first["ap"] == 1.0
    assert last["ap"] == pytest.approx(0.5)
    assert first["f1"] == last["f1"]
    assert first["curve"]["precision"][0] == 1.0


def test_perfect_empty_and_missing_results():
    points, none = np.array([[3.0, 4.0, 5.0]]), np.zeros((0, 3))
    perfect = detection.evaluate([("a", points, points, None)])
    assert (perfect["f1"], perfect["ap"], perfect["rmse"]) == (1.0, 1.0, 0.0)
    assert detection.evaluate([("a", none, none, None)])["f1"] == 1.0
    assert detection.evaluate([("a", none, points, None)])["precision"] == 0.0
    missing = detection.evaluate([("a", points, points, None), ("b", points, None, None)])
    assert (missing["missing"], missing["recall"], missing["rmse"]) == (["b"], 0.5, 0.0)
    assert detection.evaluate([("b", points, None, None)])["rmse"] is None


def test_what_cannot_be_scored_is_refused():
    points = np.array([[3.0, 4.0]])
    with pytest.raises(UserError, match="gate"):
        detection.evaluate([("a", points, points, None)], gate=0)
    with pytest.raises(UserError, match="number of coordinates"):
        detection.evaluate([("a", points, np.array([[1.0, 2.0, 3.0]]), None)])
    with pytest.raises(UserError, match="unit"):
        detection.evaluate([("a", points, points, None)], unit="nm")
