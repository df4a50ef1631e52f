"""What lessons say of their own output is true of it: figures and comparisons that need no
training.
"""

from functools import cache
from pathlib import Path

import jupytext
import numpy as np
import pytest

SOURCES = Path(__file__).resolve().parent.parent / "notebooks" / "src"


@cache
def run_lesson(number: str, until: str = "") -> tuple[dict, ...]:
    """The variables after each code cell of a lesson, up to the heading `until`."""
    path = next(SOURCES.glob(f"{number}_*.py"))
    variables, states = {}, []
    for cell in jupytext.read(path, fmt="py:percent").cells:
        if until and until in cell.source:
            break
        if cell.cell_type == "code" and "skip-execution" not in cell.metadata.get("tags", []):
            exec(compile(cell.source, path.name, "exec"), variables)
            states.append(dict(variables))
    return tuple(states)


def find_state(number: str, name: str, until: str = "", *, which: int = -1) -> object:
    """A variable of a lesson: its last value, or the value of `which` of the cells that set it."""
    values = []
    for state in run_lesson(number, until):
        if name in state and (not values or state[name] is not values[-1]):
            values.append(state[name])
    return values[which]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ap(scores: dict, iou: str = "0.50") -> float:
    return scores["pooled"][iou]["ap"]


def test_01_sixteen_times_the_light_for_a_quarter_of_the_error():
    rows = find_state("01", "rows", which=0)
    one, four, sixteen = [row["typical error, grey values"] for row in rows]
    assert one / four == pytest.approx(2, abs=0.1)
    assert one / sixteen == pytest.approx(4, abs=0.2)


def test_01_a_wrong_pixel_size_costs_a_factor_and_balls_become_upright_eggs():
    sizes, beads = find_state("01", "rows", which=1), find_state("01", "rows", which=2)
    assert [round(row["times the true one"], 1) for row in sizes] == [1, 0.4, 256]
    volumes = [row["volume, µm³"] for row in beads]
    assert 2.5 < volumes[1] / volumes[0] < 3.5
    assert beads[1]["elongation"] > 1.5


def test_02_predicted_nuclei_in_the_part_that_nobody_labelled_are_not_extra():
    half, scores = find_state("02", "half", "## 2."), find_state("02", "scores", "## 2.")
    whole = find_state("02", "whole", "## 2.")
    numbers = [set(np.unique(one.pixels[one.pixels > 0])) for one in (half, whole)]
    assert len(numbers[0]) < len(numbers[1])
    assert (scores["pooled"]["0.50"]["fp"], scores["pooled"]["0.50"]["fn"]) == (0, 0)


def test_05_by_hand_and_in_keras_the_weights_are_the_same():
    weights, model = find_state("05", "weights"), find_state("05", "model")
    np.testing.assert_allclose(model.get_weights()[0].ravel(), weights, atol=1e-3)
    assert max(weights) < 0  # mutants are smaller, and have less contrast
    no_opinion, *_, upside_down = find_state("05", "rows", which=0)
    assert no_opinion["loss"] == pytest.approx(np.log(2))
    assert upside_down["loss"] > no_opinion["loss"]


def test_05_a_step_too_short_stays_and_one_too_long_lands_higher():
    short, middle, long = find_state("05", "rows", which=1)
    assert short["after 50"] > 0.95 * short["loss before"]
    assert min(long["after 1 step"], long["after 50"]) > 10 * long["loss before"]
    assert middle["after 50"] < 0.5 * short["after 50"]


def test_05_the_framed_window_is_18_and_pooling_keeps_the_largest():
    convolved = find_state("05", "convolved")
    assert convolved.tolist() == [[18, 11], [12, -6]]
    assert find_state("05", "pooled").tolist() == [[18]]


def test_05_the_small_network_beats_two_features_and_has_1265_parameters():
    network, history = find_state("05", "network"), find_state("05", "history").history
    assert network.count_params() == 8 * (9 + 1) + 16 * (9 * 8 + 1) + 16 + 1 == 1265
    assert history["val_accuracy"][-1] > find_state("05", "by_features")
    assert history["val_loss"][-1] < history["val_loss"][0]


def test_05_ten_nuclei_are_learned_by_heart():
    history = find_state("05", "by_heart").history
    assert history["loss"][-1] < 0.05
    assert history["val_loss"][-1] > np.log(2)


def test_05_spots_speak_against_mutant_and_an_untrained_network_says_next_to_nothing():
    maps, nucleus = find_state("05", "maps"), find_state("05", "images")[0][..., 0]
    spots = nucleus > np.quantile(nucleus, 0.97)
    assert maps["occlusion"][spots].mean() < -0.1
    assert maps["Grad-CAM"][nucleus < 0.2].mean() > maps["Grad-CAM"][spots].mean()
    assert np.abs(maps["untrained"]).max() < 0.1 * np.abs(maps["occlusion"]).max()


