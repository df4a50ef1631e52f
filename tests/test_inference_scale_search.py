"""At what magnification an image is predicted again: rules on candidates made by hand."""

import numpy as np
import pytest

from nbtools.inference import ScaleSearch, scale_search
from nbtools.inference.base import Forecast
from nbtools.inference.scale_search import ScaleCandidate

USUAL = 20.0


def nuclei(size: float, off: float, zoom: float = 1.0, *, share: float = 0.2) -> ScaleCandidate:
    return ScaleCandidate(zoom, (size,) * 5, off, share)


def play_larger(offs: dict[float, float], *, size: float) -> tuple[float, list[float]]:
    """(zoom chosen, zooms tried), where nuclei are `size` pixels large in the image and
    contradictions are as given, the first at the size of the image.
    """
    tried = []

    def again(zoom: float) -> ScaleCandidate:
        tried.append(zoom)
        return nuclei(size * zoom, offs[zoom], zoom)

    first = nuclei(size, offs[1.0])
    return scale_search.choose_larger(first, again, usual=USUAL).zoom, tried


def test_looks_grow_until_the_next_is_worse():
    offs = {1.0: 0.09, 1.4: 0.07, 2.0: 0.05, 2.8: 0.05}
    assert play_larger(offs, size=10) == (2.0, [1.4, 2.0, 2.8])
    assert play_larger({1.0: 0.06, 1.4: 0.05, 2.0: 0.06}, size=15) == (1.4, [1.4, 2.0])
    assert play_larger({1.0: 0.06, 1.4: 0.07}, size=10) == (1.0, [1.4])


def choose_smaller(seen: list[ScaleCandidate]) -> float:
    known = {one.zoom: one for one in seen}
    chosen = scale_search.choose_smaller(known[1], known.get, afar=known[0.25], usual=USUAL)
    return chosen.zoom


def test_large_nuclei_are_seen_at_the_smaller_magnification_of_least_error():
    """Sizes, errors and shares as a network of flows gave for nuclei of 170 px."""
    seen = [nuclei(12, 0.307, share=0.1), nuclei(81, 0.161, 0.5, share=0.22)]
    seen += [nuclei(43, 0.089, 0.25, share=0.22), nuclei(20, 0.11, 0.125, share=0.2)]
    assert choose_smaller(seen) == 0.25


def test_a_look_that_finds_hardly_anything_is_not_trusted_however_sure_it_is():
    """As for nuclei of 340 px: at the size of the image nearly nothing was found, and that
    without contradiction.
    """
    seen = [nuclei(10, 0.08, share=0.001), nuclei(25, 0.308, 0.5, share=0.1)]
    seen += [nuclei(81, 0.161, 0.25, share=0.22), nuclei(42, 0.09, 0.125, share=0.2)]
    assert choose_smaller(seen) == 0.125


def test_groups_of_small_nuclei_that_look_like_large_ones_are_not_taken_for_such():
    seen = [nuclei(12, 0.139, share=0.1), nuclei(14, 0.179, 0.5, share=0.11)]
    seen += [nuclei(23, 0.197, 0.25, share=0.07), nuclei(20, 0.3, 0.125, share=0.02)]
    assert choose_smaller(seen) == 1.0


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

    zeros = np.zeros((32, 32, 1))  # too small to be looked at from afar
    search = ScaleSearch(refuse, lambda maps: label_of(sizes), refuse, usual)
    assert search.find_zoom(refuse, zeros, maps=zeros) is None


def test_only_the_middle_of_a_large_image_is_judged():
    seen = []

    def decide(maps: np.ndarray) -> np.ndarray:
        seen.append(maps.shape[:2])
        return label_of([7.0] * 5)

    def run_whole(run, pixels: np.ndarray) -> np.ndarray:
        return run(pixels)

    large = np.zeros((1500, 900, 1), np.float32)
    search = ScaleSearch(run_whole, decide, lambda maps, label: 0.1 / len(seen), USUAL)
    assert search.find_zoom(lambda pixels: pixels, large, maps=large) is not None
    assert max(max(shape) for shape in seen) <= scale_search.PIECE + 1


def test_the_usual_price_is_one_look_a_sixteenth_and_a_quarter_of_this():
    looked = []

    def run_whole(run, pixels: np.ndarray, **_: object) -> np.ndarray:
        looked.append(pixels[..., 0].size)
        return pixels

    def decide(maps: np.ndarray) -> np.ndarray:
        return label_of([20.0 * len(maps) / 640] * 5)

    field = np.zeros((640, 640, 1), np.float32)
    search = ScaleSearch(run_whole, decide, lambda *_: 0.1, USUAL)
    search(lambda pixels: pixels, field)
    assert looked == [640 * 640, 160 * 160, 80 * 80]


@pytest.mark.parametrize(
    ("seen", "chosen"),
    [
        ({1.0: (43, 21), 0.25: (32, 7), 0.125: (5, 37)}, 0.125),  # pieces of five large nuclei
        ({1.0: (43, 21), 0.25: (32, 7), 0.125: (5, 10)}, None),  # smaller than a nucleus can be
        ({1.0: (43, 21), 0.25: (32, 7), 0.125: (2, 37)}, None),  # of two nothing is known
    ],
)
def test_nuclei_far_too_large_are_seen_from_farther_away(seen, chosen):
    """Numbers and sizes as `nuclei2d` found nuclei of 300 px in pieces, and from 1/8 whole."""
    seen |= {0.5: (318, 10)}
    errors = {1.0: 0.172, 0.5: 0.158, 0.25: 0.193, 0.125: 0.132}

    def decide(maps: np.ndarray) -> np.ndarray:
        count, size = seen[len(maps) / 640]
        return label_of([float(size)] * count)

    def run_whole(run, pixels: np.ndarray, **_: object) -> np.ndarray:
        return pixels

    field = np.zeros((640, 640, 1), np.float32)
    search = ScaleSearch(run_whole, decide, lambda maps, _: errors[len(maps) / 640], USUAL)
    assert search.find_zoom(lambda pixels: pixels, field, maps=field) == chosen


def test_maps_stay_on_the_magnified_grid_unless_asked_for_on_that_of_the_image():
    def run_whole(run, pixels: np.ndarray, **_: object) -> np.ndarray:
        return run(pixels)

    class Roomy:
        """An inference for which there is always memory."""

        __call__ = staticmethod(run_whole)
        forecast = staticmethod(lambda *_, **__: Forecast(1, (8, 8), 0, 1))

    field = np.zeros((100, 80, 1), np.float32)
    about = (lambda maps: label_of([5.0 * len(maps) / 100] * 5), lambda *_: 0.1, USUAL)
    for returns, shape in ((True, (100, 80)), (False, (280, 224))):
        search = ScaleSearch(Roomy(), *about, returns=returns)
        assert search(lambda pixels: pixels, field).shape == (*shape, 1)
