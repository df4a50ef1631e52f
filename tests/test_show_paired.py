"""Figures of paired differences."""

import pytest

from nbtools import show
from nbtools.errors import UserError

COMPARED = {
    "units": 12,
    "paired_over": "images",
    "differences": [
        {
            "method": "b",
            "against": "a",
            "metric": "mean_ap",
            "difference": 0.1,
            "interval_95": [0.05, 0.15],
            "clear": True,
        },
        {
            "method": "c",
            "against": "a",
            "metric": "mean_ap",
            "difference": -0.01,
            "interval_95": [-0.05, 0.03],
            "clear": False,
        },
    ],
}


def test_each_difference_has_its_line_and_words():
    figure = show.differences(COMPARED)
    assert "b against a +0.100; c against a -0.010" in figure.alt
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["b – a", "c – a"]
    assert len(show.to_png(figure)) > 1000


def test_one_image_has_no_line_but_its_point():
    one = {
        **COMPARED,
        "differences": [{**COMPARED["differences"][0], "interval_95": None, "clear": None}],
    }
    assert len(show.differences(one).axes[0].lines) == 2  # zero, and the point


def test_a_metric_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="There must be differences to show"):
        show.differences(COMPARED, metric="no_such")
