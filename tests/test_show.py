"""Twin of show: what is drawn is what is there. Beauty is looked at by eye; here stand sizes, colours, counts and silence."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from nbtools import show
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.metrics import instances
from nbtools.show import colors, curves, layout, quality
from nbtools.show.figure import nice_length


@pytest.fixture
def tiles() -> np.ndarray:
    """A label image without background: 100 touching nuclei, numbered at random."""
    numbers = np.random.default_rng(1).permutation(100) + 1
    return numbers.reshape(10, 10).repeat(20, axis=0).repeat(20, axis=1)


@pytest.fixture
def squares() -> Image:
    pixels = np.zeros((60, 80), np.uint16)
    for label, (y, x) in enumerate([(5, 5), (5, 30), (30, 5), (30, 30), (30, 55)], start=1):
        pixels[y : y + 15, x : x + 15] = label
    return Image(pixels, "YX", spacing=(0.5, 0.5), name="squares")


def test_touching_nuclei_never_share_a_colour(tiles):
    dense, palette = colors.color_labels(tiles)
    painted = palette[dense]
    for axis in (0, 1):
        differs = np.diff(dense, axis=axis) != 0
        changes = np.abs(np.diff(painted, axis=axis)).sum(axis=-1) > 0.1
        assert changes[differs].all()


def test_labels_far_apart_in_number_are_renumbered_without_gaps():
    dense, palette = colors.color_labels(np.array([[0, 4_000_000_000, 7]]))
    assert dense.tolist() == [[0, 2, 1]]
    assert len(palette) == 3
    assert not palette[0].any()


@pytest.mark.parametrize("shape", [(1, 1), (2, 30), (1, 9, 9), (3, 2, 2, 40)])
def test_labels_of_any_shape_get_colours(shape):
    dense, palette = colors.color_labels(np.arange(np.prod(shape)).reshape(shape))
    assert palette[dense].shape == (*shape, 3)


def test_an_outline_is_drawn_inside_the_nucleus_and_nowhere_else(squares):
    grey = Image(np.full(squares.shape, 0.5), "YX")
    painted = show.overlay_rgb(grey, squares, fill=0)
    times = painted.shape[0] // squares.shape[0]
    inside = squares.pixels.repeat(times, axis=0).repeat(times, axis=1) > 0
    colored = np.ptp(painted.astype(int), axis=-1) > 10
    assert colored[inside].any()
    assert not colored[~inside].any()


def test_pixels_marked_to_be_ignored_are_not_outlined(squares):
    ignored = squares.replace(pixels=np.where(squares.pixels == 5, -1, squares.pixels.astype(np.int32)))
    assert show.overlay(squares, ignored).alt.startswith("4 outlined")
    assert set(np.unique(show.view(squares, ignored).label)) == {0, 1, 2, 3, 4}


def test_a_label_of_another_size_is_refused_in_words(squares):
    with pytest.raises(UserError, match="same size"):
        show.overlay(squares, squares.replace(pixels=squares.pixels[:-1]))


def test_an_8_bit_colour_image_is_shown_untouched(rng):
    pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(show.view(Image(pixels, "YXC", channels=RGB)).rgb, pixels)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0, 7, np.nan, np.inf])
def test_a_blank_image_is_shown_without_a_warning(value):
    assert show.view(Image(np.full((8, 9), float(value)), "YX")).rgb.shape == (8, 9, 3)


def test_contrast_runs_from_the_dark_to_the_bright_percentile():
    ramp = np.arange(1000.0).reshape(25, 40)
    shown = show.view(Image(ramp, "YX")).rgb[..., 0].ravel()
    assert (shown[:10] == 0).all()
    assert (shown[-2:] == 255).all()
    assert shown[500] == pytest.approx(127, abs=2)


def test_two_channels_are_green_and_magenta():
    pixels = np.zeros((2, 10, 10))
    pixels[0, 2:5, 2:5] = pixels[1, 6:9, 6:9] = 1
    shown = show.view(Image(pixels, "CYX", channels=("DNA", "lamin")))
    green, magenta = shown.rgb[3, 3].astype(int), shown.rgb[7, 7].astype(int)
    assert green.argmax() == 1
    assert min(magenta[0], magenta[2]) > 200
    assert magenta[1] < 60
    assert [caption[2] for caption in shown.captions] == ["DNA", "lamin"]


def test_a_volume_is_laid_out_with_square_pixels():
    volume = Image(np.zeros((10, 30, 40)), "ZYX", spacing=(1.0, 0.25, 0.25))
    shown = show.view(volume)
    depth, gap = 10 * 4, layout.GAP
    assert shown.size == (30 + gap + depth, 40 + gap + 40 + gap + depth)
    assert shown.spacing_um == 0.25
    assert shown.frame == (40, 30)


def test_slices_are_cut_where_the_labels_are():
    label = np.zeros((20, 30, 40), int)
    label[15:18, 2:6, 30:36] = 1
    z, y, x = layout.choose_cuts(label, label.shape)
    assert label[z, y, x] == 1


def test_a_picture_larger_than_the_screen_is_thinned_and_its_scale_kept_right():
    shown = show.view(Image(np.zeros((300, 900), np.uint8), "YX", spacing=(0.1, 0.1)), most=300)
    assert shown.size == (100, 300)
    assert shown.spacing_um == pytest.approx(0.3)


def test_a_scale_bar_has_a_round_length():
    assert [nice_length(v) for v in (37, 10, 9.9, 0.3, 1234)] == [20, 10, 5, 0.2, 1000]


def test_a_ratio_is_no_pixel_size_and_gets_no_scale_bar():
    assert show.view(Image(np.zeros((4, 8, 8)), "ZYX", spacing=(2.18, 1, 1), unit="pixel")).spacing_um is None


def test_every_figure_of_images_is_drawn_from_whatever_holds_images(squares, rng):
    volume = rng.random((6, 20, 24))
    figures = [
        show.images(squares), show.images([squares, volume, rng.random((9, 9))], columns=2), show.labels(squares),
        show.pairs([(squares, squares)]), show.patches([(squares.pixels, squares.pixels)] * 3), show.predictions([squares], [squares]),
        show.overlay(Image(volume, "ZYX"), Image((volume > 0.9).astype(int), "ZYX")),
    ]  # fmt: skip
    for figure in figures:
        assert show.to_png(figure, dpi=40).startswith(b"\x89PNG")
        assert figure.alt


def test_what_cannot_be_shown_is_refused_in_words():
    for nothing in ([], np.zeros(5), "text"):
        with pytest.raises(UserError):
            show.images(nothing)


def test_of_a_data_set_the_images_are_shown_and_its_samples_in_pairs(squares):
    dataset = DataSet.of([Sample("a", squares, label=squares), Sample("b", squares)])
    assert show.images(dataset).alt == "2 images"
    assert show.images(dataset, limit=1).get_supxlabel() == "the first 1 of 2 images"
    assert len(show.pairs(dataset).axes) == 3
    assert len(show.sample(dataset[0]).axes) == 2


def test_only_the_images_that_are_shown_are_read():
    read = []

    def lazily():
        for i in range(100):
            read.append(i)
            yield np.eye(8)

    show.images(lazily(), limit=3)
    assert len(read) <= 4


ROWS = [{"epoch": i, "step": 10 * i, "loss": 1 / i, "val_loss": 1.2 / i, "lr": 0.001} for i in range(1, 6)]


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
    assert "25% · 1 min 0 s gone, about 3 min 0 s left" in curve.say()


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
    assert (counts["missed"], counts["extra"]) == (result["missed"], result["extra"]) == (1, 1)
    assert counts["hit"] == result["pooled"]["0.50"]["tp"]
    assert kinds == ["split", "split", "merged", "hit", "extra", "missed"]


def test_an_error_map_says_in_words_what_it_shows(squares):
    figure = show.error_map(squares, squares, predicted=_mistaken(squares))
    assert "1 missed" in figure.alt
    assert figure.legends


def test_a_perfect_result_has_an_error_map_too(squares):
    assert show.error_map(squares, squares, predicted=squares).alt == "5 hit, 0 missed, 0 extra"
    empty = squares.replace(pixels=np.zeros_like(squares.pixels))
    assert show.error_map(squares, empty, predicted=empty).alt == "0 hit, 0 missed, 0 extra"


def test_scores_are_drawn_from_the_json_of_evaluate(squares):
    result = instances.evaluate([("a", squares, _mistaken(squares)), ("b", squares, None)])
    assert show.scores(result).alt == f"mean AP {result['mean_ap']:.3f} over 2 images"
    with pytest.raises(UserError, match="instances"):
        show.scores({"psnr": 3})


def test_several_results_are_drawn_side_by_side(squares):
    results = {name: instances.evaluate([("a", squares, p)]) for name, p in (("otsu", _mistaken(squares)), ("network", squares))}
    assert show.scores(results).alt == f"mean AP: otsu {results['otsu']['mean_ap']:.3f}, network 1.000"


def test_a_table_is_shown_short_and_says_how_long_it_is():
    shown = show.table({"label": range(1, 31), "name": ["<b>"] * 30, "area": [np.nan] * 30, "cut": [True] * 30}, limit=3)
    assert repr(shown).splitlines()[-1] == "30 rows, the first 3 shown"
    assert shown._repr_html_().count("<tr>") == 4
    assert "<b>" not in shown._repr_html_()


def test_findings_are_shown_worst_first_with_their_remedy():
    found = [SimpleNamespace(severity=s, file="a.tif", message=f"{s} here.", remedy="Do this.") for s in ("note", "error")]
    assert repr(show.findings(found)).splitlines() == [
        "error: a.tif: error here. Do this.",
        "note: a.tif: note here. Do this.",
        "1 error, 1 note",
    ]
    assert "Nothing is wrong" in repr(show.findings([]))


def test_measurements_draw_the_columns_they_find():
    table = {"label": [1, 2, 3], "area_um2": [10.0, 12.0, np.nan], "mean_0": [1.0, 2.0, 3.0], "touches_border": [True, False, False]}
    assert len(show.measurements(table).axes) == 2
    with pytest.raises(UserError, match="Known"):
        show.measurements(table, columns=("volume_um3",))
    with pytest.raises(UserError, match="measured nuclei"):
        show.measurements({"area_um2": []})


def test_figures_need_no_pyplot_and_show_themselves():
    code = "import sys, numpy, nbtools.show as s; f = s.images(numpy.eye(9)); f._repr_png_(); print('matplotlib.pyplot' in sys.modules)"
    answer = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_figures_become_the_pages_of_a_pdf(tmp_path, squares):
    show.write_pdf(tmp_path / "a.pdf", [show.images(squares), show.training(ROWS)])
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
