"""Distances of outlines, and the scores of nuclei that need no threshold."""

import numpy as np
import pytest

from nbtools.image import Image
from nbtools.metrics import instances, outlines, regions
from nbtools.metrics.overlap import find_overlap


def shifted(by: int) -> tuple[np.ndarray, np.ndarray]:
    """A square of 10 x 10 pixels, and the same `by` pixels further right."""
    truth = np.zeros((30, 40), int)
    truth[10:20, 10:20] = 3
    return truth, np.roll(truth, by, axis=1)


def test_distances_are_those_of_scikit_image_on_outlines():
    from skimage.metrics import hausdorff_distance

    truth, predicted = shifted(3)
    predicted[12, 25:27] = 3  # a spur
    average, highest = outlines.measure_distances(
        truth, predicted, pairs=(np.array([3]), np.array([3]))
    )
    one, two = outlines.find_outlines(truth), outlines.find_outlines(predicted)
    assert average[0] == pytest.approx(hausdorff_distance(one, two, method="modified"))
    directed = [
        np.percentile(
            np.linalg.norm(np.argwhere(a)[:, None] - np.argwhere(b), axis=2).min(axis=1), 95
        )
        for a, b in ((one, two), (two, one))
    ]
    assert highest[0] == pytest.approx(max(directed))


def test_many_nuclei_at_once_are_measured_as_each_alone(rng):
    truth, predicted = np.zeros((2, 8, 60, 60), int)
    names = rng.permutation(np.arange(1, 200))[:9]
    for i, name in enumerate(names):
        y, x = 20 * (i // 3) + 2, 20 * (i % 3) + 2
        truth[1:6, y : y + 12, x : x + 12] = name
        predicted[1:6, y : y + 10 + i % 4, x + i % 3 : x + 12] = name + 500
    spacing = (0.5, 0.2, 0.2)
    together = outlines.measure_distances(
        truth, predicted, pairs=(names, names + 500), spacing=spacing
    )
    for i, name in enumerate(names):
        alone = outlines.measure_distances(
            truth * (truth == name),
            predicted,
            pairs=(names[i : i + 1], names[i : i + 1] + 500),
            spacing=spacing,
        )
        assert (together[0][i], together[1][i]) == pytest.approx((alone[0][0], alone[1][0]))


def test_a_result_is_measured_in_um_where_the_pixel_size_is_known():
    truth, predicted = shifted(2)
    plain = instances.evaluate([("a", truth, predicted)], distances=True)
    known = instances.evaluate(
        [("a", Image(truth, "YX", spacing=(0.25, 0.25)), predicted)], distances=True
    )
    assert known["hausdorff_average_um"] == pytest.approx(0.25 * plain["hausdorff_average_px"])
    assert known["per_image"][0]["hausdorff_95_um"] == known["hausdorff_95_um"]
    nothing = instances.evaluate([("a", truth, np.zeros_like(truth))], distances=True)
    assert nothing["hausdorff_95_px"] is None
    assert "hausdorff_95_px" not in instances.evaluate([("a", truth, predicted)])


def test_a_perfect_result_has_no_distance_and_a_spur_costs_distance_but_no_iou():
    truth, _ = shifted(0)
    assert instances.evaluate([("a", truth, truth)], distances=True)["hausdorff_95_px"] == 0
    spur = truth.copy()
    spur[15, 20:35] = 3
    told = instances.evaluate([("a", truth, spur)], distances=True)
    assert told["pooled"]["0.85"]["ap"] == 1.0
    assert told["hausdorff_95_px"] > 5


def test_seg_counts_only_what_covers_more_than_half():
    """Two true nuclei of 100 pixels: one with 80 shared (IoU 80/120), one of which exactly half is
    found (0, not 0.5).
    """
    truth, predicted = np.zeros((2, 40, 60), int)
    truth[5:15, 5:15], truth[20:30, 30:40] = 1, 2
    predicted[5:15, 7:17], predicted[20:30, 30:35] = 1, 2
    told = instances.evaluate([("a", truth, predicted)])
    assert told["seg"] == pytest.approx((80 / 120 + 0) / 2)
    assert told["foreground_dice"] == pytest.approx(260 / 350)
    assert regions.score_fraction_overlap(find_overlap(truth, predicted)).tolist() == [0.8, 0.5]


def test_counts_are_judged_image_by_image_and_together():
    one, three = np.diag([1]), np.diag([1, 2, 3])
    told = instances.evaluate(
        [
            ("a", np.diag([1, 2, 3]), np.diag([1, 1, 1])),
            ("b", one, np.array([[1]])),
            ("c", three, np.diag([1, 2, 4])),
        ]
    )
    assert told["count_error"] == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert told["count_bias"] == pytest.approx(-2 / 7)
