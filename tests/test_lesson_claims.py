"""What lessons say of their own output is true of it: figures and comparisons that need no
training.
"""

import json
from functools import cache
from pathlib import Path

import jupytext
import numpy as np
import pytest

from nbtools import simulate

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


def read_tables(number: str) -> list[dict[str, dict[str, float]]]:
    """The tables in the prose of a lesson: first column → column → number."""
    tables, head = [], None
    for line in next(SOURCES.glob(f"{number}_*.py")).read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.removeprefix("# |").rstrip("|").split("|")]
        if not line.startswith("# |"):
            head = None
        elif head is None:
            head = cells
            tables.append({})
        elif not cells[0].startswith("---"):
            tables[-1][cells[0]] = dict(zip(head[1:], map(float, cells[1:]), strict=True))
    return tables


def ap(scores: dict, iou: str = "0.50") -> float:
    return scores["pooled"][iou]["ap"]


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


def test_18_the_card_of_the_package_says_what_the_network_predicts():
    from nbtools import methods

    card = find_state("18", "card", "## 3.")
    assert methods.load("nuclei2d").name == "flows"
    assert "flows" in card.description


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
