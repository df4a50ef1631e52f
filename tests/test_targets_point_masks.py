"""Points as truth: what follows from them is right, and perfect maps give the nuclei back."""

import numpy as np
import pytest

from nbtools import data
from nbtools.geometry import centroids
from nbtools.metrics import instances
from nbtools.normalize import by_percentiles
from nbtools.patches import Example
from nbtools.targets import point_masks, proximity
from nbtools.targets.point_masks import PointMaskTarget


@pytest.fixture(scope="module")
def nuclei() -> dict[int, data.Sample]:
    """The images that the stardist package carries, with their labels."""
    return {d: data.samples(f"nuclei{d}d")[0] for d in (2, 3)}


def normalised(sample: data.Sample) -> np.ndarray:
    pixels = sample.image.pixels[..., None]
    return by_percentiles(pixels).apply(pixels)


# centre markers and a watershed, measured independently: 0.984 in 2D, 0.855 in 3D
@pytest.mark.parametrize(("ndim", "least"), [(2, 0.984), (3, 0.855)])
def test_nuclei_come_back_from_perfect_maps(nuclei, ndim, least):
    label = nuclei[ndim].label.pixels.astype(np.int32)
    near = proximity.encode(centroids(label), shape=label.shape, radius=4)
    maps = np.stack([label > 0, near], axis=-1).astype(np.float32)
    found = point_masks.decode(maps, min_distance=2.0)
    assert instances.score(label, found, iou=0.5).ap >= least - 5e-4


@pytest.mark.parametrize("ndim", [2, 3])
def test_what_points_tell_is_nearly_always_right(nuclei, ndim):
    sample = nuclei[ndim]
    inside = sample.label.pixels > 0
    maps = PointMaskTarget(ndim).encode(
        Example(normalised(sample), points=centroids(sample.label.pixels))
    )
    cells, clusters = maps[..., :2] > 0, maps[..., 2:4] > 0
    assert inside[cells[..., 0]].mean() > 0.9  # discs lie on nuclei
    assert inside[clusters[..., 0]].mean() > 0.8
    assert (~inside)[clusters[..., 1]].mean() > 0.8
    assert not (cells.all(axis=-1) | clusters.all(axis=-1)).any()


def test_edges_of_cells_lie_half_way(rng):
    points = np.array([[5.0, 5.0], [5.0, 15.0]])
    maps = point_masks.encode_voronoi(points, (11, 21))
    assert np.flatnonzero(maps[5, :, 1]).tolist() == [10, 11]
    assert maps[5, 5, 0] == maps[5, 15, 0] == 1


def test_distances_are_measured_in_space():
    points = np.array([[2.0, 5.0, 5.0]])
    distance, own = point_masks.measure_cells(points, (5, 11, 11), spacing=(3.0, 1.0, 1.0))
    assert distance[4, 5, 5] == 6
    assert (own == 1).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_an_image_without_points_is_background(rng, ndim):
    shape = (8,) * ndim
    example = Example(rng.random((*shape, 1), np.float32), points=np.zeros((0, ndim)))
    maps = PointMaskTarget(ndim).encode(example)
    np.testing.assert_array_equal(maps, np.broadcast_to([0, 1, 0, 1, 0], (*shape, 5)))


def test_a_region_without_a_centre_stays_one_nucleus():
    maps = np.zeros((5, 12, 2))
    maps[1:4, 1:5, 0] = maps[1:4, 7:11, 0] = 0.9
    maps[2, 3, 1] = 0.8
    assert point_masks.decode(maps).max() == 2
