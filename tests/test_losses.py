"""Losses against hand-worked numbers; a negative truth counts nothing."""

import numpy as np
import pytest

from nbtools import losses


def test_cross_entropy_equals_its_textbook_form():
    truth, logit = np.array([0.0, 1.0, 0.3]), np.array([-2.0, 1.5, 40.0])
    probability = 1 / (1 + np.exp(-logit[:2]))
    expected = -(truth[:2] * np.log(probability) + (1 - truth[:2]) * np.log(1 - probability))
    out = np.asarray(losses.binary_cross_entropy(truth, logit))
    np.testing.assert_allclose(out[:2], expected, rtol=1e-6)
    assert out[2] == pytest.approx(0.7 * 40, rel=1e-6)  # no overflow far out


def test_dice_is_zero_for_a_perfect_and_near_one_for_an_empty_answer():
    truth = np.zeros((1, 20, 20), np.float32)
    truth[0, 5:15, 5:15] = 1
    known = np.ones_like(truth)
    assert float(
        losses.soft_dice_loss(truth, 100 * (truth - 0.5), known=known)[0]
    ) == pytest.approx(0, abs=1e-3)
    assert float(
        losses.soft_dice_loss(truth, np.full_like(truth, -100), known=known)[0]
    ) == pytest.approx(1 - 1 / 101)


def test_masked_mean_divides_by_the_number_of_counted_pixels():
    values, mask = (
        np.array([[1.0, 2.0, 30.0], [5.0, 5.0, 5.0]]),
        np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]),
    )
    np.testing.assert_allclose(np.asarray(losses.masked_mean(values, mask)), [1.5, 0.0])


def test_ignored_pixels_change_nothing(rng):
    truth = np.stack(
        [rng.integers(0, 2, (1, 8, 8)), rng.random((1, 8, 8)), np.ones((1, 8, 8))], axis=-1
    ).astype(np.float32)
    truth[0, :4, :, 0] = -1
    output = rng.normal(size=(1, 8, 8, 2)).astype(np.float32)
    other = output.copy()
    other[0, :4] += 3
    assert float(losses.foreground_distance(truth, output)[0]) == pytest.approx(
        float(losses.foreground_distance(truth, other)[0])
    )


def test_a_better_answer_costs_less(rng):
    foreground = rng.integers(0, 2, (1, 16, 16)).astype(np.float32)
    truth = np.stack([foreground, foreground * 0.6, np.ones_like(foreground)], axis=-1)
    good = np.stack([8 * (foreground - 0.5), foreground * 0.6], axis=-1)
    assert (
        float(losses.foreground_distance(truth, good)[0])
        < 0.1
        < float(losses.foreground_distance(truth, -good)[0])
    )


def test_the_weighted_foreground_of_a_perfect_answer_costs_nothing_and_gaps_count_more():
    foreground = np.zeros((1, 12, 12), np.float32)
    foreground[0, 3:9, 3:9] = 1
    weight = np.ones_like(foreground)
    weight[0, 0] = 11
    truth = np.stack([foreground, weight], axis=-1)
    answer = 40 * (foreground - 0.5)
    assert float(losses.weighted_bce_dice(truth, answer[..., None])[0]) == pytest.approx(
        0, abs=1e-4
    )
    in_gap, elsewhere = answer.copy(), answer.copy()
    in_gap[0, 0, 0], elsewhere[0, 11, 0] = 5, 5
    cost = [float(losses.weighted_bce_dice(truth, a[..., None])[0]) for a in (in_gap, elsewhere)]
    assert cost[0] > 3 * cost[1] > 0


def test_the_cross_entropy_of_classes_equals_its_textbook_form_and_is_averaged_over_members():
    share = np.eye(3, dtype=np.float32)[[0, 2]][None]  # two pixels: class 0 and class 2
    truth = np.concatenate([share, np.array([[[1.0], [10.0]]], np.float32)], axis=-1)
    logits = np.array([[[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]]], np.float32)
    log_sum = np.log(np.exp(2.0) + 1 + np.exp(-1.0))
    expected = (1 * (log_sum - 2.0) + 10 * np.log(3)) / 11
    assert float(losses.weighted_cross_entropy(truth, logits)[0]) == pytest.approx(
        expected, rel=1e-5
    )
    even = np.zeros_like(logits)
    both = np.concatenate([logits, even], axis=-1)
    assert float(losses.weighted_cross_entropy(truth, both)[0]) == pytest.approx(
        (expected + np.log(3)) / 2, rel=1e-5
    )


