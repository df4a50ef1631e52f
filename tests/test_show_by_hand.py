"""Twin of show.by_hand and show.explained: figures hold the numbers they were given."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from nbtools import by_hand, show
from nbtools.errors import UserError
from nbtools.show.colors import BLUE, ORANGE
from nbtools.show.explained import OPACITY, _tint

FEATURES = np.array([[1.0, 2.0], [-1.0, -0.5], [2.0, -1.0], [-2.0, -1.0]])
ANSWERS = np.array([1, 0, 1, 0])


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_every_number_is_written_into_its_pixel():
    figure = show.numbers({"image": np.array([[1, 2], [3, -4]]), "sum": np.array([[2.5]])})
    image, total = figure.axes
    assert texts(image) == ["1", "2", "3", "-4"]
    assert texts(total) == ["2.5"]
    assert image.texts[3].get_position() == (1, 1)


def test_a_window_is_framed_around_the_pixels_it_holds():
    frame = show.numbers({"image": np.eye(4)}, mark=(1, 0, 3, 2)).axes[0].patches[0]
    assert (*frame.get_xy(), frame.get_width(), frame.get_height()) == (-0.5, 0.5, 2, 3)


def test_a_decision_counts_the_nuclei_on_the_right_side():
    assert "75 % right" in show.decision(FEATURES, ANSWERS, weights=(0, 1)).alt
    assert "100 % right" in show.decision(FEATURES, ANSWERS, weights=(1, 0)).alt
    assert "50 % right" in show.decision(FEATURES, ANSWERS, weights=(1, 0), threshold=9).alt


def test_the_way_down_goes_through_its_weights_and_losses():
    way = by_hand.descend(FEATURES, ANSWERS, learning_rate=0.5, steps=4, start=(3, -2))
    hill, curve, _ = show.descent(FEATURES, ANSWERS, way=way).axes
    np.testing.assert_array_equal(hill.lines[0].get_xydata(), way.weights)
    np.testing.assert_array_equal(curve.lines[0].get_ydata(), way.losses)


def test_a_way_far_out_is_still_on_the_hillside():
    way = by_hand.descend(FEATURES, ANSWERS, learning_rate=100.0, steps=2)
    hill = show.descent(FEATURES, ANSWERS, way=way).axes[0]
    assert hill.get_xlim()[1] > np.abs(way.weights).max()


def test_each_training_has_its_panel_with_both_curves_on_one_scale():
    histories = {"a": {"loss": [2, 1], "val_loss": [3, 2]}, "b": {"loss": [1, 0.5]}}
    first, second = show.learning_curves(histories).axes
    assert [list(line.get_ydata()) for line in first.lines] == [[2, 1], [3, 2]]
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[1] > 3


def test_what_speaks_for_a_prediction_is_orange_and_what_speaks_against_it_blue():
    tinted = _tint(np.zeros((1, 3, 3), np.uint8), np.array([[1.0, 0.0, -1.0]]))
    for pixel, color in zip(tinted[0], (ORANGE, "black", BLUE), strict=True):
        expected = np.array(to_rgb(color)) * 255 * OPACITY
        np.testing.assert_allclose(pixel, expected, atol=1)


def test_a_map_of_a_volume_is_shown_by_its_strongest_value_along_z():
    volume, map3d = np.ones((3, 8, 9)), np.zeros((3, 8, 9))
    map3d[1, 2, 3], map3d[2, 2, 3] = -4, 1
    figure = show.explained(volume, {"occlusion": map3d})
    assert figure.axes[1].get_title() == "occlusion, up to -4"
    with pytest.raises(UserError, match="size of its image"):
        show.explained(volume, {"occlusion": map3d[0]})


def test_feature_maps_share_one_grey_range_and_kernels_write_their_weights():
    maps = np.stack([np.full((4, 4), 0.1), np.full((4, 4), 2.0)], axis=-1)
    shown = [axes.images[0] for axes in show.feature_maps(maps).axes]
    assert {image.get_clim() for image in shown} == {(0, 2)}
    assert "of 3 x 4 x 4 px" in show.feature_maps(np.zeros((3, 4, 4, 2))).alt
    weights = np.zeros((3, 3, 1, 2))
    weights[0, 1, 0, 1], weights[0, 2, 0, 1] = -0.25, -0.01
    assert texts(show.kernels(weights).axes[1])[1:3] == ["-0.2", "0.0"]
    assert "3 x 3 x 3" in show.kernels(np.zeros((3, 3, 3, 1, 2))).alt
