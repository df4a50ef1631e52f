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


def test_classes_are_learned_in_nuclei_of_known_class_alone_by_each_member():
    outputs = {"background": 1, "inside": 1, "border": 1, "classes": 2}
    joint = losses.with_classes(losses.weighted_cross_entropy, outputs)
    truth = np.array([[[0, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 0]]], np.float32)
    member = np.array([[[0.0, 2, 1, 3, 1], [0.5, 0, 0, 9, -9]]], np.float32)
    labels = float(losses.weighted_cross_entropy(truth[..., :4], member[..., :3])[0])
    expected = labels + np.log(1 + np.exp(3.0 - 1))  # the second pixel has no class
    assert float(joint(truth, member)[0]) == pytest.approx(expected, rel=1e-5)
    even = np.zeros_like(member)
    both = np.concatenate([member, even], axis=-1)
    other = float(losses.weighted_cross_entropy(truth[..., :4], even[..., :3])[0]) + np.log(2)
    assert float(joint(truth, both)[0]) == pytest.approx((expected + other) / 2, rel=1e-5)
    assert losses.with_classes(losses.foreground_flows, {"foreground": 1, "flow": 2}) is (
        losses.foreground_flows
    )


def test_the_overlap_of_boxes_around_a_place_equals_its_textbook_form():
    # 2 x 2 around the place, and 4 x 1 that shares half of it: IoU = 2 / 6, common box 4 x 2
    first, second = np.array([[1.0, 1, 1, 1]]), np.array([[2.0, 0, 2, 1]])
    iou, giou = (np.asarray(v)[0] for v in losses.overlap_of_distances(first, second))
    assert iou == pytest.approx(2 / 6)
    assert giou == pytest.approx(2 / 6 - (8 - 6) / 8)


def cells(*, score: float, distance: float = 1.0) -> np.ndarray:
    """Maps of 4 x 4 cells that all say the same, with a class of two."""
    raw = np.zeros((1, 4, 4, 7), np.float32)
    raw[..., 0], raw[..., 1:5], raw[..., 5] = score, np.log(distance), 4.0
    return raw


def test_cells_pay_for_a_box_that_is_wrong_and_empty_images_have_a_finite_loss():
    truth = np.zeros((1, 4, 4, 8), np.float32)
    truth[..., -1] = 1
    loss = losses.cell_boxes(2, classes=2)
    empty = float(loss(truth, cells(score=-4.6))[0])
    assert empty == pytest.approx(16 * np.log1p(np.exp(-4.6)), rel=1e-4)
    truth[0, 1, 1, :6] = 1  # one cell has a box of two cells, of the first class
    costs = [float(loss(truth, cells(score=0, distance=d))[0]) for d in (1.0, 1.5, 3.0)]
    assert costs == sorted(costs)
    # 16 scores of 0.5, a perfect box, and the cross-entropy of the class
    assert costs[0] == pytest.approx(16 * np.log(2) + np.log1p(np.exp(-4.0)), rel=1e-4)


def test_the_score_of_a_cell_is_to_be_the_iou_of_its_box():
    truth = np.zeros((1, 4, 4, 6), np.float32)
    truth[..., :5], truth[..., -1] = 1, 1 / 16
    half = np.sqrt(0.5)  # sides by which a square inside another covers half of it
    costs = {}
    for share in (0.2, 0.5, 0.8):
        raw = cells(score=np.log(share / (1 - share)), distance=half)[..., :5]
        costs[share] = float(losses.cell_boxes(2)(truth, raw)[0])
    assert min(costs, key=costs.get) == 0.5


def test_the_focal_weight_equals_its_published_form():
    logit = np.array([2.0, -2.0], np.float32)
    share = 1 / (1 + np.exp(-logit))
    found = np.asarray(losses.focal_weight(np.array([1.0, 0.0], np.float32), logit))
    wanted = [0.25 * (1 - share[0]) ** 2, 0.75 * share[1] ** 2]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize("focal", [True, False])
def test_anchors_pay_for_scores_and_corrections_and_not_where_nothing_is_learned(focal):
    # one anchor per cell: score, four corrections, two weights
    truth = np.zeros((1, 2, 2, 7), np.float32)
    truth[..., -2:] = 1.0, 1 / 3
    truth[0, 0, 0, :5] = 1, 0.5, 0, 0, 2
    truth[0, 1, 1, 0] = -1
    loss = losses.anchor_boxes(2, anchors=1, kinds=1, focal=focal)
    raw = np.zeros((1, 2, 2, 5), np.float32)
    moved = 0.5 * 0.5**2 + 1.5
    each = np.log(2)
    wanted = {True: each * 0.25 * (0.25 + 2 * 0.75), False: each * (1 + 2 / 3)}[focal]
    assert float(loss(truth, raw)[0]) == pytest.approx(wanted + moved, rel=1e-4)
    raw[0, 1, 1] = 50
    assert float(loss(truth, raw)[0]) == pytest.approx(wanted + moved, rel=1e-4)
    truth[..., 0] = 0
    truth[..., -2:] = 1.0, 1 / 4
    assert np.isfinite(float(loss(truth, raw)[0]))


@pytest.mark.parametrize(
    ("loss", "channels"),
    [
        (losses.proximity_error, 1),
        (losses.rare_cross_entropy(10.0), 1),
        (losses.shape_prior_error(np.full((1, 3, 3), 1 / 9, np.float32), weight=0.1, reach=3), 2),
    ],
    ids=["proximity", "discs", "shape prior"],
)
def test_losses_of_points_leave_out_where_nobody_has_looked(loss, channels):
    rng = np.random.default_rng(0)
    truth = rng.random((1, 12, 20, channels), dtype=np.float32)
    output = rng.random((1, 12, 20, 1), dtype=np.float32)
    other = output.copy()
    truth[:, :, 12:, 0] = -1
    other[:, :, 12:] += 3
    assert float(loss(truth, output)[0]) == pytest.approx(float(loss(truth, other)[0]), rel=1e-6)
    alone = loss(truth[:, :, :8], output[:, :, :8])
    assert np.isfinite(float(alone[0]))
    nothing = np.full_like(truth, -1)
    assert float(loss(nothing, output)[0]) == pytest.approx(0, abs=1e-6)
