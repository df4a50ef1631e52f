"""Pixels of -1, which nobody looked at, are left out on both sides, in every verb.

The numbers are counted by hand from squares of 4 x 4 and 10 x 10 pixels; the rule for predictions
that lie mostly in the void is that of panoptic quality (Kirillov et al. 2019,
doi:10.1109/CVPR.2019.00963).
"""

import json

import numpy as np
import pytest

from nbtools import checks, export, io, tasks
from nbtools.cli import main
from nbtools.data import DataSet, InputOptions
from nbtools.image import Image
from nbtools.measure import measure
from nbtools.metrics import agreement, biaflows, classes, instances, semantic, strata
from nbtools.metrics.overlap import find_overlap
from nbtools.results import Grid, Labels, Points
from nbtools.show import error_map, overlay, overlay_rgb


def square(*corners, size=10, shape=(40, 60)) -> np.ndarray:
    label = np.zeros(shape, np.int32)
    for number, (y, x) in enumerate(corners, 1):
        label[y : y + size, x : x + size] = number
    return label


def hide(label: np.ndarray, *, first: int) -> np.ndarray:
    """The labels with void from column `first` on."""
    hidden = label.copy()
    hidden[:, first:] = -1
    return hidden


# --- overlaps and scores


def test_an_iou_is_that_of_the_pixels_that_were_looked_at():
    # the true nucleus has columns 5 to 14, void begins at 10: 5 x 10 pixels are left of it;
    # the prediction lies 2 rows lower: 8 x 5 shared, 12 x 5 covered
    truth = hide(square((5, 5)), first=10)
    predicted = square((7, 5))
    table = find_overlap(truth, predicted)
    assert (table.true_size.tolist(), table.predicted_size.tolist()) == ([50], [50])
    assert table.iou.tolist() == [40 / 60]
    assert find_overlap(predicted, truth).iou.tolist() == [40 / 60]


def test_a_prediction_in_the_void_is_neither_right_nor_wrong():
    truth = hide(square((5, 5)), first=30)
    found = square((5, 5), (5, 40), (25, 45))
    score = instances.score(truth, found)
    assert (score.tp, score.fp, score.fn) == (1, 0, 0)
    # without the convention both would be extra
    assert instances.score(np.maximum(truth, 0), found).fp == 2


@pytest.mark.parametrize(("inside", "extra"), [(4, 0), (5, 1), (6, 1)])
def test_an_unmatched_prediction_counts_where_half_of_it_or_more_was_looked_at(inside, extra):
    truth = hide(np.zeros((40, 60), np.int32), first=20)
    found = square((5, 20 - inside))  # `inside` of its 10 columns were looked at
    assert instances.score(truth, found).fp == extra


def test_a_prediction_mostly_in_the_void_may_still_match():
    # 3 of 10 columns of nucleus and prediction were looked at, and agree there
    truth, found = hide(square((5, 17)), first=20), square((5, 17))
    score = instances.score(truth, found)
    assert (score.tp, score.fp, score.fn, score.matched_iou) == (1, 0, 0, 1.0)


def test_all_scores_of_instances_stand_on_the_pixels_that_were_looked_at():
    truth = hide(square((5, 5), (20, 5)), first=30)
    found = square((5, 5), (20, 40), (5, 45))
    scores = instances.evaluate([("a", truth, found)], distances=True)
    half = scores["pooled"]["0.50"]
    assert (half["tp"], half["fp"], half["fn"]) == (1, 0, 1)
    assert (scores["missed"], scores["extra"]) == (1, 0)
    # one match of IoU 1, no extra, one missed: 1 / (1 + 1/2)
    assert scores["panoptic_quality"] == pytest.approx(2 / 3)
    assert scores["foreground_dice"] == pytest.approx(2 * 100 / (200 + 100))
    assert scores["count_error"] == 0.5
    assert scores["hausdorff_average_px"] == 0.0


def test_the_outline_in_the_void_does_not_count_as_far_away():
    # both agree where someone looked; in the void the prediction goes on to the side
    truth = hide(square((5, 5)), first=10)
    found = np.zeros((40, 60), np.int32)
    found[5:15, 5:60] = 1
    scores = instances.evaluate([("a", truth, found)], distances=True)
    assert (scores["pooled"]["0.95"]["tp"], scores["hausdorff_95_px"]) == (1, 0.0)


