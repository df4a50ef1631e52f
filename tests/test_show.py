"""Twin of show: what is drawn is what is there. Beauty is looked at by eye; here stand sizes,
colours, counts and silence.
"""

import subprocess
import sys

import numpy as np
import pytest

from nbtools import show
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.show import colors, layout
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
    ignored = squares.replace(
        pixels=np.where(squares.pixels == 5, -1, squares.pixels.astype(np.int32))
    )
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
    z, y, x = layout.choose_slices(label, label.shape)
    assert label[z, y, x] == 1


def test_a_picture_larger_than_the_screen_is_thinned_and_its_scale_kept_right():
    shown = show.view(Image(np.zeros((300, 900), np.uint8), "YX", spacing=(0.1, 0.1)), most=300)
    assert shown.size == (100, 300)
    assert shown.spacing_um == pytest.approx(0.3)


def test_a_scale_bar_has_a_round_length():
    assert [nice_length(v) for v in (37, 10, 9.9, 0.3, 1234)] == [20, 10, 5, 0.2, 1000]


def test_a_ratio_is_no_pixel_size_and_gets_no_scale_bar():
    assert (
        show.view(Image(np.zeros((4, 8, 8)), "ZYX", spacing=(2.18, 1, 1), unit="pixel")).spacing_um
        is None
    )


def test_every_figure_of_images_is_drawn_from_whatever_holds_images(squares, rng):
    volume = rng.random((6, 20, 24))
    figures = [
        show.images(squares),
        show.images([squares, volume, rng.random((9, 9))], columns=2),
        show.labels(squares),
        show.pairs([(squares, squares)]),
        show.patches([(squares.pixels, squares.pixels)] * 3),
        show.predictions([squares], [squares]),
        show.overlay(Image(volume, "ZYX"), Image((volume > 0.9).astype(int), "ZYX")),
    ]
    for figure in figures:
        assert show.to_png(figure, dpi=40).startswith(b"\x89PNG")
        assert figure.alt


def test_a_volume_its_prediction_and_its_truth_are_cut_at_the_same_planes(rng):
    image = Image(rng.random((12, 24, 30)), "ZYX")
    truth, found = np.zeros((2, 12, 24, 30), int)
    truth[8:11, 3:9, 20:26] = 1
    found[1:4, 12:20, 2:8] = 1
    figure = show.predictions([Sample("a", image, Image(truth, "ZYX"))], [Image(found, "ZYX")])
    told = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert told[0] == told[1] == told[2]
    assert "z = 9" in told[0]


def test_named_images_are_shown_under_their_names_whatever_their_form(squares):
    figure = show.images({"nuclei": squares, "noise": np.eye(9), "unseen": np.eye(3)}, limit=2)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["nuclei", "noise"]
    assert squares.name != "nuclei"


def test_a_table_of_rows_is_that_of_their_columns():
    rows = [{"name": "a", "area_um2": 1.0}, {"area_um2": 2.0, "name": "b"}]
    columns = {"name": ["a", "b"], "area_um2": [1.0, 2.0]}
    assert str(show.table(rows)) == str(show.table(columns))
    assert "0 rows" in str(show.table([]))


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


def test_figures_need_no_pyplot_and_show_themselves():
    code = (
        "import sys, numpy, nbtools.show as s; f = s.images(numpy.eye(9)); f._repr_png_(); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_a_notebook_shows_a_figure_as_one_picture_and_a_table_as_html():
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    shown, _ = formatter.format(show.images(np.eye(9)))
    assert sorted(shown) == ["image/png", "text/plain"]
    assert sorted(formatter.format(show.table({"a": [1]}))[0]) == ["text/html", "text/plain"]


def test_figures_become_the_pages_of_a_pdf(tmp_path, squares):
    show.write_pdf(tmp_path / "a.pdf", [show.images(squares), show.labels(squares)])
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
