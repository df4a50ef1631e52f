"""Choose decoding values on validation images; the test images never come here."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

PIECE = {2: (256, 256), 3: (32, 128, 128)}
PIXELS = 6_000_000  # of validation images looked at to choose decoding values


def coordinate_search(
    values: dict,
    candidates: dict[str, tuple],
    *,
    score: Callable[[dict], float],
    seconds: float = 60.0,
) -> tuple[dict, float]:
    """Coordinate ascent: improve one value after the other, until none helps or the time is over.

    Parameters
    ----------
    values : name → value to start from.
    candidates : name → values to try; those nearest to the present value come first.
    score : values → number to maximise.
    seconds : wall time; the value under test when it ends is finished.

    Returns
    -------
    The best values, and their score.

    Examples
    --------
    >>> candidates = {"a": (0, 1, 2), "b": (0, 3)}
    >>> coordinate_search({"a": 0, "b": 0}, candidates, score=lambda values: sum(values.values()))
    ({'a': 2, 'b': 3}, 5)
    """
    ends = time.monotonic() + seconds
    best, top = dict(values), score(values)
    tried = {tuple(sorted(best.items()))}
    improved = True
    while improved:
        improved = False
        for name, options in candidates.items():
            for option in sorted(options, key=lambda v: abs(v - best[name])):
                trial = {**best, name: option}
                key = tuple(sorted(trial.items()))
                if key in tried or time.monotonic() > ends:
                    continue
                tried.add(key)
                value = score(trial)
                if value > top:
                    best, top, improved = trial, value, True
    return best, top


def choose_pieces(
    shapes: list[tuple[int, ...]], *, seed: int
) -> list[tuple[int, tuple[slice, ...]]]:
    """Choose a piece of each image at random, until PIXELS pixels are chosen in all.

    Pieces of many images tell more than a few whole images, since nuclei of one image are alike.

    Parameters
    ----------
    shapes : (*space) shape of each image.
    seed : of the order of the images, and of the places of the pieces.

    Returns
    -------
    (index of the image, slice along each axis) of each piece; at least one.
    """
    rng, pieces, pixels = np.random.default_rng(seed), [], 0
    for i in rng.permutation(len(shapes)):
        size = np.minimum(shapes[i], PIECE[len(shapes[i])])
        start = rng.integers(0, np.array(shapes[i]) - size + 1)
        pixels += int(np.prod(size))
        if pieces and pixels > PIXELS:
            break
        pieces.append(
            (int(i), tuple(slice(int(a), int(a + n)) for a, n in zip(start, size, strict=True)))
        )
    return pieces