def test_void_on_either_side_is_left_out():
    first, second = hide(square((5, 5), (5, 40)), first=30), square((5, 5))
    for one, other in ((first, second), (second, first)):
        score = instances.score(one, other)
        assert (score.tp, score.fp, score.fn) == (1, 0, 0)
    assert agreement.compare_annotators(first, second).matched == 1


def test_an_image_that_nobody_looked_at_has_no_mistakes():
    void = np.full((40, 60), -1, np.int32)
    score = instances.score(void, square((5, 5)))
    assert (score.tp, score.fp, score.fn, score.ap) == (0, 0, 0, 1.0)


def test_pixels_of_classes_are_counted_where_someone_looked():
    truth, found = hide(square((5, 5)), first=30), square((5, 5), (5, 40))
    scores = semantic.evaluate([("a", truth, found)])
    assert np.sum(scores["confusion"]) == 40 * 30
    assert (scores["dice"], scores["accuracy"]) == (1.0, 1.0)
    named = semantic.evaluate(
        [("a", np.minimum(truth, 1), np.minimum(found, 1))], classes=["b", "n"]
    )
    assert named["per_class"]["n"]["iou"] == 1.0


def test_classes_recall_by_size_and_biaflows_leave_the_void_out():
    truth, found = hide(square((5, 5)), first=30), square((5, 5), (5, 40))
    tally = classes.ClassScores()
    tally.add(truth, found, true_classes={1: "x"}, classes={1: "x", 2: "x"})
    assert tally.summarize()["classes"]["x"]["mean_ap"] == 1.0
    grey = np.where(square((5, 5)) > 0, 200.0, 100.0)
    nuclei = strata.describe_nuclei([("a", truth, found, grey)])
    assert (nuclei["found"].tolist(), nuclei["size"].tolist()) == ([True], [100])
    rates = biaflows.of_instances(truth, found)
    assert (rates["REC"], rates["DC"], rates["AHD"], rates["mAP"]) == (0.0, 1.0, 0.0, 1.0)


def test_points_in_the_void_are_not_extra():
    truth = Labels(Image(hide(square((5, 5)), first=30), "YX"))
    places = np.array([[9.5, 9.5], [10.0, 45.0], [30.0, 10.0]])
    found = Points(places, Grid("YX", (40, 60)), np.array([0.9, 0.8, 0.7]))
    scores = tasks.DETECTION.evaluate([("a", truth, found)])
    assert (scores["tp"], scores["fp"], scores["fn"]) == (1, 1, 0)


def test_thresholds_are_chosen_on_what_was_looked_at():
    truth = Image(hide(square((5, 5)), first=30), "YX")
    assert tasks.INSTANCES.tuning_score([(truth, square((5, 5), (5, 40)))]) == 1.0


# --- measurements, pictures, outlines


def test_void_is_background_where_nuclei_are_measured():
    label = Image(hide(square((5, 5)), first=30), "YX", (0.5, 0.5))
    table = measure(label, label.replace(pixels=np.full((40, 60), 7.0)), texture=True)
    assert (table["label"].tolist(), table["area_um2"].tolist()) == ([1], [25.0])
    still = measure(label.replace(pixels=np.maximum(label.pixels, 0)))
    assert table["nearest_um"].tolist() == pytest.approx(still["nearest_um"].tolist(), nan_ok=True)


def test_the_smallest_nuclei_go_and_the_void_stays():
    label = Image(hide(square((5, 5), (20, 5), size=4), first=30), "YX", (1.0, 1.0))
    kept = tasks.instances.remove_smaller_than(Labels(label), 20.0).image.pixels
    assert ((kept > 0).sum(), (kept == -1).sum()) == (0, 40 * 30)


@pytest.mark.parametrize("axes", ["YX", "ZYX"])
def test_pictures_hatch_what_nobody_looked_at(axes):
    pixels = hide(square((5, 5)), first=30)
    label = Image(pixels if axes == "YX" else np.stack([pixels] * 3), axes)
    grey = label.replace(pixels=np.full(label.shape, 50.0))
    seen = label.replace(pixels=np.maximum(label.pixels, 0))
    assert (overlay_rgb(grey, label) != overlay_rgb(grey, seen)).any()
    assert overlay(grey, label).alt.startswith("1 outlined")
    found = label.replace(pixels=np.where(label.pixels < 0, 2, label.pixels))
    assert error_map(grey, label, predicted=found).alt == "1 matched, 0 missed, 0 extra"


