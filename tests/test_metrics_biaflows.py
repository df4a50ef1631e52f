"""The metrics of BIAFLOWS, each against the library or the arithmetic that BIAFLOWS itself takes it
from.
"""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.metrics import biaflows


@pytest.fixture
def squares() -> tuple[np.ndarray, np.ndarray]:
    """Two true squares of 100 pixels; one found shifted by 2 (80 shared), one found as half of
    itself (50 shared).
    """
    truth, predicted = np.zeros((40, 60), int), np.zeros((40, 60), int)
    truth[5:15, 5:15], truth[20:30, 30:40] = 1, 2
    predicted[5:15, 7:17], predicted[20:30, 30:35] = 4, 9
    return truth, predicted


def test_objects_have_their_known_scores(squares):
    told = biaflows.segment_objects(*squares)
    assert told["DC"] == pytest.approx(2 * 130 / (200 + 150))
    assert told["FOVL"] == pytest.approx((80 / 100 + 50 / 100) / 2)
    assert told["mAP"] == pytest.approx(
        (1 + 3 * (1 / 3)) / 10
    )  # IoU 80/120 and 50/100: both at 0.50; one at 0.55, 0.60, 0.65


def test_the_average_hausdorff_distance_is_that_of_scikit_image(squares):
    from skimage.metrics import hausdorff_distance

    one, two = (label > 0 for label in squares)
    assert biaflows.segment_objects(*squares)["AHD"] == pytest.approx(
        hausdorff_distance(one, two, method="modified")
    )


def test_pixels_have_the_weighted_scores_of_scikit_learn(rng):
    sklearn = pytest.importorskip("sklearn.metrics")
    truth, predicted = rng.integers(0, 3, (2, 30, 30))
    told, one, two = biaflows.classify_pixels(truth, predicted), truth.ravel(), predicted.ravel()
    assert told["ACC"] == pytest.approx(sklearn.accuracy_score(one, two))
    for name, score in {
        "F1": sklearn.f1_score,
        "PR": sklearn.precision_score,
        "RE": sklearn.recall_score,
    }.items():
        assert told[name] == pytest.approx(score(one, two, average="weighted"))


def test_points_and_counts():
    told = biaflows.detect_objects(
        np.array([[0.0, 0.0], [50.0, 50.0]]), np.array([[3.0, 4.0], [90.0, 90.0]])
    )
    assert told == {"TP": 1, "FN": 1, "FP": 1, "RE": 0.5, "PR": 0.5, "F1": 0.5, "RMSE": 5.0}
    assert biaflows.count_spots(10, 13) == {"REC": pytest.approx(0.3)}
    assert biaflows.count_spots(0, 0)["REC"] == 0


def test_empty_images_and_means(squares):
    empty = np.zeros((8, 8), int)
    told = biaflows.of_instances(empty, empty)
    assert told == {"DC": 1.0, "AHD": 0.0, "FOVL": 1.0, "mAP": 1.0, "REC": 0.0}
    lost = biaflows.of_instances(squares[0], np.zeros_like(squares[0]))
    assert (lost["DC"], lost["FOVL"], lost["REC"]) == (0.0, 0.0, 1.0)
    assert biaflows.average([told, lost]) == {
        "DC": 0.5,
        "AHD": None,
        "FOVL": 0.5,
        "mAP": 0.5,
        "REC": 0.5,
    }
    with pytest.raises(UserError):
        biaflows.average([])
