"""Numbers that misled users of other notebooks: each fault, and what we say in its place."""

import numpy as np
import pytest

from nbtools.metrics import instances, restoration


def squares(count: int, shape: tuple[int, ...] = (60, 60)) -> np.ndarray:
    label = np.zeros(shape, int)
    for i in range(count):
        y, x = divmod(i, 4)
        label[..., y * 14 + 2 : y * 14 + 12, x * 14 + 2 : x * 14 + 12] = i + 1
    return label


def test_the_nrmse_is_the_root_of_the_mean_square_not_of_the_mean_magnitude():
    """64 of 100 pixels are 0.125 off: true NRMSE 0.100; the root of the mean magnitude, which went
    by that name, reads 0.283.
    """
    clean = np.zeros((10, 10))
    clean[0, 0] = 1.0
    error = np.zeros(100)
    error[1:65] = 0.125
    restored = clean + error.reshape(10, 10)
    assert restoration.nrmse(restored, clean) == pytest.approx(0.100)
    assert np.sqrt(np.abs(restored - clean).mean()) == pytest.approx(0.283, abs=5e-4)


def test_an_image_without_result_halves_the_score_and_is_not_dropped():
    """Two images of which one failed: 0.85 on the one that worked is 0.425 on both."""
    truth = squares(16)
    found = np.where(truth > 14, 0, truth)  # 14 of 16
    alone = instances.evaluate([("a", truth, found)])["mean_ap"]
    both = instances.evaluate([("a", truth, found), ("b", truth, None)])
    assert both["mean_ap"] == pytest.approx(alone / 2)
    assert both["per_image_mean"]["0.50"]["ap"] == pytest.approx(alone / 2)
    assert both["missing"] == ["b"]


def test_a_plane_in_which_nothing_was_found_counts():
    """A volume whose lower half failed: its nuclei there are missed, not left out."""
    truth = np.stack([squares(16)] * 4 + [squares(16) + (squares(16) > 0) * 16] * 4)
    found = truth.copy()
    found[4:] = 0
    assert instances.evaluate([("volume", truth, found)])["pooled"]["0.50"]["recall"] == 0.5


def test_nothing_is_carried_over_from_file_to_file():
    truth, none = squares(9), np.zeros((60, 60), int)
    rows = instances.evaluate(
        [("good", truth, truth), ("bad", truth, none), ("good again", truth, truth)]
    )["per_image"]
    assert [row["ap50"] for row in rows] == [1.0, 0.0, 1.0]
    assert rows[1] | {"name": ""} == instances.evaluate([("bad", truth, none)])["per_image"][0] | {
        "name": ""
    }


def test_every_threshold_is_told_and_none_is_chosen_by_the_image():
    truth = squares(9)
    told = instances.evaluate(
        [("a", truth, np.roll(truth, 1, axis=1)), ("b", truth, np.roll(truth, 3, axis=1))]
    )
    assert list(told["pooled"]) == [f"{t:.2f}" for t in instances.THRESHOLDS]
    assert told["mean_ap"] == pytest.approx(
        np.mean([told["pooled"][f"{t:.2f}"]["ap"] for t in instances.THRESHOLDS[:-1]])
    )


def test_nuclei_of_a_volume_are_scored_as_nuclei_and_not_as_foreground():
    """Two touching nuclei found as one: every voxel is right and no nucleus is."""
    truth = np.zeros((6, 12, 20), int)
    truth[1:5, 2:10, 2:10], truth[1:5, 2:10, 10:18] = 1, 2
    told = instances.evaluate([("volume", truth, (truth > 0).astype(int))])
    assert told["foreground_dice"] == 1.0
    assert (told["merges"], told["pooled"]["0.55"]["ap"]) == (1, 0.0)


def test_a_volume_of_equal_planes_scores_as_its_plane():
    truth = squares(16)
    found = np.where(truth == 3, 0, np.roll(truth, 1, axis=1))
    flat = instances.evaluate([("plane", truth, found)], distances=True)
    deep = instances.evaluate(
        [("volume", np.stack([truth] * 5), np.stack([found] * 5))], distances=True
    )
    assert deep["pooled"] == flat["pooled"]
    for key in (
        "mean_ap",
        "panoptic_quality",
        "seg",
        "splits",
        "merges",
        "missed",
        "extra",
        "count_error",
        "foreground_dice",
    ):
        assert deep[key] == pytest.approx(flat[key]), key
