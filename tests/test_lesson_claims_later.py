"""What lessons 14 to 20 say of their own output is true of it: figures and comparisons that need no
training.
"""

import json

import numpy as np
import pytest
from lesson_states import SOURCES, find_state, read_tables

from nbtools import simulate


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_14_what_points_and_boxes_tell_is_right_and_boxes_must_be_tight():
    told, loose = (find_state("14", "rows", "## 3.", which=i) for i in (0, 1))
    told = {row["way"]: list(row.values())[1:] for row in told}
    assert told["boxes"] == [100, pytest.approx(96, abs=0.5)]
    assert told["points"][0] == pytest.approx(100 * 6 / 7, abs=1)
    assert told["points"][1] > 99
    assert told["scribbles, 1 %"][1] == 100
    tight, one, _, four, _ = loose
    assert tight["mean AP"] - one["mean AP"] == pytest.approx(tight["mean AP"] / 3, abs=0.03)
    assert four["AP at 0.5"] < 0.5
    matched = 2 * four["AP at 0.5"] / (1 + four["AP at 0.5"])  # as many predicted as true
    assert 0.5 < matched < 0.6


def test_14_a_third_of_the_wrong_labels_is_left_out_and_known_area_grows_with_the_nuclei():
    wrong, sample = find_state("14", "wrong", "## 4."), find_state("14", "sample", "## 4.")
    left, true = (set(np.unique(one.pixels)) for one in (wrong, sample.label))
    assert len(true - left) / (0.2 * (len(true) - 1)) == pytest.approx(1 / 3, abs=0.05)
    train = find_state("14", "train", "## 2.")
    known = []
    for count in (10, 100):
        some = simulate.label_some(train, count)
        known.append(sum(np.mean(one.label.pixels >= 0) for one in some))
    assert 8.5 < known[1] / known[0] < 10


def test_14_a_forgiving_loss_gives_way_25_times():
    rows = find_state("14", "rows", "## 4.")
    last = rows[-1]
    assert last["probability of the label"] == 0.01
    ratio = last["pull, cross-entropy"] / last["pull, label_noise=0.7"]
    assert ratio == pytest.approx(25, abs=0.5)


def read_results(name: str) -> list[dict]:
    path = SOURCES.parents[1] / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text("utf-8"))["rows"]


