"""Expected scores of results without truth."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.inference.expected_quality import (
    QualityLine,
    draw_line,
    find_agreement,
    find_rank_correlation,
)


def test_agreement_is_that_of_nuclei_found_twice():
    first, second = np.zeros((2, 20, 40), int)
    for number in range(4):
        first[2:8, 10 * number : 10 * number + 6] = number + 1
        second[2:8, 10 * number : 10 * number + 6] = 9 - number
    assert find_agreement(first, second) == 1
    second[:, :10] = 0
    assert find_agreement(first, second) == pytest.approx(3 / 4)
    second[12:18, :6] = 30
    assert find_agreement(first, second) == pytest.approx(3 / 5)
    assert np.isnan(find_agreement(first * 0, second * 0))


def test_pixels_that_nobody_looked_at_count_for_nothing():
    truth, found = np.zeros((2, 20, 20), int)
    truth[2:8, 2:8], found[2:8, 2:8] = 1, 1
    found[12:18, 12:18] = 2
    assert find_agreement(truth, found) == pytest.approx(1 / 2)
    truth[10:] = -1
    assert find_agreement(truth, found) == 1


def test_the_line_covers_nine_of_ten_images_like_those_of_its_making(rng):
    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        agreements = rng.uniform(0.2, 1, count)
        return agreements, (agreements - 0.15 + rng.normal(0, 0.05, count)).clip(0, 1)

    line = draw_line(*draw(200))
    inside = []
    for agreement, score in zip(*draw(500), strict=True):
        middle, low, high = line.expect(agreement)
        assert 0 <= low <= middle <= high <= 1
        inside.append(low <= score <= high)
    assert 0.85 < np.mean(inside) < 0.95
    assert line.rank_correlation > 0.9


def test_agreement_that_says_nothing_promises_nothing(rng):
    """Where the score falls with agreement, the expected score is the mean."""
    agreements = np.linspace(0.2, 0.9, 10)
    line = draw_line(agreements, 1 - agreements)
    assert line.slope == 0
    assert line.expect(0.9)[0] == pytest.approx(0.45)
    assert line.rank_correlation == pytest.approx(-1)
    assert find_rank_correlation(agreements, np.ones(10)) == 0


def test_images_without_nuclei_do_not_count_and_few_are_refused():
    agreements = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, np.nan])
    assert draw_line(agreements, agreements).images == 8
    with pytest.raises(UserError, match="8 labelled images"):
        draw_line(agreements[1:], agreements[1:])
    with pytest.raises(UserError, match="that differ"):
        draw_line(np.full(9, 0.5), np.linspace(0, 1, 9))


def test_an_expected_score_stays_between_nothing_and_all():
    line = QualityLine(slope=2.0, intercept=0.0, margin=0.3, rank_correlation=1.0, images=9)
    assert line.expect(0.9) == (1.0, 1.0, 1.0)
    assert line.expect(0.0) == (0.0, 0.0, 0.3)
