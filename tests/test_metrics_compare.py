"""Paired comparison of methods."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.metrics import compare, instances


def field(rng: np.random.Generator, count: int = 12) -> np.ndarray:
    """Squares on a grid, some left out."""
    label = np.zeros((80, 80), int)
    for i in range(count):
        y, x = divmod(i, 4)
        label[y * 20 + 3 : y * 20 + 15, x * 20 + 3 : x * 20 + 15] = i + 1
    return label


def judge(rng: np.random.Generator, hard: np.ndarray, skill: float) -> dict:
    """A result that loses nuclei: on hard images more, by skill fewer."""
    truth = field(rng)
    pairs = []
    for i, difficulty in enumerate(hard):
        lost = rng.random(12) < difficulty * (1 - skill)
        pairs.append(
            (f"image{i}", truth, np.where(np.isin(truth, np.flatnonzero(lost) + 1), 0, truth))
        )
    return instances.evaluate(pairs)


@pytest.fixture(scope="module")
def results() -> dict:
    rng = np.random.default_rng(1)
    hard = rng.uniform(0, 1, 30)
    return {
        "plain": judge(rng, hard, 0.2),
        "better": judge(rng, hard, 0.4),
        "best": judge(rng, hard, 0.9),
    }


def test_scores_are_those_of_evaluate_and_so_are_their_intervals(results):
    found = compare.compare(results)
    for name, one in results.items():
        told = found["methods"][name]
        assert told["mean_ap"] == pytest.approx(one["mean_ap"], abs=1e-12)
        assert told["ap50"] == pytest.approx(one["pooled"]["0.50"]["ap"], abs=1e-12)
        assert told["ap75"] == pytest.approx(one["pooled"]["0.75"]["ap"], abs=1e-12)
        assert told["f1_50"] == pytest.approx(one["pooled"]["0.50"]["f1"], abs=1e-12)
        assert told["interval_95"]["mean_ap"] == pytest.approx(
            one["interval_95"]["mean_ap"], abs=1e-9
        )


def test_differences_are_told_for_every_pair_the_baseline_first(results):
    found = compare.compare(results, baseline="better")
    pairs = [(d["method"], d["against"]) for d in found["differences"] if d["metric"] == "mean_ap"]
    assert pairs == [("plain", "better"), ("best", "better"), ("best", "plain")]
    one = found["differences"][0]
    assert one["difference"] == pytest.approx(
        results["plain"]["mean_ap"] - results["better"]["mean_ap"]
    )
    assert one["interval_95"][0] < one["difference"] < one["interval_95"][1]


def test_pairing_sees_a_difference_that_separate_intervals_hide(results):
    found = compare.compare(results)
    one = next(d for d in found["differences"] if (d["method"], d["metric"]) == ("better", "ap50"))
    low, high = (found["methods"][n]["interval_95"]["ap50"] for n in ("better", "plain"))
    assert low[0] < high[1]  # the intervals overlap
    assert one["clear"]
    width = one["interval_95"][1] - one["interval_95"][0]
    assert width < 0.75 * (low[1] - low[0] + high[1] - high[0])


def test_a_method_does_not_differ_from_itself(results):
    found = compare.compare({"a": results["plain"], "b": results["plain"]})
    assert all(
        d["difference"] == 0 and d["interval_95"] == [0, 0] and not d["clear"]
        for d in found["differences"]
    )


def test_the_bootstrap_agrees_with_one_written_out(results):
    """Images drawn one by one and pooled anew, as in the textbook; limits agree to what 2,000 draws
    can tell.
    """
    rng, a, b = (
        np.random.default_rng(5),
        results["better"]["per_image"],
        results["plain"]["per_image"],
    )
    differences = []
    for _ in range(2000):
        chosen, ap = rng.integers(len(a), size=len(a)), []
        for rows in (a, b):
            tp = sum(min(rows[i]["n_true"], rows[i]["n_pred"]) for i in chosen)
            ap.append(tp / sum(max(rows[i]["n_true"], rows[i]["n_pred"]) for i in chosen))
        differences.append(ap[0] - ap[1])
    told = next(
        d
        for d in compare.compare(results)["differences"]
        if (d["method"], d["metric"]) == ("better", "ap50")
    )
    assert told["interval_95"] == pytest.approx(
        list(np.percentile(differences, [2.5, 97.5])), abs=0.01
    )


def test_groups_are_drawn_whole_and_widen_the_interval(results):
    groups = {f"image{i}": i // 10 for i in range(30)}
    single, grouped = compare.compare(results), compare.compare(results, groups=groups)
    assert (single["paired_over"], single["units"]) == ("images", 30)
    assert (grouped["paired_over"], grouped["units"]) == ("groups", 3)
    assert grouped["methods"]["best"]["mean_ap"] == single["methods"]["best"]["mean_ap"]


def test_the_same_seed_draws_the_same(results):
    assert compare.compare(results, seed=3) == compare.compare(results, seed=3)
    assert compare.compare(results, seed=3) != compare.compare(results, seed=4)


def test_one_image_has_no_interval(rng):
    one = {name: judge(rng, np.array([0.5]), 0.5) for name in "ab"}
    found = compare.compare(one)
    assert found["differences"][0]["interval_95"] is None
    assert found["differences"][0]["clear"] is None


def test_what_cannot_be_compared_is_refused(rng, results):
    with pytest.raises(UserError, match="At least two results"):
        compare.compare({"plain": results["plain"]})
    with pytest.raises(UserError, match="Known: plain, better"):
        compare.compare(results, baseline="none")
    with pytest.raises(UserError, match="on the same images"):
        compare.compare({"plain": results["plain"], "few": judge(rng, np.array([0.5]), 0.5)})