def test_the_void_has_no_outline(tmp_path):
    label = Image(hide(square((5, 5)), first=30), "YX")
    assert export.rois(label, tmp_path / "r.zip") == 1


# --- the command line


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """Three images, of which the second was looked at in its left part only, and a result."""
    folder = tmp_path_factory.mktemp("partial")
    corners = [(5, 5), (5, 40), (24, 12), (26, 40)]
    for number in range(3):
        label = square(*corners[: 4 - (number == 2)])
        noise = np.random.default_rng(number).normal(100, 5, label.shape)
        grey = ((label > 0) * 800 + noise).clip(0).astype(np.uint16)
        label = hide(label, first=30) if number == 1 else label
        about = {"axes": "YX", "spacing": (0.5, 0.5)}
        io.write_image(folder / "s" / "images" / f"i{number}.tif", Image(grey, **about))
        io.write_label(folder / "s" / "labels" / f"i{number}.tif", Image(label, **about))
    words = ["predict", "otsu", folder / "s", "--out", folder / "r", "--quiet"]
    assert main(list(map(str, words))) == 0
    return folder


def test_check_calls_partial_labels_ready_to_use_and_names_their_share(run, partial):
    code, out, _ = run("check", partial / "s")
    assert (code, "ready to use" in out) == (0, True)
    assert "50.0% of the pixels are -1" in out  # 30 of 60 columns


@pytest.mark.parametrize(
    ("task", "key", "right"),
    [("instances", "mean_ap", 1.0), ("semantic", "dice", 1.0), ("detection", "f1", 1.0)],
)
def test_evaluate_scores_partial_labels_by_every_task(run, partial, task, key, right):
    code, out, _ = run("evaluate", partial / "r", partial / "s", "--task", task, "--json")
    assert (code, json.loads(out)[key]) == (0, pytest.approx(right, abs=0.01))
    if task == "instances":  # 4, 2 and 3 nuclei were labelled; 11 are in the images
        assert json.loads(out)["pooled"]["0.50"]["tp"] == 9


@pytest.mark.parametrize("options", [["--save"], ["--biaflows"]])
def test_maps_of_errors_and_biaflows_take_partial_labels(run, partial, options):
    assert run("evaluate", partial / "r", partial / "s", *options)[0] == 0


def test_other_verbs_take_partial_labels(run, partial, tmp_path):
    data, result = partial / "s", partial / "r"
    code, out, _ = run("measure", data, "--images", data, "--out", tmp_path / "n.csv", "--json")
    assert (code, json.loads(out)["nuclei"]) == (0, 9)
    code, out, _ = run("compare", result, "--truth", data, "--out", tmp_path / "c", "--json")
    assert (code, json.loads(out)["scores"]["r"]["mean_ap"]) == (0, 1.0)
    assert run("report", tmp_path / "c")[0] == 0
    parts = ["--val", "0.3", "--test", "0"]
    assert run("split", data, *parts, "--out", tmp_path / "parts")[0] == 0
    copy = tmp_path / "copy"
    assert run("check", data, "--fix", copy)[0] == 0
    kept = io.read_label(copy / "labels" / "i1.tif").pixels
    assert (kept == -1).sum() == 40 * 30


def test_a_word_on_partial_labels_stands_in_the_help(capsys):
    for verb in ("train", "check", "evaluate"):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        assert "pixels of -1" in " ".join(capsys.readouterr().out.split())


def test_checks_of_the_pair_do_not_take_the_void_for_nuclei(partial):
    dataset = DataSet.open(partial / "s", options=InputOptions())
    codes = {f.code for f in checks.check(dataset)}
    assert codes <= {"partial_labels"}


def test_the_summary_of_a_result_counts_no_void(tmp_path):
    label = Image(hide(square((5, 5)), first=30), "YX", name="a")
    row = tasks.INSTANCES.write(Labels(label), label, folder=tmp_path)
    assert (row["nuclei"], row["median_pixels"]) == (1, 100.0)
    assert [one["label"] for one in row["tables"]["objects.csv"]] == [1]
