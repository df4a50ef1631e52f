"""Choosing decoding values: the search, and what it looks at."""

import numpy as np
import pytest

from nbtools import tasks
from nbtools.training import threshold_search


def test_the_search_finds_the_top_of_a_smooth_hill():
    steps = (0.1, 0.3, 0.5, 0.7, 0.9)
    best, value = threshold_search.coordinate_search(
        {"a": 0.1, "b": 0.9},
        {"a": steps, "b": steps},
        score=lambda v: -((v["a"] - 0.7) ** 2) - (v["b"] - 0.3) ** 2,
    )
    assert best == {"a": 0.7, "b": 0.3}
    assert value == pytest.approx(0)


def test_values_that_are_no_candidates_stay():
    best, _ = threshold_search.coordinate_search(
        {"a": 1, "fixed": 7}, {"a": (1, 2, 3)}, score=lambda v: v["a"]
    )
    assert best == {"a": 3, "fixed": 7}


def test_the_search_ends_when_its_time_is_over():
    tried = []
    threshold_search.coordinate_search(
        {"a": 0}, {"a": tuple(range(50))}, score=lambda v: tried.append(v) or 0.0, seconds=0
    )
    assert len(tried) == 1


def test_each_image_gives_one_piece_that_lies_inside():
    shapes = [(70, 83), (520, 696), (256, 256)]
    pieces = threshold_search.choose_pieces(shapes, seed=0)
    assert sorted(i for i, _ in pieces) == [0, 1, 2]
    for i, piece in pieces:
        assert all(0 <= s.start < s.stop <= n for s, n in zip(piece, shapes[i], strict=True))
        assert tuple(s.stop - s.start for s in piece) == tuple(np.minimum(shapes[i], (256, 256)))
    assert pieces == threshold_search.choose_pieces(shapes, seed=0)


def test_pieces_stop_at_the_limit_of_pixels():
    pieces = threshold_search.choose_pieces([(500, 500)] * 200, seed=1)
    assert len(pieces) == threshold_search.PIXELS // 256**2


def test_mean_ap_is_one_for_the_truth_and_pooled_over_images():
    label = np.zeros((40, 40), int)
    label[2:12, 2:12], label[20:35, 20:35] = 1, 2
    score = tasks.INSTANCES.tuning_score
    assert score([(label, label)]) == 1
    assert score([(label, label), (label, 0 * label)]) == pytest.approx(0.5)
