"""Suppression of boxes against a loop over all pairs, and what becomes of touching nuclei."""

import time

import numpy as np
import pytest

from nbtools.augment import join_corners
from nbtools.errors import UserError
from nbtools.metrics.boxes import find_box_iou
from nbtools.targets.suppression import decay_scores, suppress_boxes

RNG_SEED = 0


def draw_boxes(count: int, ndim: int, *, side: float = 60) -> tuple:
    """Boxes of very different sizes, their scores, and three groups."""
    rng = np.random.default_rng(RNG_SEED)
    low = rng.uniform(-5, side, (count, ndim))
    edges = join_corners(low, low + np.exp(rng.normal(2, 1, (count, ndim))))
    return edges, rng.random(count), rng.integers(0, 3, count)


def suppress_in_a_loop(edges, score, *, group, overlap):
    """The definition: every box against every better one that stays."""
    iou, kept = find_box_iou(edges, edges), []
    for i in np.argsort(-score, kind="stable"):
        if all(iou[i, j] <= overlap or group[i] != group[j] for j in kept):
            kept.append(int(i))
    return kept


def decay_in_a_loop(edges, score, *, group, sigma):
    """The definition of Bodla et al. 2017: the best box left lowers all others."""
    iou, now, left, found = find_box_iou(edges, edges), score.copy(), list(range(len(score))), []
    while left:
        best = max(left, key=lambda i: (now[i], -i))
        left.remove(best)
        found.append((best, now[best]))
        for i in left:
            if group[i] == group[best] and iou[i, best] > 0.01:
                now[i] *= np.exp(-(iou[i, best] ** 2) / sigma)
    return found


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("overlap", [0.1, 0.3, 0.5, 0.7])
def test_hard_suppression_equals_the_loop_over_all_pairs(ndim, overlap):
    edges, score, group = draw_boxes(300, ndim)
    found = suppress_boxes(edges, score, group=group, overlap=overlap)
    assert found.tolist() == suppress_in_a_loop(edges, score, group=group, overlap=overlap)


@pytest.mark.parametrize("ndim", [2, 3])
def test_soft_suppression_equals_the_loop_over_all_pairs(ndim):
    edges, score, group = draw_boxes(200, ndim)
    rows, new = decay_scores(edges, score, group=group, least=0.0)
    wanted = dict(decay_in_a_loop(edges, score, group=group, sigma=0.5))
    np.testing.assert_allclose(new, [wanted[row] for row in rows], rtol=1e-12)
    assert (np.diff(new) <= 0).all()


@pytest.mark.parametrize("least", [0.001, 0.05, 0.3])
@pytest.mark.parametrize("side", [20, 100])
def test_soft_suppression_that_leaves_weak_boxes_out_equals_the_loop(least, side):
    edges, score, group = draw_boxes(400, 2, side=side)
    score = score.round(1)  # many are equal
    rows, new = decay_scores(edges, score, group=group, least=least)
    wanted = {i: s for i, s in decay_in_a_loop(edges, score, group=group, sigma=0.5) if s >= least}
    assert set(rows.tolist()) == set(wanted)
    np.testing.assert_allclose(new, [wanted[row] for row in rows], rtol=1e-12)


def test_boxes_of_other_classes_leave_each_other_alone():
    edges = np.array([[0.0, 0, 10, 10], [0, 1, 10, 11]])
    assert suppress_boxes(edges, np.array([0.9, 0.8]), group=np.array([0, 1])).tolist() == [0, 1]
    assert suppress_boxes(edges, np.array([0.9, 0.8]), group=np.array([1, 1])).tolist() == [0]


def test_no_boxes_give_no_boxes():
    for ndim in (2, 3):
        empty = np.zeros((0, 2 * ndim))
        assert suppress_boxes(empty, np.zeros(0)).tolist() == []
        assert [part.tolist() for part in decay_scores(empty, np.zeros(0))] == [[], []]


@pytest.mark.parametrize(
    ("edges", "score"),
    [
        ([[0, 0, 0, 5]], [0.5]),
        ([[3, 0, 2, 5]], [0.5]),
        ([[0, 0, np.nan, 5]], [0.5]),
        ([[0, 0, 5, 5]], [np.nan]),
    ],
    ids=["flat", "reversed", "nan edge", "nan score"],
)
def test_boxes_without_extent_are_refused(edges, score):
    for suppress in (suppress_boxes, decay_scores):
        with pytest.raises(UserError, match="1 of 1"):
            suppress(np.array(edges, float), np.array(score))


def test_a_touching_nucleus_survives_soft_suppression_and_not_a_strict_hard_one():
    # a rod of 10 x 30 px that lies along a diagonal has a box of about 30 x 30; a second one
    # beside it, moved by 8 px along both axes, has an IoU of 22² / (2 · 30² - 22²) = 0.368
    edges = np.array([[0.0, 0, 30, 30], [8, 8, 38, 38]])
    score = np.array([0.95, 0.9])
    assert find_box_iou(edges[:1], edges[1:])[0, 0] == pytest.approx(0.3678, abs=1e-4)
    assert suppress_boxes(edges, score, overlap=0.3).tolist() == [0]
    assert suppress_boxes(edges, score, overlap=0.5).tolist() == [0, 1]
    rows, new = decay_scores(edges, score)
    assert rows.tolist() == [0, 1]
    assert new[1] == pytest.approx(0.9 * np.exp(-(0.3678**2) / 0.5), abs=1e-4)  # 0.687


def test_a_hundred_thousand_boxes_take_at_most_two_seconds():
    rng = np.random.default_rng(RNG_SEED)
    low = rng.uniform(0, 10_000, (100_000, 2))
    edges = join_corners(low, low + rng.uniform(10, 40, low.shape))
    score, started = rng.random(len(low)), time.process_time()
    kept = suppress_boxes(edges, score)
    assert time.process_time() - started < 2
    some = kept[:500]
    assert np.triu(find_box_iou(edges[some], edges[some]), 1).max() <= 0.5


def test_a_heap_of_boxes_on_one_nucleus_takes_no_more_than_that():
    rng = np.random.default_rng(RNG_SEED)
    edges = np.array([0.0, 0, 200, 200]) + rng.uniform(-50, 50, (100_000, 4))
    started = time.process_time()
    kept = suppress_boxes(edges, rng.random(len(edges)))
    assert time.process_time() - started < 2
    assert len(kept) < 20


@pytest.mark.parametrize("side", [200, 1000, 10_000], ids=["heap", "dense", "sparse"])
def test_soft_suppression_of_many_boxes_takes_seconds(side):
    rng = np.random.default_rng(RNG_SEED)
    low = rng.uniform(0, side, (100_000, 2))
    edges = join_corners(low, low + rng.uniform(10, 30, low.shape))
    score, started = rng.random(len(low)), time.process_time()
    rows, new = decay_scores(edges, score, least=0.2)
    assert time.process_time() - started < 8
    assert (new >= 0.2).all()
    assert rows[0] == score.argmax()
