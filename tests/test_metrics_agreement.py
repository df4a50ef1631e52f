"""Agreement of two annotators, against numbers worked out by hand."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import agreement


def draw(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    """Rectangles y0, x0, y1, x1 as labels 1, 2, 3…"""
    label = np.zeros(shape, np.int32)
    for i, (y0, x0, y1, x1) in enumerate(boxes, start=1):
        label[y0:y1, x0:x1] = i
    return label


def test_two_equal_label_images_agree_in_everything():
    label = draw((2, 2, 12, 12), (20, 20, 30, 30))
    found = agreement.compare_annotators(label, label)
    assert (
        found.matched,
        found.mean_iou,
        found.foreground_dice,
        found.kappa,
        found.mean_f1,
        found.size_ratio,
    ) == (2, 1, 1, 1, 1, 1)
    assert found.larger == ""
    assert found.disagreements == []


def test_a_larger_hand_is_told_with_its_known_overlap():
    """Squares of 10 and 12: IoU 100 / 144, Dice 200 / 244 = 0.8197."""
    found = agreement.compare_annotators(
        draw((10, 10, 20, 20)), draw((9, 9, 21, 21)), names=("Ada", "Ben")
    )
    assert found.mean_iou == pytest.approx(100 / 144)
    assert found.foreground_dice == pytest.approx(200 / 244)
    assert found.size_ratio == pytest.approx(1.44)
    assert found.larger == "Ben"
    assert [iou for iou, f1 in found.f1.items() if f1 == 1] == ["0.50", "0.55", "0.60", "0.65"]
    assert found.mean_f1 == pytest.approx(4 / 9)
    assert [
        (d["what"], d["label_first"], d["label_second"], d["y"], d["x"])
        for d in found.disagreements
    ] == [("outlines differ", 1, 1, 14.5, 14.5)]


def test_exchanging_the_two_changes_only_the_names(rng):
    first = draw((2, 2, 12, 12), (20, 20, 30, 30), (5, 40, 15, 52))
    second = draw((3, 2, 13, 12), (20, 20, 30, 25), (20, 25, 30, 30), (30, 45, 38, 52))
    there = agreement.compare_annotators(first, second, names=("Ada", "Ben"))
    back = agreement.compare_annotators(second, first, names=("Ben", "Ada"))
    for name in ("matched", "mean_iou", "foreground_dice", "kappa", "f1", "larger"):
        assert getattr(there, name) == pytest.approx(getattr(back, name))
    assert there.size_ratio == pytest.approx(1 / back.size_ratio)
    assert sorted(d["what"] for d in there.disagreements) == sorted(
        d["what"] for d in back.disagreements
    )


def test_a_parted_a_lonely_and_a_shared_nucleus_are_told_by_name():
    first = draw((2, 2, 12, 12), (20, 20, 30, 30), (5, 40, 15, 52))
    second = draw((2, 2, 12, 12), (20, 20, 30, 24), (20, 26, 30, 30), (30, 45, 38, 52))
    found = agreement.compare_annotators(first, second, names=("Ada", "Ben"))
    told = {d["what"]: (d["label_first"], d["label_second"]) for d in found.disagreements}
    assert told == {
        "Ben splits it": (2, None),
        "only Ada drew it": (3, None),
        "only Ben drew it": (None, 4),
    }
    assert found.nuclei == (3, 4)
    assert found.matched == 1
    assert found.f1["0.50"] == pytest.approx(2 / 7)


def test_kappa_is_that_of_the_textbook():
    """Fifty grant proposals, two readers: 20 both yes, 15 both no, 5 and 10 split: kappa 0.40."""
    counts = (20, 5, 10, 15)
    first, second = np.repeat([1, 1, 0, 0], counts) > 0, np.repeat([1, 0, 1, 0], counts) > 0
    assert agreement.measure_kappa(first, second) == pytest.approx(0.4)
    assert agreement.measure_kappa(first, first) == 1
    assert agreement.measure_kappa(np.zeros(5, bool), np.zeros(5, bool)) == 1


def test_kappa_and_dice_are_those_of_scikit_learn(rng):
    sklearn = pytest.importorskip("sklearn.metrics")
    first, second = (rng.random((2, 40, 60)) < [[[0.3]], [[0.6]]]).astype(int)
    found = agreement.compare_annotators(first, second)
    pixels = first.ravel(), second.ravel()
    assert found.kappa == pytest.approx(sklearn.cohen_kappa_score(*pixels))
    assert found.foreground_dice == pytest.approx(sklearn.f1_score(*pixels))


def test_independent_drawings_have_a_kappa_of_zero(rng):
    first, second = rng.random((2, 200_000)) < 0.3
    assert agreement.measure_kappa(first, second) == pytest.approx(0, abs=0.01)


def test_what_one_left_open_counts_for_neither():
    first, second = draw((2, 2, 12, 12), (20, 20, 30, 30)), draw((2, 2, 12, 12))
    second[18:32, 18:32] = -1
    found = agreement.compare_annotators(first, second)
    assert found.nuclei == (1, 1)
    assert (found.mean_iou, found.kappa, found.disagreements) == (1, 1, [])


def test_volumes_and_blank_images_have_numbers_too():
    volume = np.zeros((4, 10, 10), np.uint16)
    volume[1:3, 2:8, 2:8] = 5
    about = {"axes": "ZYX", "spacing": (2.0, 1.0, 1.0)}
    alone = agreement.compare_annotators(
        Image(volume, **about), Image(np.zeros_like(volume), **about)
    )
    assert (alone.matched, alone.foreground_dice, alone.f1["0.50"]) == (0, 0, 0)
    assert np.isnan(alone.mean_iou)
    assert [alone.disagreements[0][axis] for axis in "zyx"] == [1.5, 4.5, 4.5]
    blank = agreement.compare_annotators(np.zeros((5, 5), int), np.zeros((5, 5), int))
    assert (blank.f1["0.50"], blank.kappa, blank.larger) == (1, 1, "")


def test_the_tables_have_columns_of_one_length():
    found = agreement.compare_annotators(
        draw((2, 2, 12, 12)), draw((3, 3, 13, 16)), names=("Ada", "Ben")
    )
    for table in (found.summary(), found.listing()):
        assert len({len(values) for values in table.values()}) == 1
    assert "nuclei by Ada" in found.summary()["what"]
    assert list(found.listing()) == ["what", "label of Ada", "label of Ben", "iou", "y", "x"]


def test_unequal_shapes_and_equal_names_are_refused():
    with pytest.raises(UserError, match="same shape"):
        agreement.compare_annotators(np.zeros((4, 4), int), np.zeros((4, 5), int))
    with pytest.raises(UserError, match="different names"):
        agreement.compare_annotators(
            np.zeros((4, 4), int), np.zeros((4, 4), int), names=("Ada", "Ada")
        )
