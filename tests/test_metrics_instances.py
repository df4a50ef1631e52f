"""Scores of labels, against hand-made overlaps and against stardist.matching (Schmidt et al. 2018),
the field's reference.
"""

import numpy as np
import pytest
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import instances, overlap

NINE = instances.THRESHOLDS[:9]
WORDS = (
    "tp",
    "fp",
    "fn",
    "precision",
    "recall",
    "f1",
    "panoptic_quality",
    "mean_matched_score",
    "mean_true_score",
)


@pytest.fixture(scope="session")
def stardist_sample() -> np.ndarray:
    data = pytest.importorskip("stardist.data")
    return data.test_image_nuclei_2d(return_mask=True)[1].astype(np.int64)


def perturb(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A prediction with every kind of mistake: shifted, shrunk, lost, merged, split and invented
    nuclei, strange names.
    """
    moved = np.roll(label, rng.integers(-2, 3, label.ndim), axis=tuple(range(label.ndim)))
    moved = moved * (ndimage.minimum_filter(moved, 3) == moved)
    names = np.arange(label.max() + 1) * 3
    some = rng.permutation(np.arange(1, label.max() + 1))
    names[some[: len(some) // 10]] = 0
    names[some[-2:]] = 3 * some[0]
    predicted = names[moved]
    predicted[: label.shape[0] // 2][
        np.isin(moved[: label.shape[0] // 2], some[len(some) // 2 :])
    ] += 1
    predicted[:3, :3] = names.max() + 7
    return predicted


@pytest.fixture
def perturbed(stardist_sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return perturb(stardist_sample, rng)


def assert_equal_to_stardist(
    truth: np.ndarray, predicted: np.ndarray, thresholds: tuple[float, ...]
) -> None:
    matching = pytest.importorskip("stardist.matching").matching
    table = instances.find_overlap(truth, predicted)
    for iou, theirs in zip(thresholds, matching(truth, predicted, thresh=thresholds), strict=True):
        ours = instances.score_overlap(table, iou)
        assert ours.ap == pytest.approx(theirs.accuracy, abs=1e-6)
        for word in WORDS:
            assert getattr(ours, word) == pytest.approx(getattr(theirs, word), abs=1e-6), (
                iou,
                word,
            )


def test_a_shifted_square_scores_its_known_overlap():
    truth = np.zeros((20, 20), int)
    truth[5:15, 5:15] = 1
    shifted = np.roll(truth, 2, axis=1)  # 80 shared pixels of 120 covered: IoU 2/3
    assert instances.score(truth, shifted, iou=0.6).tp == 1
    assert instances.score(truth, shifted, iou=0.7).tp == 0


def test_agrees_with_stardist_on_the_image_it_ships(stardist_sample, perturbed):
    assert_equal_to_stardist(stardist_sample, perturbed, NINE)


def test_agrees_with_stardist_below_one_half_where_nuclei_compete(stardist_sample, perturbed, rng):
    assert_equal_to_stardist(stardist_sample, perturbed, (0.1, 0.2, 0.3, 0.4))
    for _ in range(40):
        truth, predicted = (
            np.kron(rng.integers(0, 5, (4, 4)), np.ones((2, 2), int)) for _ in range(2)
        )
        assert_equal_to_stardist(truth, predicted, (0.05, 0.15, 0.25, 0.5))


def test_agrees_with_stardist_on_ties_at_exactly_one_half():
    truth, halves = np.ones((4, 4), int), np.ones((4, 4), int)
    halves[2:] = 2  # both halves have IoU 0.5 with the one true nucleus: one matches
    assert_equal_to_stardist(truth, halves, NINE)
    assert_equal_to_stardist(halves, truth, NINE)


def test_agrees_with_stardist_on_real_test_images(data_folder, rng):
    from skimage.io import imread

    files = sorted((data_folder / "dsb2018_fluorescence" / "test" / "labels").glob("*.tif"))
    if not files:
        pytest.skip("dsb2018_fluorescence not found in NBTOOLS_DATA")
    for file in files:
        truth = imread(file).astype(int)
        assert_equal_to_stardist(truth, perturb(truth, rng), NINE)


def test_pooled_scores_agree_with_stardist_over_a_set_of_images(stardist_sample, rng):
    from stardist.matching import matching_dataset

    truths = np.array_split(stardist_sample, 4, axis=1)
    predictions = [perturb(t, rng) for t in truths]
    result = instances.evaluate(
        (str(i), t, p) for i, (t, p) in enumerate(zip(truths, predictions, strict=True))
    )
    for iou, theirs in zip(
        NINE, matching_dataset(truths, predictions, thresh=NINE, show_progress=False), strict=True
    ):
        ours = result["pooled"][f"{iou:.2f}"]
        assert (ours["tp"], ours["fp"], ours["fn"]) == (theirs.tp, theirs.fp, theirs.fn)
        assert ours["ap"] == pytest.approx(theirs.accuracy, abs=1e-6)
    theirs = matching_dataset(truths, predictions, thresh=0.5, show_progress=False)
    assert result["panoptic_quality"] == pytest.approx(theirs.panoptic_quality, abs=1e-6)
    assert result["mean_ap"] == pytest.approx(
        np.mean([result["pooled"][f"{t:.2f}"]["ap"] for t in NINE])
    )


def test_relabelling_changes_nothing(rng, stardist_sample, perturbed):
    names = np.append(0, 1 + rng.permutation(perturbed.max()))
    assert instances.score(stardist_sample, names[perturbed]) == instances.score(
        stardist_sample, perturbed
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.uint64, ">u2"])
def test_every_integer_type_and_huge_names_are_scored(dtype):
    truth = np.zeros((6, 6), dtype)
    truth[:3, :3] = (
        np.iinfo(truth.dtype).max
        if truth.dtype.kind == "u" and truth.dtype.itemsize < 8
        else 2_000_000_000
    )
    assert instances.score(truth, truth.astype(np.int64)).ap == 1


def test_swapping_truth_and_prediction_swaps_precision_and_recall(stardist_sample, perturbed):
    one, other = (
        instances.score(stardist_sample, perturbed),
        instances.score(perturbed, stardist_sample),
    )
    assert (one.precision, one.recall, one.ap) == (other.recall, other.precision, other.ap)


def test_mistakes_are_told_apart():
    truth, predicted = np.zeros((8, 40), int), np.zeros((8, 40), int)
    truth[1:7, 1:9], predicted[1:7, 1:5], predicted[1:7, 5:9] = 1, 1, 2  # one nucleus in two pieces
    truth[1:7, 11:15], truth[1:7, 15:19], predicted[1:7, 11:19] = 2, 3, 3  # two nuclei in one piece
    truth[1:7, 21:25] = 4  # found by nobody
    predicted[1:7, 31:35] = 9  # nobody's
    found = instances.find_mistakes(overlap.find_overlap(truth, predicted))
    assert [list(v) for v in (found.split, found.merged, found.missed, found.extra)] == [
        [1],
        [3],
        [4],
        [9],
    ]


def test_the_json_holds_what_the_contract_names_and_a_missing_image_counts_as_missed():
    label = np.zeros((10, 10), int)
    label[1:4, 1:4], label[6:9, 6:9] = 1, 2
    result = instances.evaluate([("a", label, label), ("b", label, None)])
    contract = {
        "images",
        "pooled",
        "per_image_mean",
        "mean_ap",
        "panoptic_quality",
        "splits",
        "merges",
        "missed",
        "extra",
        "missing",
    }
    assert contract | {"interval_95"} <= set(result)
    assert list(result["pooled"]) == [f"{t:.2f}" for t in instances.THRESHOLDS]
    assert result["pooled"]["0.50"] == {
        "ap": 0.5,
        "precision": 1.0,
        "recall": 0.5,
        "f1": 2 / 3,
        "tp": 2,
        "fp": 0,
        "fn": 2,
    }
    assert (result["missing"], result["missed"], result["mean_ap"]) == (["b"], 2, 0.5)
    assert result["per_image_mean"]["0.50"]["ap"] == 0.5
    assert [row["ap50"] for row in result["per_image"]] == [1.0, 0.0]


def test_the_interval_holds_the_mean_is_seeded_and_widens_when_images_come_in_groups(
    stardist_sample, rng
):
    pieces = [
        p for row in np.array_split(stardist_sample, 4) for p in np.array_split(row, 4, axis=1)
    ]
    pairs = [(str(i), p, perturb(p, rng) if i % 8 < 4 else p) for i, p in enumerate(pieces)]
    result = instances.evaluate(pairs)
    low, high = result["interval_95"]["mean_ap"]
    assert low < result["mean_ap"] < high
    assert instances.evaluate(pairs)["interval_95"] == result["interval_95"]
    grouped = instances.evaluate(pairs, groups={name: str(int(name) // 4) for name, _, _ in pairs})[
        "interval_95"
    ]["mean_ap"]
    assert grouped[1] - grouped[0] > high - low
    assert instances.evaluate(pairs[:1])["interval_95"]["mean_ap"] == [0.0, 1.0]


def test_nothing_to_find_and_nothing_found_is_perfect():
    empty = np.zeros((5, 5), np.uint16)
    assert instances.score(empty, empty).rates() == {
        "ap": 1.0,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
    }
    assert instances.evaluate([("blank", empty, empty)])["mean_ap"] == 1.0
    nucleus = empty.copy()
    nucleus[2, 2] = 1
    assert instances.score(empty, nucleus).ap == instances.score(nucleus, empty).ap == 0.0


def test_images_are_scored_as_arrays_are():
    label = np.ones((3, 4, 5), np.uint16)
    assert instances.score(Image(label, "ZYX"), Image(label, "ZYX")) == instances.score(
        label, label
    )


def test_unequal_shapes_are_refused_with_a_remedy():
    with pytest.raises(UserError, match=r"same shape\. Received: \(4, 4\) and \(5, 4\)\. "):
        instances.score(np.zeros((4, 4), int), np.zeros((5, 4), int), iou=0.5)


@pytest.mark.parametrize(
    ("label", "rule"), [(np.full((4, 4), -2), "below -1"), (np.zeros((4, 4)), "whole numbers")]
)
def test_labels_that_are_none_are_refused(label, rule):
    with pytest.raises(UserError, match=rule):
        instances.score(np.zeros((4, 4), int), label)


def test_a_set_without_images_is_refused():
    with pytest.raises(UserError, match="At least one labelled image"):
        instances.evaluate([])
