"""What lessons say of their own output is true of it: figures and comparisons that need no
training.
"""

import jupytext
import numpy as np
import pytest
from lesson_states import SOURCES, ap, find_state, read_tables, run_lesson


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_00_five_pairs_are_merged_and_five_nuclei_missed_entirely():
    network = find_state("00", "scores")["Network nuclei2d"]
    assert (network["merges"], network["missed"]) == (5, 5)
    assert find_state("03", "outlines", "## 4.") == network["pooled"]["0.50"]


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


def test_02_swapped_files_are_swapped_back_and_numbers_given_but_nothing_is_shifted():
    repairs, findings = find_state("02", "repairs"), find_state("02", "findings")
    assert {finding.code for finding in findings} == {"binary_label", "shifted_label", "swapped"}
    told = "\n".join(repairs)
    assert "swap image and label (swapped)" in told
    assert "number objects (binary_label)" in told
    assert "left out" not in told


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


def test_07_the_text_beside_the_tables_says_what_they_say():
    planes, volumes = read_tables("07")
    dim, bright = "5 photons", "100 photons"
    best = "N2V2, no clean partners"
    gains = [row["CARE"] - row[best] for row in planes.values()]
    assert gains == sorted(gains)  # most where there is much light
    assert all(row["RCAN"] < row["CARE"] for row in planes.values())
    assert volumes[dim]["RCAN"] - volumes[dim]["CARE"] > 1
    assert volumes[bright]["RCAN"] < volumes[bright]["CARE"]


def test_08_the_text_beside_the_table_says_what_it_says():
    (table,) = read_tables("08")
    dim = table["5 photons"]
    learned = ("N2V", "N2V2", "DecoNoising", "PN2V", "CARE")
    assert all(row[name] > row["non-local means"] for row in table.values() for name in learned)
    assert all(1.85 < dim[name] - dim["non-local means"] < 3 for name in learned)
    assert dim["CARE"] > dim["PN2V"] > dim["N2V2"] > dim["N2V"]
    behind = [table[f"{light} photons"] for light in (20, 100)]
    behind = [row["N2V2"] - row["PN2V"] for row in behind]
    assert behind == pytest.approx([0.2, 0.9], abs=0.01)


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


def test_10_the_shipped_network_is_ahead_of_otsu_and_ten_images_do_not_prove_it():
    from nbtools import methods, metrics

    variables = dict(run_lesson("10", "## 6. Train both")[-1])
    [source] = [
        cell.source
        for cell in jupytext.read(next(SOURCES.glob("10_*.py")), fmt="py:percent").cells
        if cell.source.startswith("crowd =")
    ]
    exec(source.partition("budget =")[0], variables)  # the images, without the training
    test, found = variables["test"], {}
    for name in ("nuclei2d_small", "otsu"):
        found[name] = [methods.load(name).predict(sample.image) for sample in test]
    compared = metrics.compare.compare(metrics.evaluate_each(test, found), baseline="otsu")
    [row] = [row for row in compared["differences"] if row["metric"] == "mean_ap"]
    low, high = row["interval_95"]
    assert len(test) == 10
    assert row["difference"] == pytest.approx(0.12, abs=0.01)
    assert low < 0 < high


def test_11_stars_cost_and_flows_lose_nothing():
    from nbtools import metrics

    until = "## 3. Break it"
    sample, oracles = find_state("11", "sample", until), find_state("11", "oracles", until)
    scores = metrics.evaluate_each(sample.label, oracles)
    assert ap(scores["8 rays"]) == 1
    assert ap(scores["8 rays"], "0.90") < 0.1
    assert ap(scores["32 rays"], "0.90") > 0.9
    assert scores["flows"]["mean_ap"] == 1


def test_11_the_foreground_alone_is_no_better_than_otsu_and_stardist_merges_least():
    rows = {}
    for line in next(SOURCES.glob("11_*.py")).read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.removeprefix("# |").split("|")]
        if line.startswith("# |") and len(cells) == 8 and "[" in cells[3]:
            rows[cells[0]] = [float(cells[3].split()[0]), *map(int, cells[4:6])]
    assert len(rows) == 10
    assert rows["`unet`"][0] <= rows["Otsu + watershed"][0]
    splits_most = [name for name, (_, splits, merges) in rows.items() if splits > merges]
    assert splits_most == ["`stardist`, 12 minutes"] == [min(rows, key=lambda name: rows[name][2])]


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
