"""Oracle round trips of the border classes, and the weights of gaps; figures from label images of
125 and of 51 nuclei.
"""

import time

import numpy as np
import pytest
from skimage.segmentation import find_boundaries

from nbtools import data
from nbtools.metrics import instances
from nbtools.targets import border

IOUS = {2: (0.5, 0.7, 0.8, 0.9), 3: (0.3, 0.5, 0.7, 0.8, 0.9)}


@pytest.fixture(scope="module")
def nuclei() -> dict[int, np.ndarray]:
    """The label images that the stardist package carries."""
    return {d: data.samples(f"nuclei{d}d")[0].label.pixels.astype(np.int32) for d in (2, 3)}


def score_oracle(label: np.ndarray, *, where: str, grow: int) -> list[float]:
    """AP at each IoU when the classes are known without error."""
    maps = (border.encode(label, where=where) == np.arange(3)).astype(np.float32)
    decoded = border.decode(maps, where=where, grow=grow)
    return [instances.score(label, decoded, iou=iou).ap for iou in IOUS[label.ndim]]


# measured independently on the same images, with the border classes of
# skimage.segmentation.find_boundaries
@pytest.mark.parametrize(
    ("ndim", "where", "grow", "expected"),
    [
        (2, "outer", 0, (0.992, 0.992, 0.992, 0.961)),
        (2, "outer", 2, (0.992, 0.992, 0.992, 0.992)),
        (2, "inner", 0, (0.953, 0.866, 0.712, 0.000)),
        (2, "inner", 2, (0.984, 0.969, 0.969, 0.969)),
        (3, "outer", 2, (0.981, 0.981, 0.981, 0.981, 0.981)),
    ],
)
def test_the_oracle_reaches_its_figures(nuclei, ndim, where, grow, expected):
    assert score_oracle(nuclei[ndim], where=where, grow=grow) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("where", ["outer", "inner"])
def test_borders_lie_where_scikit_image_finds_them(nuclei, ndim, where):
    drawn = border.encode(nuclei[ndim], where=where)[..., 0] == border.BORDER
    np.testing.assert_array_equal(drawn, find_boundaries(nuclei[ndim], mode=where))


def test_relabelling_changes_nothing(nuclei, rng):
    names = np.concatenate([[0], 1 + rng.permutation(nuclei[2].max())])
    np.testing.assert_array_equal(border.encode(names[nuclei[2]]), border.encode(nuclei[2]))


def test_ignored_pixels_are_marked_and_draw_no_border_of_their_own():
    label = np.zeros((8, 8), int)
    label[:3], label[5:7, 5:7] = -1, 4
    classes = border.encode(label)[..., 0]
    assert (classes[:3] == -1).all()
    assert (classes[3] == border.BACKGROUND).all()


def test_growing_stops_at_the_region_and_at_the_neighbour():
    label, region = np.zeros((1, 9), np.int32), np.ones((1, 9), bool)
    label[0, 1], label[0, 4] = 1, 2
    region[0, 7:] = False
    np.testing.assert_array_equal(
        border.expand_labels(label, region, steps=1), [[1, 1, 1, 2, 2, 2, 0, 0, 0]]
    )
    grown = border.expand_labels(label, region, steps=5)
    assert grown[0, 6] == 2
    assert (grown[0, 7:] == 0).all()


def test_the_two_nearest_nuclei_are_found_as_by_trying_all(rng):
    label = np.zeros((30, 40), int)
    for number in range(1, 12):
        label[tuple(rng.integers(0, (28, 38)))] = number
    grid = np.stack(np.indices(label.shape), axis=-1).astype(float)
    every = np.stack(
        [
            np.hypot(*np.moveaxis(grid - np.argwhere(label == n)[0], -1, 0))
            for n in np.unique(label)[1:]
        ]
    )
    first, second = border.find_two_nearest(label)
    np.testing.assert_allclose([first, second], np.sort(every, axis=0)[:2])


def test_a_narrow_gap_weighs_as_the_paper_says():
    label = np.zeros((9, 30), int)
    label[:, :10], label[:, 13:] = 1, 2  # three pixels between: in the middle both distances are 2
    weight = border.unet_weight_map(label)
    assert weight[4, 11] == pytest.approx(1 + 10 * np.exp(-(4**2) / (2 * 5**2)))
    assert weight[4, 5] == 1
    assert (
        border.unet_weight_map(np.minimum(label, 1) * (label < 2)) == 1
    ).all()  # a single nucleus has no gap


@pytest.mark.parametrize(
    "label", [np.zeros((7, 9), int), np.ones((7, 9), int), np.full((5, 5), -1)]
)
def test_empty_full_and_unknown_images_survive_the_round_trip(label):
    maps = (border.encode(label) == np.arange(3)).astype(np.float32)
    assert border.decode(maps).max() == max(label.max(), 0)
    assert np.isfinite(border.unet_weight_map(label)).all()


def test_a_patch_is_encoded_in_milliseconds_however_many_nuclei_it_holds():
    label = np.kron(
        np.arange(64 * 64).reshape(64, 64), np.ones((4, 4), int)
    )  # 4095 nuclei of 16 pixels
    started = time.perf_counter()
    border.encode(label)
    assert time.perf_counter() - started < 0.5


def test_along_a_coarse_axis_only_contact_between_two_nuclei_is_a_border():
    label = np.zeros((4, 3, 3), int)
    label[0:2], label[2] = 1, 2  # one upon the other, background above
    drawn = border.encode(label, where="inner", along=(1, 2))[..., 0]
    assert drawn[:, 1, 1].astype(int).tolist() == [
        border.INSIDE,
        border.BORDER,
        border.BORDER,
        border.BACKGROUND,
    ]
    assert border.encode(label, where="inner")[2, 1, 1, 0] == border.BORDER
    np.testing.assert_array_equal(
        border.encode(label, where="inner", along=(0, 1, 2)), border.encode(label, where="inner")
    )
