"""Restoration pairs that do not match are named, and mended where that is certain."""

import numpy as np
import pytest
from drawn_fields import codes_of, draw_image, draw_label, repair
from scipy import ndimage

from nbtools import checks
from nbtools.data import DataSet, Sample
from nbtools.image import Image


def make_pairs(spoil, *, count=3):
    """Noisy and clean images of one field; `spoil` of (noisy, clean, all clean, i) gives a pair."""
    cleans = [draw_image(draw_label(i), i, photons=2000) for i in range(count)]
    noisy = [
        np.random.default_rng(i).poisson(c / 100).astype(np.uint16) for i, c in enumerate(cleans)
    ]
    samples = []
    for i in range(count):
        image, clean = (np.array(a) for a in spoil(noisy[i], cleans[i], cleans, i))
        samples.append(
            Sample(f"n{i}", Image(image, "YX", (1, 1)), clean=Image(clean, "YX", (1, 1)))
        )
    return DataSet.of(samples)


PAIRS = {
    "shifted": (lambda n, c, *_: (n, np.roll(c, (5, 4), (0, 1))), "shifted_clean", "+5, +4 px"),
    "shifted back": (lambda n, c, *_: (n, np.roll(c, (-3, 6), (0, 1))), "shifted_clean", "-3, +6"),
    "exchanged": (lambda n, c, *_: (c, n), "exchanged_clean", "noisier"),
    "flipped": (lambda n, c, *_: (n, c[::-1]), "turned_clean", "turned upside down"),
    "rotated": (lambda n, c, *_: (n, np.rot90(c)), "turned_clean", "90° to the right"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_restoration_pairs_that_do_not_match_are_named_and_mended(tmp_path, name):
    spoil, code, words = PAIRS[name]
    dataset = make_pairs(spoil)
    found = [f for f in checks.check(dataset) if f.severity == "error"]
    assert [f.code for f in found] == [code] * 3
    assert words in found[0].message
    _, copy = repair(dataset, tmp_path / "copy")
    assert len(copy) == 3
    assert codes_of(copy) == set()


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda n, _c, cleans, i: (n, cleans[(i + 1) % 3]), "unlike_clean", "same field"),
        (lambda n, c, *_: (n, np.kron(c, np.ones((2, 2)))[80:240, 80:240]), "unlike_clean", "0.5"),
        (lambda n, *_: (n, n), "clean_is_image", "pixel by pixel"),
    ],
)
def test_other_restoration_pairs_are_errors_and_left_out(tmp_path, spoil, code, words):
    dataset = make_pairs(spoil)
    found = [f for f in checks.check(dataset) if f.severity == "error"]
    assert [f.code for f in found] == [code] * 3
    assert words in found[0].message
    assert len(repair(dataset, tmp_path / "copy")[1]) == 0


def test_right_pairs_and_pairs_for_deblurring_bring_no_finding():
    assert codes_of(make_pairs(lambda n, c, *_: (n, c))) == set()
    blurred = make_pairs(lambda _n, c, *_: (ndimage.gaussian_filter(c.astype(np.float32), 2), c))
    assert codes_of(blurred) == set()
