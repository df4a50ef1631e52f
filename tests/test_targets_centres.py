"""Oracle round trips of centre markers on label images of 125 and of 51 nuclei, and what becomes of
regions without a centre.
"""

import numpy as np
import pytest
from scipy import ndimage

from nbtools import data
from nbtools.metrics import instances
from nbtools.targets import centres

IOUS = {2: (0.5, 0.7, 0.8, 0.9), 3: (0.3, 0.5, 0.7, 0.8, 0.9)}


@pytest.fixture(scope="module")
def nuclei() -> dict[int, np.ndarray]:
    """The label images that the stardist package carries."""
    return {d: data.samples(f"nuclei{d}d")[0].label.pixels.astype(np.int32) for d in (2, 3)}


# measured independently on the same images; our larger regions reach a little more, never less
@pytest.mark.parametrize(
    ("ndim", "expected"),
    [(2, (0.984, 0.923, 0.908, 0.908)), (3, (0.855, 0.855, 0.759, 0.759, 0.729))],
)
def test_the_oracle_reaches_its_figures(nuclei, ndim, expected):
    decoded = centres.decode(centres.encode(nuclei[ndim]), without_marker="drop")
    reached = [instances.score(nuclei[ndim], decoded, iou=iou).ap for iou in IOUS[ndim]]
    assert (np.array(reached) >= np.array(expected) - 5e-4).all()


def test_small_regions_give_the_figures_measured_independently_in_2d(nuclei):
    decoded = centres.decode(centres.encode(nuclei[2], share=0.3), without_marker="drop")
    reached = [instances.score(nuclei[2], decoded, iou=iou).ap for iou in IOUS[2]]
    assert reached == pytest.approx((0.984, 0.923, 0.908, 0.908), abs=5e-4)


def test_every_nucleus_has_one_connected_centre_region_inside_itself(nuclei):
    for label in nuclei.values():
        region = centres.encode(label, share=0.5)[..., 1] > 0
        assert (label[region] > 0).all()
        for number, place in enumerate(ndimage.find_objects(label), 1):
            if place is not None:
                mine = region[place] & (label[place] == number)
                assert ndimage.label(mine, np.ones((3,) * label.ndim))[1] == 1


def test_a_region_is_a_ball_in_space_not_in_voxels():
    grid = np.indices((15, 41, 41)) - np.array((7, 20, 20)).reshape(3, 1, 1, 1)
    label = (((grid * np.array((2.5, 1, 1)).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) <= 15**2).astype(
        np.int32
    )
    region = centres.encode(label, spacing=(2.5, 1.0, 1.0), radius=7.5)[..., 1] > 0
    assert [int(region.any(axis=tuple({0, 1, 2} - {a})).sum()) for a in range(3)] == [7, 15, 15]
    shared = (
        centres.encode(label, spacing=(2.5, 1.0, 1.0), share=0.5)[..., 1] > 0
    )  # half of its radius: nearly the same
    assert shared.sum() == pytest.approx(region.sum(), rel=0.1)


def test_the_inner_point_lies_in_the_middle_of_a_disc_and_inside_a_crescent():
    rows, columns = np.indices((61, 61))
    disc = (rows - 30) ** 2 + (columns - 28) ** 2 <= 20**2
    crescent = disc & ((rows - 30) ** 2 + (columns - 34) ** 2 > 20**2)
    np.testing.assert_allclose(centres.medial_points(disc.astype(int)), [[30, 28]], atol=1)
    row, column = centres.medial_points(crescent.astype(int))[0].astype(int)
    assert crescent[row, column]
    assert not crescent[
        tuple(np.round(np.argwhere(crescent).mean(axis=0)).astype(int))
    ]  # where its centre of mass is


def test_a_region_without_a_centre_is_kept_or_dropped_and_counted():
    maps = np.zeros((20, 50, 2), np.float32)
    maps[5:15, 5:15, 0] = maps[5:15, 25:45, 0] = maps[2, 48, 0] = 1
    maps[9:11, 9:11, 1] = 1
    kept, dropped = (
        centres.decode(maps, without_marker=choice, min_size=5) for choice in ("keep", "drop")
    )
    assert (kept.max(), dropped.max()) == (2, 1)
    assert (centres.count_without_marker(maps), centres.count_without_marker(maps, min_size=5)) == (
        2,
        1,
    )


def test_parts_of_a_centre_are_joined_within_their_distance_only():
    maps = np.ones((21, 61, 2), np.float32)
    maps[..., 1] = 0
    maps[10, 20, 1] = maps[10, 24, 1] = maps[10, 50, 1] = 1
    assert [int(centres.decode(maps, merge=m).max()) for m in (0.0, 3.0, 4.0, 10.0)] == [3, 3, 2, 2]


def test_two_centres_part_what_touches():
    maps = np.zeros((30, 52, 2), np.float32)
    rows, columns = np.indices((30, 52))
    for middle in (16, 36):
        maps[..., 0] = np.maximum(maps[..., 0], (rows - 15) ** 2 + (columns - middle) ** 2 <= 12**2)
        maps[15, middle, 1] = 1
    label = centres.decode(maps)
    assert label.max() == 2
    assert (label[:, :25].max(), label[:, 27:].min(initial=9, where=label[:, 27:] > 0)) == (
        1,
        2,
    )  # the waist is at 26


@pytest.mark.parametrize(
    "label", [np.zeros((7, 9), int), np.ones((7, 9), int), np.full((5, 5), -1)]
)
def test_empty_full_and_unknown_images_survive_the_round_trip(label):
    maps = centres.encode(label)
    assert (maps[label < 0] == -1).all()
    np.testing.assert_array_equal(centres.decode(maps), np.maximum(label, 0))
