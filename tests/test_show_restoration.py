"""Twin of show.restoration: what stands beside what, in which greys and colours, and which numbers
are told.
"""

import numpy as np
import pytest

from nbtools import show
from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.methods import Prediction
from nbtools.metrics import restoration as metrics
from nbtools.results import Restored
from nbtools.show.layout import GAP
from nbtools.show.restoration import (
    ColorScale,
    find_contrast,
    find_cuts,
    find_detailed_region,
    view_sections,
)


@pytest.fixture
def clean() -> Image:
    """A dark field with one bright square of 40 at (60, 70) .. (100, 110), and background 10."""
    pixels = np.full((160, 200), 10.0, np.float32)
    pixels[60:100, 70:110] = 40
    return Image(pixels, "YX", spacing=(0.2, 0.2), name="field")


@pytest.fixture
def noisy(clean, rng) -> Image:
    return clean.replace(
        pixels=np.clip(clean.pixels + rng.normal(0, 3, clean.shape), 0, None)
        .round()
        .astype(np.uint16)
    )


def test_scores_of_input_and_results_are_told_in_the_figure(clean, noisy):
    better = clean.replace(pixels=clean.pixels + 1)
    figure = show.restored(noisy, {"ours": better}, clean=clean)
    expected = metrics.psnr(noisy, clean)
    assert figure.alt == f"noisy {expected:.1f} dB, ours {20 * np.log10(30):.1f} dB, clean"
    assert len(figure.axes) == 6  # three whole pictures, three parts


def test_a_prediction_is_shown_by_its_image_and_several_are_numbered(clean, noisy):
    one = Prediction(Restored(clean))
    assert show.restored(noisy, one, clean=clean).alt.count("restored") == 1
    assert "restored 2" in show.restored(noisy, one, clean, clean=clean).alt


def test_a_pair_can_be_shown_before_anything_is_restored(clean, noisy):
    assert show.restored(noisy, clean=clean).alt.endswith("dB, clean")
    with pytest.raises(UserError, match="restored image"):
        show.restored(noisy)


def test_without_a_clean_image_what_was_taken_away_is_shown(clean, noisy):
    figure = show.restored(noisy, clean)
    assert "removed" in figure.alt
    rest = figure.axes[2].images[0].get_array()
    assert abs(float(np.mean(rest)) - 127.5) < 4  # noise without bias: grey on the whole
    assert float(np.std(rest)) > 30


def test_noise_does_not_set_the_grey_range(clean, rng):
    spoiled = clean.replace(pixels=clean.pixels + 1000 * (rng.random(clean.shape) > 0.9))
    figure = show.restored(spoiled, {"ours": clean}, clean=clean)
    assert "from 10 (black) to 40 (white)" in figure.get_supxlabel()


def test_a_restored_image_that_has_lost_everything_does_not_blind_the_noisy_one(clean, noisy):
    flat = clean.replace(pixels=np.full(clean.shape, 10.5, np.float32))
    low, high = find_contrast(flat, noisy).low[0], find_contrast(flat, noisy).high[0]
    assert low == pytest.approx(10, abs=3)
    assert high == pytest.approx(40, abs=3)


def test_images_of_another_size_are_refused_in_words(clean, noisy):
    with pytest.raises(UserError, match="same"):
        show.restored(noisy, {"ours": clean.replace(pixels=clean.pixels[:-1])}, clean=clean)
    with pytest.raises(UserError, match="size"):
        show.restored(noisy, clean.replace(pixels=clean.pixels[:-1]))


def test_the_enlarged_part_is_where_grey_values_differ():
    plane = np.zeros((100, 120))
    plane[50:60, 80:90] = 7
    top, left = find_detailed_region(plane, 32)
    assert 28 <= top <= 50  # the whole square lies inside
    assert 58 <= left <= 80


@pytest.mark.parametrize("shape", [(40, 41), (33, 200), (97, 97)])
def test_the_enlarged_part_lies_inside_images_of_any_shape(shape, rng):
    top, left = find_detailed_region(rng.random(shape), 32)
    assert 0 <= top <= shape[0] - 32
    assert 0 <= left <= shape[1] - 32


def test_a_volume_is_shown_by_its_middle_plane_and_the_slice_below_it():
    volume = np.zeros((9, 30, 40))
    volume[2:7, 21, 5:30] = 5
    image = Image(volume, "ZYX", spacing=(1.0, 0.5, 0.5))
    assert find_cuts(image) == (4, 21)
    seen = view_sections(image, find_contrast(image), cuts=find_cuts(image))
    assert seen.size == (30 + GAP + 18, 40)
    assert [words for _, _, words, _ in seen.captions] == ["z = 4", "y = 21"]
    assert seen.rgb[30 + GAP + 9, 10].min() > 200  # the bright bar, in the slice


def test_errors_of_a_volume_are_drawn_with_one_scale_for_all(rng):
    clean = Image(rng.random((8, 40, 50)) * 10, "ZYX", spacing=(1.0, 0.5, 0.5))
    found = {
        "noisy": clean.replace(pixels=clean.pixels + 3),
        "ours": clean.replace(pixels=clean.pixels - 1),
    }
    figure = show.error_maps(found, clean)
    assert "noisy: RMSE 3" in figure.alt
    worse, better = (figure.axes[i].images[0].get_array()[:40, :, :3] for i in (0, 1))
    assert worse[..., 0].mean() > worse[..., 2].mean()  # too bright is red
    assert better[..., 2].mean() > better[..., 0].mean()  # too dark is blue
    assert better.min() > worse.min()  # and paler, being smaller


def test_no_difference_is_white():
    assert ColorScale("RdBu_r", -1, 1).color(np.zeros((2, 2, 1))).min() > 240


def test_methods_are_compared_with_their_input(clean, noisy):
    evaluation = metrics.evaluate([("a", clean, clean.replace(pixels=clean.pixels + 1), noisy)])
    figure = show.denoisers({"ours": evaluation, "theirs": evaluation})
    assert figure.alt == "ours 29.5 dB, theirs 29.5 dB"
    assert figure.axes[0].lines[0].get_xdata()[0] == pytest.approx(metrics.psnr(noisy, clean))


def test_scores_of_another_task_are_refused():
    with pytest.raises(UserError, match="restoration"):
        show.denoisers({"ours": {"mean_ap": 0.5}})


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((30, 40), "YX"), ((5, 30, 40), "ZYX"), ((2, 30, 40), "TYX"), ((30, 40, 2), "YXC")],
)
def test_before_and_after_stand_side_by_side(shape, axes, rng):
    image = Image(rng.random(shape).astype(np.float32), axes)
    both = show.side_by_side_rgb(image, image)
    assert both.shape[1] == 2 * 40 + GAP
    assert np.array_equal(both[:30, :40], both[:30, 40 + GAP :])


def test_a_colour_image_keeps_its_colours(rng):
    image = Image(rng.random((30, 40, 3)).astype(np.float32), "YXC", channels=RGB)
    pure = image.replace(pixels=image.pixels * [1, 0, 0])
    assert show.side_by_side_rgb(pure, pure)[..., 1:][:, :40].max() == 0


def test_the_overlay_of_a_large_image_is_thinned_out():
    image = Image(np.zeros((30, 3000), np.uint8), "YX")
    assert show.side_by_side_rgb(image, image, most=1000).shape == (10, 2 * 1000 + GAP, 3)
