"""Shapes that are known: what `measure` says of them is right within 5 %, or it names the column.

True values: a convex body fills its hull (solidity 1); surfaces of ellipsoids by Carlson's elliptic
integral, of cubes 6 a², of ellipses by the complete elliptic integral of the second kind.
"""

import numpy as np
import pytest
from scipy.special import ellipe, elliprg

from nbtools.image import Image
from nbtools.measure import measure

SEEDS = range(4)


def draw(half: np.ndarray, spacing: tuple[float, ...], *, box: bool, seed: int | None) -> Image:
    """A body turned and placed at random; along the grid where the seed is None."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((len(half),) * 2))[0]
    turn = np.eye(len(half)) if seed is None else turn
    shape = np.ceil(2 * 1.8 * max(half) / np.array(spacing)).astype(int) + 2
    lines = [
        (np.arange(n) - (n - 1) / 2 + rng.uniform(-0.5, 0.5)) * s
        for n, s in zip(shape, spacing, strict=True)
    ]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1) @ turn / half
    inside = (np.abs(grid) <= 1).all(axis=-1) if box else (grid**2).sum(axis=-1) <= 1
    return Image(inside.astype(np.uint8), "ZYX"[-len(half) :], spacing)


def find_truth(half: np.ndarray, *, box: bool) -> dict[str, float]:
    """Exact values of a box or ellipsoid with these half axes."""
    if len(half) == 2:
        a, b = np.sort(half)
        area, around = (4 * a * b, 4 * (a + b)) if box else (np.pi * a * b, _around_ellipse(a, b))
        round_ = 2 * np.sqrt(np.pi * area)
        return {"perimeter_um": around, "sphericity": round_ / around, "solidity": 1}
    a, b, c = half
    if box:
        volume, surface = 8 * a * b * c, 8 * (a * b + b * c + a * c)
    else:
        volume = 4 / 3 * np.pi * a * b * c
        surface = 4 * np.pi * elliprg((a * b) ** 2, (a * c) ** 2, (b * c) ** 2)
    ball = np.pi ** (1 / 3) * (6 * volume) ** (2 / 3)
    return {"surface_um2": surface, "sphericity": ball / surface, "solidity": 1}


def _around_ellipse(a: float, b: float) -> float:
    return 4 * b * ellipe(1 - (a / b) ** 2)


def check(half: tuple[float, ...], spacing: tuple[float, ...], *, box: bool, seed: int | None):
    """Right within 5 %, or named; returns whether all were said to be right."""
    half = np.array(half, float)
    label = draw(half, spacing, box=box, seed=seed)
    if not label.pixels.any():
        return False
    row = {name: column[0] for name, column in measure(label).items()}
    named = set(row["unreliable"].split())
    assert row["reliable"] == (not named)
    for name, value in find_truth(half, box=box).items():
        assert name in named or row[name] == pytest.approx(value, rel=0.05), (name, half, spacing)
    return row["reliable"]


BODIES = {
    "ball": ((1, 1, 1), False, SEEDS),
    "ellipsoid": ((0.75, 1, 1.33), False, SEEDS),
    "flat ellipsoid": ((0.8, 1.1, 1.15), False, SEEDS),
    "cube": ((1, 1, 1), True, SEEDS),
    "cube along the grid": ((1, 1, 1), True, (None,)),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("step", [1, 2, 5, 10])
def test_bodies_at_any_z_step_are_right_or_named(body, step):
    axes, box, seeds = BODIES[body]
    for radius in (3, 4, 5, 7, 10, 14, 20):
        for seed in seeds:
            reliable = check(
                tuple(radius * a for a in axes), (float(step), 1.0, 1.0), box=box, seed=seed
            )
            assert reliable or radius < 10 or step > 2, (radius, seed)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 1.0)])
def test_discs_squares_and_ellipses_are_right_or_named(spacing):
    for axes, box in (((1, 1), False), ((0.8, 1.25), False), ((1, 1), True)):
        for radius in (3, 5, 7, 10, 14, 20):
            for seed in (None, *range(6)):
                half = tuple(radius * a for a in axes)
                reliable = check(half, spacing, box=box, seed=seed)
                assert reliable or radius < 10 or spacing[0] > 1, (radius, seed)


@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (0.13, 0.13, 0.13), (0.3, 0.1, 0.1)])
def test_the_verdict_depends_on_pixels_not_on_micrometres(size):
    half = tuple(12 * s for s in size)
    assert check(half, size, box=False, seed=3)


def test_one_coarse_nucleus_does_not_spoil_its_neighbour():
    label = np.zeros((30, 60, 60), np.uint8)
    grid = np.indices(label.shape) - np.array([15, 15, 20]).reshape(3, 1, 1, 1)
    label[(grid**2).sum(axis=0) <= 12**2] = 1
    label[14:16, 40:55, 40:55] = 2
    table = measure(Image(label, "ZYX", (1.0, 1.0, 1.0)))
    assert list(table["reliable"]) == [True, False]
    assert "sphericity" in table["unreliable"][1]


def test_an_angular_body_with_a_dent_is_named():
    """Neither ellipsoid nor hull: an L of three cubes, whose surface is 14 faces of 20 x 20."""
    label = np.zeros((50, 50, 50), np.uint8)
    label[5:25, 5:45, 5:25] = 1
    label[5:25, 5:25, 25:45] = 1
    row = {name: column[0] for name, column in measure(Image(label, "ZYX", (1.0,) * 3)).items()}
    wrong = abs(row["surface_um2"] / (14 * 400) - 1) > 0.05
    assert not wrong or "surface_um2" in row["unreliable"]
    assert not row["reliable"]
    # 3 of the 3.5 cubes of the hull; that of the centres is smaller by a thin layer.
    assert row["solidity"] == pytest.approx(3 / 3.5, rel=0.02)