def test_09_a_perfect_dice_goes_with_a_wrong_count():
    from skimage.measure import label

    from nbtools import data, metrics, targets

    truth = data.samples("nuclei2d")[0].label.pixels.astype("int32")
    peeled = np.where(targets.border.find_edges(truth), 0, truth)
    large = truth * (np.bincount(truth.ravel())[truth] >= 250)
    damaged = {"peeled": peeled, "small ones gone": large}
    damaged["merged"] = label(truth > 0)
    dice = {}
    for name, labels in damaged.items():
        dice[name] = metrics.semantic.evaluate(metrics.pair_results(truth, labels))["dice"]
    assert dice["merged"] == 1 > dice["small ones gone"] > dice["peeled"]
    counts = {name: len(np.unique(labels)) - 1 for name, labels in damaged.items()}
    assert counts["merged"] < 110 < counts["peeled"] < 126


def test_10_the_oracles_are_as_the_text_says():
    from nbtools import metrics

    until = "## 6. Train both"
    truth = find_state("10", "truth", until)
    shifted = metrics.evaluate_each(truth, find_state("10", "shifted", until))
    assert ap(shifted["shifted by 3 px"]) > 0.85
    assert ap(shifted["shifted by 3 px"], "0.80") < 0.05
    connected = metrics.pair_results(truth, find_state("10", "connected", until))
    lost = 1 - metrics.instances.evaluate(connected)["pooled"]["0.50"]["recall"]
    assert 0.15 < lost < 0.2
    oracles = metrics.evaluate_each(truth, find_state("10", "oracles", until))
    assert ap(oracles["inner"], "0.90") == 0
    grown = metrics.evaluate_each(truth, find_state("10", "grown", until))
    assert min(scores["mean_ap"] for scores in grown.values()) > 0.95


def test_11_stars_cost_and_flows_lose_nothing():
    from nbtools import metrics

    until = "## 3. Break it"
    sample, oracles = find_state("11", "sample", until), find_state("11", "oracles", until)
    scores = metrics.evaluate_each(sample.label, oracles)
    assert ap(scores["8 rays"]) == 1
    assert ap(scores["8 rays"], "0.90") < 0.1
    assert ap(scores["32 rays"], "0.90") > 0.9
    assert scores["flows"]["mean_ap"] == 1


def test_12_centres_are_ranked_as_the_text_says():
    until = "## 7. Learn both"
    truth, alone = find_state("12b", "truth", until), find_state("12b", "alone", until)
    assert (len(np.unique(truth)) - 1, alone.max()) == (51, 12)
    missed, doubled, moved = find_state("12b", "rows", until, which=1)
    assert moved["AP at 0.5"] < missed["AP at 0.5"] < doubled["AP at 0.5"]
    assert moved["mean AP"] < missed["mean AP"] < doubled["mean AP"]
    shares = find_state("12b", "rows", until)
    assert [row["merges"] for row in shares][-1] == 10
    assert min(row["AP at 0.5"] for row in shares[:-1]) > 0.9


def test_12_points_the_gate_and_doubles_do_what_the_text_says():
    until = "## 5. Three networks"
    gates = find_state("12_points", "rows", until, which=0)
    assert gates[-1]["at random"] > 0.8 > 0.2 > gates[2]["at random"]
    assert gates[0]["blob_log"] < 0.3 < 0.8 < gates[2]["blob_log"]
    scores = find_state("12_points", "scores", until)
    once, twice = scores["blob_log"], scores["each twice"]
    assert twice["recall"] >= once["recall"]
    assert twice["precision"] < 0.6 * once["precision"]
    assert twice["count_error"] > 5 * once["count_error"]
    peaks = find_state("12_points", "rows", until)
    assert all(row["peaks"] == row["true"] for row in peaks)


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


def test_17_the_largest_nucleus_is_cut_and_a_lost_spacing_makes_pancakes():
    table, largest = find_state("17", "table"), find_state("17", "largest")
    assert table["volume_um3"][largest] > 2 * np.median(table["volume_um3"])
    assert table["touches_border"][largest]
    right, wrong = find_state("17", "rows", which=1)
    assert wrong["volume_um3"] == pytest.approx(right["volume_um3"] / 2, rel=0.01)
    assert (round(right["flatness"], 1), round(wrong["flatness"], 1)) == (1.1, 1.9)
    trusted = find_state("17", "trusted")
    assert np.median(table["shell_1"][trusted]) == pytest.approx(0.15, abs=0.005)


def test_17_the_plant_is_the_unit():
    study, alarms = find_state("17", "study"), find_state("17", "alarms")
    assert min(np.sum(np.asarray(study["line"]) == line) for line in ("wild type", "mutant")) > 90
    assert alarms["by_unit"] == pytest.approx(0.05, abs=0.005)
    assert alarms["by_nucleus"] > 7 * alarms["by_unit"]
