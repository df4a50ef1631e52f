"""Blobs: their height and their size, against the formulas of a disc and a ball."""

import numpy as np
import pytest

from nbtools.patches import Example
from nbtools.targets import blobs

POINTS = {2: [[8.0, 9.0], [20.0, 9.0], [15.0, 30.0]], 3: [[4.0, 8.0, 9.0], [4.0, 20.0, 21.0]]}


def make_ball(diameter: float, *, ndim: int, spacing: tuple[float, ...]) -> np.ndarray:
    places = np.moveaxis(np.indices([int(61 / s) | 1 for s in spacing]), 0, -1)
    away = (places - (np.array(places.shape[:-1]) // 2)) * np.array(spacing)
    return (np.linalg.norm(away, axis=-1) <= diameter / 2).astype(np.float32)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 1.0, 1.0), (2.0, 1.0, 1.0)])
def test_a_ball_alone_has_its_height_and_its_diameter(spacing):
    grey = 50 + 7 * make_ball(20.0, ndim=len(spacing), spacing=spacing)
    maps = blobs.measure_blobs(grey, diameters=(10.0, 14.0, 20.0, 28.0), spacing=spacing)
    height, diameter = maps[tuple(n // 2 for n in grey.shape)]
    # 2 / e of a disc and 4 pi 3^1.5 / (2 pi e)^1.5 of a ball, of which pixels keep 97 %
    assert height == pytest.approx(7, rel=0.03)
    assert diameter == 20
    assert np.unravel_index(maps[..., 0].argmax(), grey.shape) == tuple(n // 2 for n in grey.shape)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("spacing", [1.0, 2.5])
def test_the_oracle_finds_every_point_where_it_is(ndim, spacing):
    points = np.array(POINTS[ndim])
    target = blobs.BlobTarget(ndim=ndim, spacing=(spacing, 1.0, 1.0)[-ndim:])
    image = np.zeros((*(9, 30, 40)[-ndim:], 1), np.float32)
    maps = target.encode(Example(image, points=points))
    found = target.decode(maps, **target.defaults())
    assert sorted(found.coordinates.round(6).tolist()) == sorted(points.tolist())
    assert (found.score == 0.5).all()


def test_of_two_blobs_within_the_overlap_the_higher_one_stays():
    maps = np.zeros((20, 20, 2), np.float32)
    maps[..., 1] = 10.0
    maps[5, 5, 0], maps[5, 10, 0] = 1.0, 0.8
    count = [
        len(blobs.BlobTarget().decode(maps, threshold=0.2, overlap=share)) for share in (0.4, 0.6)
    ]
    assert count == [2, 1]
