"""What intervals are worth, names that are missing, and numbers with commas.

True values: n independent units hold the median between their extremes with probability
1 - 2^(1-n), a property of the sign test; Welch's interval is SciPy's; the planted differences are
of the tables below.
"""

import numpy as np
import pytest
from scipy import stats

from nbtools.errors import UserError
from nbtools.metrics import bootstrap, compare, instances
from nbtools.metrics.statistics import compare_groups, count_false_alarms
from nbtools.metrics.table_values import find_missing, read_numbers
from nbtools.tasks.instances import format_scores, write_sentence

TABLE = {
    "volume": [1.5, 2.5, 3.5, 2.0, 6.5, 7.5, 8.5, 7.0],
    "plant": list("aabbccdd"),
    "line": ["wt"] * 4 + ["mutant"] * 4,
}


def score(count: int, **options) -> dict:
    """Scores of images in which one of two nuclei is found, or both."""
    truth = np.zeros((10, 20), int)
    truth[2:8, 2:8], truth[2:8, 12:18] = 1, 2
    half = np.where(truth == 1, truth, 0)
    pairs = [(f"image {i}", truth, truth if i % 2 else half) for i in range(count)]
    return instances.evaluate(pairs, **options)


@pytest.mark.parametrize("units", [2, 3, 4, 5])
def test_the_best_coverage_of_few_units_is_that_of_their_extremes(units):
    rng = np.random.default_rng(units)
    values = rng.standard_normal((20_000, units))
    held = ((values.min(axis=1) <= 0) & (values.max(axis=1) >= 0)).mean()
    assert bootstrap.find_best_coverage(units) == pytest.approx(held, abs=0.01)


@pytest.mark.parametrize(("units", "least"), [(6, 0.9), (10, 0.93), (30, 0.93)])
def test_intervals_of_six_units_and_more_hold_what_they_promise(units, least):
    rng, held = np.random.default_rng(units), 0
    for _ in range(400):
        values = rng.standard_normal(units)
        table = np.column_stack([values, np.ones(units)])
        low, high = bootstrap.find_intervals(
            table, lambda sums: {"mean": sums[..., 0] / sums[..., 1]}, units=np.arange(units)
        )["mean"]
        held += low <= 0 <= high
    assert least <= held / 400 <= 0.985


@pytest.mark.parametrize(("images", "share"), [(2, "50"), (3, "75"), (4, "88"), (5, "94")])
def test_scores_of_few_images_say_what_their_interval_is_worth(images, share):
    scores = score(images)
    told = " ".join([*format_scores(scores), write_sentence(scores)])
    assert told.count(f"only {images} images, right in {share} % of cases at best") == 2
    assert "95 % interval" not in told


def test_groups_count_not_the_images_in_them():
    scores = score(12, groups={f"image {i}": f"animal {i % 3}" for i in range(12)})
    assert "only 3 groups, right in 75 % of cases" in " ".join(format_scores(scores))
    assert "95 % interval" in " ".join(format_scores(score(12)))


@pytest.mark.parametrize(("images", "clear"), [(2, False), (5, False), (6, True)])
def test_no_difference_is_clear_on_fewer_than_six_images(images, clear):
    truth = np.pad(np.ones((4, 4), int), 2)
    perfect = instances.evaluate([(str(i), truth, truth) for i in range(images)])
    nothing = instances.evaluate([(str(i), truth, 0 * truth) for i in range(images)])
    compared = compare.compare({"classical": nothing, "network": perfect})
    assert compared["differences"][0]["clear"] is clear


@pytest.mark.parametrize("method", ["units", "mixed", "bootstrap"])
def test_few_plants_are_told_whatever_the_method(method):
    notes = compare_groups(TABLE, "volume", group="line", unit="plant", method=method)["notes"]
    assert any("few units (plant: 2 per group)" in note for note in notes)


def test_six_plants_need_no_word(rng):
    table = {
        "volume": rng.standard_normal(60),
        "plant": np.repeat(np.arange(12), 5),
        "line": np.repeat(["wt", "mutant"], 30),
    }
    assert compare_groups(table, "volume", group="line", unit="plant")["notes"] == []


@pytest.mark.parametrize("nothing", [None, "", " ", float("nan"), "nan", "NA", "#N/A"])
@pytest.mark.parametrize("column", ["line", "plant"])
def test_a_row_without_a_name_is_told_and_is_no_group(nothing, column):
    table = {name: [*cells, cells[-1]] for name, cells in TABLE.items()}
    table["volume"][-1] = 1000.0  # would move the mean if it counted
    table[column][-1] = nothing
    compared = compare_groups(table, "volume", group="line", unit="plant")
    assert compared["rows"][0]["difference"] == pytest.approx(5.0)
    assert list(compared["groups"]) == ["wt", "mutant"]
    assert compared["groups"]["mutant"] == {"units": 2, "nuclei": 4}
    assert compared["left_out"] == {column: 1}
    assert any(f"1 rows without {column}" in note for note in compared["notes"])