def test_pixels_of_no_class_count_nothing(rng):
    truth = np.concatenate(
        [
            np.eye(3, dtype=np.float32)[rng.integers(0, 3, (1, 8, 8))],
            np.ones((1, 8, 8, 1), np.float32),
        ],
        axis=-1,
    )
    truth[0, :4, :, :3] = 0
    output = rng.normal(size=(1, 8, 8, 3)).astype(np.float32)
    other = output.copy()
    other[0, :4] += rng.normal(size=(4, 8, 3))
    assert float(losses.weighted_cross_entropy(truth, output)[0]) == pytest.approx(
        float(losses.weighted_cross_entropy(truth, other)[0])
    )


def test_the_loss_of_flows_equals_its_textbook_form_where_pixels_are_known():
    truth = np.array([[[1.0, 0.6, -0.8], [0.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]], np.float32)
    output = np.array([[[2.0, 2.0, -4.0], [-1.0, 0.5, 0.0], [9.0, 9.0, 9.0]]], np.float32)
    entropy = (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(-1.0))) / 2
    squares = ((3 - 2) ** 2 + 0 + 0.5**2 + 0) / 4  # flows are asked for five times as long
    assert float(losses.foreground_flows(truth, output)[0]) == pytest.approx(
        entropy + 0.5 * squares, rel=1e-5
    )


def test_every_foreground_is_the_mean_of_what_each_output_costs(rng):
    truth = rng.integers(0, 2, (1, 8, 8, 2)).astype(np.float32)
    output = rng.normal(size=(1, 8, 8, 2)).astype(np.float32)
    weight = np.ones((1, 8, 8), np.float32)
    each = [
        float(
            losses.weighted_bce_dice(np.stack([truth[..., i], weight], -1), output[..., i : i + 1])[
                0
            ]
        )
        for i in range(2)
    ]
    assert float(losses.multi_bce_dice(truth, output)[0]) == pytest.approx(np.mean(each), rel=1e-5)
    shared = float(losses.multi_bce_dice(truth[..., :1], output[..., [0, 0, 0]])[0])
    assert shared == pytest.approx(each[0], rel=1e-5)
    truth[0, :4] = -1
    other = output.copy()
    other[0, :4] += 3
    assert float(losses.multi_bce_dice(truth, output)[0]) == pytest.approx(
        float(losses.multi_bce_dice(truth, other)[0])
    )


def test_deep_classes_weigh_coarser_answers_half_as_much_and_ignore_pixels_of_no_class(rng):
    truth = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (1, 8, 8))]
    good, even = 40 * (truth - 0.5), np.zeros_like(truth)
    assert float(losses.deep_supervision_ce_dice(truth, good)[0]) == pytest.approx(0, abs=0.02)
    alone = float(losses.deep_supervision_ce_dice(truth, even)[0])
    assert np.log(3) < alone < np.log(3) + 1  # the entropy of not knowing, and some Dice
    both = np.concatenate([good, even], axis=-1)
    assert float(losses.deep_supervision_ce_dice(truth, both)[0]) == pytest.approx(
        alone / 3, abs=0.02
    )
    assert float(
        losses.deep_supervision_ce_dice(truth, both[..., [3, 4, 5, 0, 1, 2]])[0]
    ) == pytest.approx(2 * alone / 3, abs=0.02)
    partly, other = truth.copy(), good.copy()
    partly[0, :4], other[0, :4] = 0, rng.normal(size=(4, 8, 3))
    assert float(losses.deep_supervision_ce_dice(partly, other)[0]) == pytest.approx(
        float(losses.deep_supervision_ce_dice(partly, good)[0]), abs=1e-4
    )
