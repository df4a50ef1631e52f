"""At what magnification an image is predicted again: rules on candidates made by hand."""

import numpy as np
import pytest

from nbtools.inference import ScaleSearch, scale_search
from nbtools.inference.scale_search import ScaleCandidate

USUAL = 20.0


def nuclei(size: float, off: float, zoom: float = 1.0) -> ScaleCandidate:
    return ScaleCandidate(zoom, (size,) * 5, off)


def play(
    first: ScaleCandidate, offs: dict[float, float], *, size: float
) -> tuple[float, list[float]]:
    """(zoom chosen, zooms tried), where nuclei are `size` pixels large in the image and
    contradictions are as given.
    """
    tried = []

    def again(zoom: float) -> ScaleCandidate:
        tried.append(zoom)
        return nuclei(size * zoom, offs[zoom], zoom)

    return scale_search.choose(first, again, usual=USUAL).zoom, tried


def test_looks_grow_until_the_next_is_worse():
    assert play(nuclei(10, 0.09), {1.4: 0.07, 2.0: 0.05, 2.8: 0.05}, size=10) == (
        2.0,
        [1.4, 2.0, 2.8],
    )
    assert play(nuclei(15, 0.06), {1.4: 0.05, 2.0: 0.06}, size=15) == (1.4, [1.4, 2.0])


def test_looks_shrink_where_nuclei_are_large():
    assert play(nuclei(60, 0.1), {0.7: 0.08, 0.5: 0.06, 0.35: 0.05, 0.25: 0.07}, size=60) == (
        0.35,
        [0.7, 0.5, 0.35, 0.25],
    )
    assert play(nuclei(40, 0.05), {0.7: 0.06}, size=40) == (1.0, [0.7])


def test_pieces_of_large_nuclei_are_seen_as_such():
    smaller = {0.7: 0.16, 0.5: 0.1, 0.35: 0.06, 0.25: 0.07}
    zoom, tried = play(nuclei(9, 0.17), {1.4: 0.2} | smaller, size=60)
    assert (zoom, tried) == (0.35, [1.4, 0.7, 0.5, 0.35, 0.25])
    assert (
        play(nuclei(9, 0.17), {1.4: 0.16, 2.0: 0.15, 2.8: 0.16} | smaller, size=60)[0] == 0.35
    )  # in doubt, even where larger is better


def test_of_looks_alike_the_one_nearer_to_the_size_in_training_is_taken():
    assert (
        nuclei(20, 0.05).cost(USUAL) < nuclei(40, 0.048).cost(USUAL) == pytest.approx(0.048 * 1.15)
    )
    assert ScaleCandidate(1.0, (), 0.0).cost(USUAL) == np.inf


def label_of(sizes: list[float]) -> np.ndarray:
    """One row of labels that have the area of discs of these diameters."""
    return np.repeat(1 + np.arange(len(sizes)), [round(np.pi / 4 * size**2) for size in sizes])[
        None
    ]


@pytest.mark.parametrize(
    ("sizes", "usual"),
    [
        ([20.0] * 5, 20.0),
        ([14.5] * 5, 20.0),
        ([29.0] * 5, 20.0),
        ([5.0] * 2, 20.0),
        ([5.0] * 5, None),
    ],
)
def test_one_look_is_enough(sizes, usual):
    def refuse(*_: np.ndarray) -> np.ndarray:
        raise AssertionError("no other look was called for")

    zeros = np.zeros((32, 32, 1))
    search = ScaleSearch(refuse, lambda maps: label_of(sizes), refuse, usual)
    assert search.find_zoom(refuse, zeros, maps=zeros) is None


def test_only_the_middle_of_a_large_image_is_judged():
    seen = []

    def decide(maps: np.ndarray) -> np.ndarray:
        seen.append(maps.shape[:2])
        return label_of([10.0] * 5)

    def run_whole(run, pixels: np.ndarray) -> np.ndarray:
        return run(pixels)

    large = np.zeros((1500, 900, 1), np.float32)
    search = ScaleSearch(run_whole, decide, lambda maps, label: 0.1 / len(seen), USUAL)
    assert search.find_zoom(lambda pixels: pixels, large, maps=large) is not None
    assert max(max(shape) for shape in seen) <= scale_search.PIECE + 1