def test_names_that_mean_something_stay():
    assert not find_missing(["none", "null", "Na", "0", 0, False]).any()
    table = TABLE | {"line": ["none"] * 4 + ["null"] * 4}
    assert set(compare_groups(table, "volume", group="line", unit="plant")["groups"]) == {
        "none",
        "null",
    }


def test_blanks_around_a_name_make_no_group():
    table = TABLE | {"line": ["wt", "wt ", " wt", "wt", *["mutant"] * 4]}
    assert list(compare_groups(table, "volume", group="line", unit="plant")["groups"]) == [
        "wt",
        "mutant",
    ]


def test_missing_names_do_not_disturb_the_false_alarms(rng):
    table = {
        "volume": [*rng.standard_normal(80), 50.0],
        "plant": [*np.repeat(np.arange(16), 5).astype(str), ""],
        "line": [*np.repeat(["wt", "mutant"], 40), "wt"],
    }
    alarms = count_false_alarms(table, "volume", group="line", unit="plant", splits=200)
    assert alarms["by_unit"] < 0.15


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,5", "2,25"], [1.5, 2.25]),
        (["1.204,5", "2.000.000,25"], [1204.5, 2_000_000.25]),
        (["1,204.5", "12"], [1204.5, 12]),
        (["1,234,567", "3"], [1_234_567, 3]),
        (["-0,5", "\u22121,25", "+3"], [-0.5, -1.25, 3]),
        (["1,5e3", "2"], [1500, 2]),
        (["1.5", "", None], [1.5, np.nan, np.nan]),
        ([1, 2.5], [1, 2.5]),
    ],
)
def test_commas_are_understood(cells, numbers):
    assert read_numbers({"v": cells}, "v") == pytest.approx(numbers, nan_ok=True)


def test_decimal_commas_give_the_same_comparison():
    text = TABLE | {"volume": [str(v).replace(".", ",") for v in TABLE["volume"]]}
    one, other = (
        compare_groups(t, "volume", group="line", unit="plant")["rows"][0] for t in (TABLE, text)
    )
    assert one == other
    means = [[2.0, 2.75], [7.0, 7.75]]
    welch = stats.ttest_ind(means[1], means[0], equal_var=False)
    assert one["interval_95"] == pytest.approx(list(welch.confidence_interval()))


@pytest.mark.parametrize("cells", [["1,234", "2,345"], ["1.5", "2,5"]])
def test_a_comma_that_may_mean_two_things_is_refused(cells):
    with pytest.raises(UserError, match="comma"):
        read_numbers({"v": cells}, "v")


def test_words_among_numbers_are_refused_in_words():
    with pytest.raises(UserError, match="must hold numbers.*'large'"):
        read_numbers({"v": ["1.5", "large"]}, "v")


def test_the_figure_and_the_table_repeat_the_notes():
    from nbtools import show

    figure = show.groups(TABLE, "volume", group="line", unit="plant")
    assert "few units" in figure.get_supxlabel()
    compared = compare_groups(TABLE, "volume", group="line", unit="plant")
    assert "few units" in str(show.group_table(compared))


def test_a_report_tells_pixel_sizes_as_they_differ_and_what_weights_learned_from(tmp_path):
    from nbtools import cli, io
    from nbtools.image import Image

    grey = np.random.default_rng(0).poisson(5, (64, 64)).astype(np.uint8)
    grey[10:30, 10:30] += 100
    for name, spacing in (("a", (0.5, 0.5)), ("b", (0.2, 0.2)), ("c", (0.2, 0.2)), ("d", None)):
        io.write_image(tmp_path / "mine" / f"{name}.tif", Image(grey, "YX", spacing))
    result = str(tmp_path / "result")
    assert cli.main(["predict", "otsu", str(tmp_path / "mine"), "--out", result, "--quiet"]) in (
        0,
        1,
    )
    assert cli.main(["report", result, "--quiet"]) == 0
    page = (tmp_path / "result" / "report.html").read_text("utf-8")
    assert "The pixel size differed between images" in page
    for words in (
        "0.5 x 0.5 µm (Y, X): 1 image",
        "0.2 x 0.2 µm (Y, X): 2 images",
        "unknown: 1 image",
    ):
        assert words in page, words


@pytest.mark.parametrize(
    ("weights", "words"),
    [("nuclei2d", "Data Science Bowl 2018"), ("nuclei3d", "shaped on the volume scored below")],
)
def test_shipped_weights_are_named_with_what_they_learned_from(weights, words):
    from nbtools.report.facts import find_training_data
    from nbtools.report.prose import write_methods

    learned = find_training_data(weights)
    assert words in learned
    facts = {
        "kind": "result",
        "method": {"name": "flows"},
        "model": weights,
        "learned_from": learned,
        "images": {"count": 2},
        "nuclei": 7,
    }
    assert f"The weights {weights} learned from: {learned}." in write_methods(facts)


@pytest.mark.parametrize(
    "words", [["methods", "otsu", "--task", "instances"], ["fetch", "--out", "somewhere"]]
)
def test_options_that_would_be_ignored_are_refused(words, capsys):
    from nbtools import cli

    assert cli.main(words) == 2
    assert words[-2] in capsys.readouterr().err