def lies_apart(one: list[float], other: list[float]) -> bool:
    """Whether the mean difference of paired images has an interval on one side of 0."""
    differences, rng = np.subtract(one, other), np.random.default_rng(0)
    drawn = rng.integers(0, len(differences), (4000, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    return bool(low > 0 or high < 0)


def test_14_the_table_of_ways_is_what_was_measured():
    rows = {row["name"]: row["test"] for row in read_results("few_labels") if "test" in row}
    names = {
        "all labels of 376 images": "all labels",
        "boxes in place of labels": "boxes",
        "points in place of labels": "points",
        "a fifth of the labels wrong, `label_noise=0.7`": "20 % wrong, forgiven",
        "half of the nuclei unknown (-1)": "half of the nuclei",
        "10 labelled images": "10 labels alone",
        "the same, encoder from *jigsaw*": "10 labels after jigsaw",
        "the same, and 366 without labels, *mean teacher*": "10 labels, mean teacher",
        "noise of 20, 10 labelled images": "n20, 10 labels, alone",
        "the same, and 366 without labels, *DenoiSeg*": "n20, 10 labels, denoiseg",
    }
    [table] = read_tables("14")
    told = {name: row["AP"] for name, row in table.items()}
    assert names.keys() <= told.keys()
    assert {n: told[n] for n in names} == {n: round(rows[r]["ap50"], 2) for n, r in names.items()}
    apart = {
        name: lies_apart(rows[name]["per_image"], rows[other]["per_image"])
        for name, other in (
            ("10 labels, mean teacher", "10 labels alone"),
            ("n20, 10 labels, denoiseg", "n20, 10 labels, alone"),
            ("half of the nuclei", "all labels"),
            ("10 labels after jigsaw", "10 labels alone"),
            ("points", "all labels"),
            ("boxes", "all labels"),
        )
    }
    assert list(apart.values()) == [True, True, True, False, False, False]


def test_12_the_table_of_detectors_is_what_was_measured():
    rows = [row for row in read_results("points") if row["part"] == "test"]
    found = {row["name"]: round(row["f1"], 2) for row in rows}
    [table] = read_tables("12")
    assert {name.split("`")[1]: row["F1"] for name, row in table.items()} == found


def test_14_fifteen_labels_where_doubt_is_do_as_much_as_thirty_at_random():
    path = SOURCES.parents[1] / "benchmarks" / "results" / "active_loop.json"
    found = json.loads(path.read_text("utf-8"))
    worst = dict(zip(found["labels"], found["mean_iou"]["worst"], strict=True))
    random = dict(zip(found["labels"], found["mean_iou"]["random"], strict=True))
    assert (round(worst[15], 3), round(random[30], 3)) == (0.81, 0.811)


def test_15_three_real_tiles_have_a_look_that_the_simulation_never_shows():
    real, simulated = find_state("15", "rows", "## 4.")
    shared = max(("style 1", "style 2"), key=lambda name: simulated[name])
    other = {"style 1": "style 2", "style 2": "style 1"}[shared]
    assert (simulated[shared], simulated[other]) == (16, 0)
    assert (real[shared], real[other]) == (5, 3)


def test_15_nuclei_without_a_mask_give_the_inventor_away(monkeypatch):
    monkeypatch.setenv("NBTOOLS_FAST", str(SOURCES.parents[1] / "tests" / "fast.toml"))
    exact, invented = find_state("15", "rows", "## 6.")
    assert invented["without a mask"] > 100 > 10 * exact["without a mask"]
    assert exact["not found"] < 0.1 * exact["nuclei of the masks"]


def test_16_a_perfect_dice_is_useless_and_small_nuclei_are_missed_more_often():
    rows = find_state("16", "rows", which=0)
    assert rows["Dice of the pixels"] == 1 > rows["mean AP"]
    shares = [row["found"] for row in find_state("16", "strata")["network"]["size"]]
    assert shares[0] < min(shares[1:])


def test_16_losing_the_worst_images_raises_the_score_of_the_files_and_lowers_the_honest_one():
    complete, files = find_state("16", "complete"), find_state("16", "files")
    whole = find_state("16", "scores")["network"]["mean_ap"]
    assert files["mean_ap"] > whole > complete["mean_ap"]
    assert len(complete["missing"]) == 4


def test_16_losing_the_best_images_lowers_both_averages():
    pairs, order = list(find_state("16", "pairs")), find_state("16", "order")
    evaluate, whole = find_state("16", "evaluate"), find_state("16", "scores")["network"]
    left = [pair for number, pair in enumerate(pairs) if number not in set(order[-4:])]
    lost = [p if n not in set(order[-4:]) else (*p[:2], None) for n, p in enumerate(pairs)]
    assert evaluate(lost)["mean_ap"] < evaluate(left)["mean_ap"] < whole["mean_ap"]


def test_16_from_six_sessions_on_there_is_an_interval_of_95_percent():
    from nbtools.metrics.bootstrap import format_interval

    pairs, sessions = find_state("16", "pairs"), find_state("16", "sessions")
    told = []
    for count in (3, 4, 5, 6):
        few = find_state("16", "evaluate")(pairs[: 2 * count], groups=sessions)
        told.append(format_interval(few["interval_95"]["mean_ap"], few["interval_units"]))
    assert ["at best" in text for text in told] == [True, True, True, False]


def test_16_two_other_images_choose_another_threshold_which_gains_nothing_elsewhere():
    from nbtools import metrics

    network, found = find_state("16", "network"), find_state("16", "found")["network"]
    images, evaluate = find_state("16", "images"), find_state("16", "evaluate")
    rows = {}
    for threshold in (0.2, 0.3, 0.5):
        again = [network.decode_again(p, threshold=threshold) for p in found]
        others = metrics.pair_results(images, again)
        two = [others.pop(2), others.pop(0)]
        rows[threshold] = (evaluate(two)["mean_ap"], evaluate(others)["mean_ap"])
    assert rows[0.2][0] > max(rows[0.3][0], rows[0.5][0])
    assert [round(rows[threshold][1], 3) for threshold in (0.2, 0.5)] == [0.519, 0.523]


def test_16_the_interval_of_sessions_is_wider_and_eight_of_them_do_not_tell_the_methods_apart():
    images, sessions = find_state("16", "rows", which=2)
    assert sessions["width"] > images["width"]
    compared = find_state("16", "compared")
    assert compared["units"] == 8
    difference = compared["differences"][0]
    low, high = difference["interval_95"]
    assert low < 0 < difference["difference"] < high


def test_16_three_sessions_have_no_interval_of_95_percent():
    from nbtools.metrics.bootstrap import format_interval

    few = find_state("16", "few")
    told = format_interval(find_state("16", "limits"), few["interval_units"])
    assert "only 3 groups, right in 75 % of cases" in told  # 1 - 2 (1/2)^3: one time in four not


def test_16_a_threshold_gains_less_on_images_where_it_was_not_chosen():
    best, middle = find_state("16", "best"), find_state("16", "rows")[6]
    on_two = best["two"] - middle["two"]
    assert on_two > 2 * (best["the other 14"] - middle["the other 14"])
    assert on_two > 0.02


def test_16_of_dark_nuclei_on_a_bright_field_21_outlines_are_drawn():
    from nbtools import methods

    inverted = find_state("16", "inverted")
    found = methods.load("nuclei2d_small").predict(inverted).labels.pixels
    said = next(SOURCES.glob("16_*.py")).read_text("utf-8")
    assert f"No, {found.max()}: bright is dark now" in said


def test_17_the_largest_nucleus_is_cut_and_a_lost_spacing_makes_pancakes():
    table, largest = find_state("17", "table"), find_state("17", "largest")
    assert table["volume_um3"][largest] > 2 * np.median(table["volume_um3"])
    assert table["touches_border"][largest]
    right, wrong = find_state("17", "rows", which=1)
    assert wrong["volume_um3"] == pytest.approx(right["volume_um3"] / 2, rel=0.01)
    assert (round(right["flatness"], 1), round(wrong["flatness"], 1)) == (1.1, 1.9)
    trusted = find_state("17", "trusted")
    assert np.median(table["shell_1"][trusted]) == pytest.approx(0.15, abs=0.005)


def test_17_a_cube_in_the_paper_and_a_median_of_false_volumes():
    rows = find_state("17", "rows", which=1)
    assert rows[1]["volume_um3"] / rows[0]["volume_um3"] == pytest.approx(0.5, abs=0.005)
    table = find_state("17", "table")
    cubes = np.asarray(table["sphericity"]) ** 3
    np.testing.assert_allclose(cubes, table["sphericity_nucleusj"], rtol=1e-6)


def test_17_the_plant_is_the_unit():
    study, alarms = find_state("17", "study"), find_state("17", "alarms")
    assert min(np.sum(np.asarray(study["line"]) == line) for line in ("wild type", "mutant")) > 90
    assert alarms["by_unit"] == pytest.approx(0.05, abs=0.005)
    assert alarms["by_nucleus"] > 7 * alarms["by_unit"]


def test_18_the_card_of_the_package_says_what_the_network_predicts():
    from nbtools import methods

    card = find_state("18", "card", "## 3.")
    assert methods.load("nuclei2d").name == "flows"
    assert "flows" in card.description


def test_18_the_package_predicts_the_same_and_without_the_scale_something_else():
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    assert find_state("18", "import_code", "## 5.") == 0
    assert find_state("18", "apart", "## 5.").max() < 1e-4
    share, without = (find_state("18", name, "## 5.") for name in ("share", "without"))
    assert without > 1.5 * share


def test_19_four_pieces_have_more_nuclei_and_blocks_are_the_whole_image():
    naive, whole = find_state("19", "naive"), find_state("19", "whole").pixels
    assert naive.max() > whole.max()
    pieces, blocks = find_state("19", "rows", which=-1)
    assert blocks["nuclei"] == whole.max()
    assert blocks["AP at IoU 0.9"] >= 0.999
    seam = find_state("19", "seam")
    shown, true = naive[seam], whole[seam]
    above, below = shown[:30], shown[30:]
    twice = [k for k in np.unique(true[29]) if k and (true[30] == k).any()]
    assert len(twice) == 2  # the figure shows two nuclei that the cut divides
    for k in twice:
        assert above[true[:30] == k].max() != below[true[30:] == k].max() > 0
        assert above[true[:30] == k].max() > 0
    cut = np.unique(np.concatenate([whole[899:901].ravel(), whole[:, 899:901].ravel()]))
    assert (1 - pieces["AP at IoU 0.9"]) * whole.max() > 2 * len(cut)
