"""Twin of show, second part: trainings, scores, mistakes, measurements and words."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from nbtools import show
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import instances
from nbtools.show import curves, quality


@pytest.fixture
def squares() -> Image:
    pixels = np.zeros((60, 80), np.uint16)
    for label, (y, x) in enumerate([(5, 5), (5, 30), (30, 5), (30, 30), (30, 55)], start=1):
        pixels[y : y + 15, x : x + 15] = label
    return Image(pixels, "YX", spacing=(0.5, 0.5), name="squares")


ROWS = [
    {"epoch": i, "step": 10 * i, "loss": 1 / i, "val_loss": 1.2 / i, "lr": 0.001}
    for i in range(1, 6)
]


def test_a_training_is_drawn_with_the_columns_it_has():
    assert len(show.training(ROWS).axes) == 3
    assert len(show.training([{"epoch": 1, "loss": -1.0}]).axes) == 2
    with pytest.raises(UserError, match="epoch"):
        show.training([])


def test_the_live_curve_is_silent_outside_a_notebook(capsys):
    curve = show.training_curve()
    for step in range(1, 30):
        curve.on_step(step, {"loss": 1 / step, "progress": step / 30})
    curve.on_epoch(1, {"loss": 0.1, "val_loss": 0.2})
    assert capsys.readouterr() == ("", "")


def test_the_live_curve_is_drawn_once_and_then_updated_seldom(monkeypatch):
    shown = []

    class Handle:
        def update(self, figure):
            shown.append(figure)

    def display(figure, display_id):
        shown.append(figure)
        return Handle()

    monkeypatch.setattr(curves, "find_display", lambda: display)
    curve = show.training_curve()
    for step in range(1, 501):
        curve.on_step(step, {"loss": 1 / step, "progress": step / 500})
        if step % 100 == 0:
            curve.on_epoch(step // 100, {"loss": 1 / step, "val_loss": 2 / step})
    assert 2 <= len(shown) <= 4


def test_the_live_curve_says_the_time_left():
    curve = show.training_curve()
    curve.on_step(50, {"loss": 1.0, "progress": 0.25})
    curve.started -= 60
    assert "25% · 1 min 0 s elapsed, about 3 min 0 s left" in curve.describe()


def _mistaken(squares: Image) -> Image:
    """Nucleus 1 missed, 2 split, 3 and 4 merged, 5 found, and one that is not there."""
    pixels = np.zeros_like(squares.pixels)
    pixels[5:20, 30:37], pixels[5:20, 37:45] = 1, 2
    pixels[30:45, 5:45] = 3
    pixels[squares.pixels == 5] = 4
    pixels[50:58, 60:75] = 5
    return squares.replace(pixels=pixels)


def test_an_error_map_counts_what_the_metrics_count(squares):
    predicted = _mistaken(squares)
    _, kinds, counts = quality.sort_nuclei(squares, predicted)
    result = instances.evaluate([("a", squares, predicted)])
    assert (counts["split"], counts["merged"]) == (result["splits"], result["merges"]) == (1, 1)
    pooled = result["pooled"]["0.50"]
    assert [counts[k] for k in quality.COUNTED] == [pooled[k] for k in ("tp", "fn", "fp")]
    assert kinds[:5] == ["split", "split", "merged", "matched", "extra"]
    assert kinds[5:] == ["missed"] * pooled["fn"]


def test_the_counts_of_an_error_map_add_up_to_the_ap_beside_them(squares):
    figure = show.error_map(squares, squares, predicted=_mistaken(squares))
    title = figure.axes[0].get_title()
    matched, again, missed, extra = map(int, re.findall(r"(\d+) (?:matched|missed|extra)", title))
    assert matched == again > 0
    ap = matched / (matched + missed + extra)
    assert ap == instances.score(squares, _mistaken(squares)).ap
    assert f"= {ap:.2f} at IoU 0.5" in title
    legend = [text.get_text().split()[0] for text in figure.legends[0].get_texts()]
    assert [legend[i] for i in (0, 2, 4)] == [str(n) for n in (matched, missed, extra)]


def test_an_error_map_says_in_words_what_it_shows(squares):
    figure = show.error_map(squares, squares, predicted=_mistaken(squares))
    assert "1 split, 1 merged" in figure.alt
    assert figure.legends


def test_a_perfect_result_has_an_error_map_too(squares):
    assert show.error_map(squares, squares, predicted=squares).alt == "5 matched, 0 missed, 0 extra"
    empty = squares.replace(pixels=np.zeros_like(squares.pixels))
    assert show.error_map(squares, empty, predicted=empty).alt == "0 matched, 0 missed, 0 extra"


def test_scores_are_drawn_from_the_json_of_evaluate(squares):
    result = instances.evaluate([("a", squares, _mistaken(squares)), ("b", squares, None)])
    assert show.scores(result).alt == f"mean AP {result['mean_ap']:.3f} over 2 images"
    with pytest.raises(UserError, match="those of a task"):
        show.scores({"psnr": 3})


def test_several_results_are_drawn_side_by_side(squares):
    results = {
        name: instances.evaluate([("a", squares, p)])
        for name, p in (("otsu", _mistaken(squares)), ("network", squares))
    }
    assert (
        show.scores(results).alt == f"mean AP: otsu {results['otsu']['mean_ap']:.3f}, network 1.000"
    )


def test_results_without_a_mistake_have_an_axis_that_begins_at_none(squares):
    perfect = instances.evaluate([("a", squares, squares)])
    assert show.scores({"otsu": perfect, "network": perfect}).axes[-1].get_ylim() == pytest.approx(
        (0, 1.15)
    )


def test_a_table_is_shown_short_and_says_how_long_it_is():
    shown = show.table(
        {"label": range(1, 31), "name": ["<b>"] * 30, "area": [np.nan] * 30, "cut": [True] * 30},
        limit=3,
    )
    assert repr(shown).splitlines()[-1] == "30 rows, the first 3 shown"
    assert shown._repr_html_().count("<tr>") == 4
    assert "<b>" not in shown._repr_html_()


def test_findings_are_shown_worst_first_with_their_remedy():
    found = [
        SimpleNamespace(severity=s, file="a.tif", message=f"{s} here.", remedy="Do this.")
        for s in ("note", "error")
    ]
    assert repr(show.findings(found)).splitlines() == [
        "error: a.tif: error here. Do this.",
        "note: a.tif: note here. Do this.",
        "1 error, 1 note",
    ]
    assert "No problems found" in repr(show.findings([]))


def test_measurements_draw_the_columns_they_find():
    table = {
        "label": [1, 2, 3],
        "area_um2": [10.0, 12.0, np.nan],
        "mean_0": [1.0, 2.0, 3.0],
        "touches_border": [True, False, False],
    }
    assert len(show.measurements(table).axes) == 2
    with pytest.raises(UserError, match="Known"):
        show.measurements(table, columns=("volume_um3",))
    with pytest.raises(UserError, match="measured nuclei"):
        show.measurements({"area_um2": []})
