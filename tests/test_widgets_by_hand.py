"""Twin of widgets.by_hand: move a slider, read the value, the words and the picture."""

import numpy as np
import pytest

from nbtools import by_hand, widgets

FEATURES = np.array([[1.0, 2.0], [-1.0, -0.5], [2.0, -1.0], [-2.0, -1.0]])
ANSWERS = np.array([1, 0, 1, 0])


def test_weights_set_by_hand_tell_so_many_nuclei_right():
    tool = widgets.weigh(FEATURES, ANSWERS)
    assert tool.value == (1, 0, 0)
    assert "100 % of the nuclei are right" in tool.status.value
    before = tool.picture.value
    tool.first.value, tool.second.value = 0, 1
    assert tool.share_right == 0.75
    assert "75 % of the nuclei are right" in tool.status.value
    assert tool.picture.value != before
    tool.threshold.value = 2.0
    assert tool.value == (0, 1, 2)
    assert tool.share_right == 0.5


def test_the_learning_rate_changes_the_way_down():
    tool = widgets.descend(FEATURES, ANSWERS, start=(-2.0, 3.0))
    assert tool.value == 0.1
    slow, before = tool.way.losses, tool.picture.value
    tool.rate.value = 1.0
    assert tool.way.losses[-1] < slow[-1]
    assert tool.picture.value != before
    expected = by_hand.descend(FEATURES, ANSWERS, learning_rate=1.0, steps=30, start=(-2, 3))
    np.testing.assert_array_equal(tool.way.weights, expected.weights)
    assert f"{expected.losses[-1]:.2f} after" in tool.status.value


def test_fewer_steps_end_earlier():
    tool = widgets.descend(FEATURES, ANSWERS)
    tool.steps.value = 1
    assert len(tool.way.losses) == 2
    assert tool.way.losses[0] == pytest.approx(
        by_hand.measure_loss(FEATURES, ANSWERS, weights=(4, 4))
    )
