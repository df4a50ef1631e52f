"""Images that are kin are found by their pixels alone, and stay on one side of a split."""

import csv
import time

import numpy as np
import pytest
from scipy import ndimage

from nbtools import simulate
from nbtools.data import (
    DataSet,
    Sample,
    find_adjacent_tiles,
    find_near_copies,
    link_groups,
    take_fingerprint,
)
from nbtools.image import Image


@pytest.fixture(scope="module")
def fields():
    """Four large fields, 256 x 256, that have nothing to do with each other."""
    return [
        s.image.pixels
        for s in simulate.make("nuclei2d", count=4, seed=3, settings={"density": (0.3,)})
    ]


def cut_tiles(field, side=128):
    return [field[y : y + side, x : x + side] for y in (0, side) for x in (0, side)]


def fingerprint(pixels):
    return take_fingerprint(Image(pixels, "YX"))


def pairs_of(groups):
    return {(i, j) for j in range(len(groups)) for i in range(j) if groups[i] == groups[j]}


def test_tiles_of_one_field_are_found_and_strangers_are_not(fields):
    tiles = [tile for field in fields for tile in cut_tiles(field)]
    found = pairs_of(link_groups(16, find_adjacent_tiles([fingerprint(t) for t in tiles])))
    truth = pairs_of([i // 4 for i in range(16)])
    assert found <= truth
    assert len(found) >= 0.8 * len(truth)


def test_tiles_with_their_own_contrast_are_still_found(fields):
    left, right = fields[0][:, :128], (fields[0][:, 128:] * 0.5).astype(np.uint16)
    assert find_adjacent_tiles([fingerprint(p) for p in (right, fields[1][:, :128], left)]) == [
        (0, 2)
    ]


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_turned_and_flipped_copies_are_found(fields, turn, flip):
    copy = np.rot90(fields[0][:, ::-1] if flip else fields[0], turn)
    images = [Image(p, "YX") for p in (fields[1], fields[0], copy, fields[2])]
    assert find_near_copies([take_fingerprint(i) for i in images], images.__getitem__) == [(1, 2)]


def test_brighter_noisier_and_rescaled_copies_are_found(fields, rng):
    field = fields[0].astype(np.float32)
    copies = [
        field * 1.5 + 20,
        field + rng.normal(0, 0.05 * np.ptp(field), field.shape),
        ndimage.zoom(field, 0.5, order=1),
    ]
    images = [Image(p.astype(np.float32), "YX") for p in (field, *copies, fields[1], fields[3])]
    found = find_near_copies([take_fingerprint(i) for i in images], images.__getitem__)
    assert link_groups(6, found) == [0, 0, 0, 0, 4, 5]


def test_blank_and_small_images_are_kin_to_nobody():
    images = [
        Image(p, "YX")
        for p in (
            np.zeros((80, 80)),
            np.ones((80, 80)),
            np.full((9, 9), np.nan),
            np.arange(9).reshape(3, 3),
        )
    ]
    fingerprints = [take_fingerprint(i) for i in images]
    assert (
        find_adjacent_tiles(fingerprints)
        == find_near_copies(fingerprints, images.__getitem__)
        == []
    )


def test_a_split_keeps_kin_together(fields):
    tiles = [tile for field in fields for tile in cut_tiles(field)]
    dataset = DataSet.of(
        [Sample(f"image{'abcdefghijklmnop'[i]}", Image(t, "YX")) for i, t in enumerate(tiles)]
    )
    groups, strangers = dataset.groups(), 0
    for seed in range(5):
        train, val = dataset.split(val=0.3, seed=seed)
        number = dict(zip(dataset.names, groups, strict=True))
        strangers += len({number[n] for n in train.names} & {number[n] for n in val.names})
    assert strangers == 0


def test_the_mosaics_of_dsb2018_are_recovered_from_borders_alone(data_folder):
    """Truth: column mosaic_group of dsb2018_index.csv, used to score only. Asked for: recall 0.8,
    precision 0.9; 0.83 and 0.97 measured.
    """
    dataset = DataSet.open(data_folder / "dsb2018_fluorescence")
    fingerprints = [take_fingerprint(dataset.image(i)) for i in range(len(dataset))]
    start = time.process_time()
    found = pairs_of(link_groups(len(fingerprints), find_adjacent_tiles(fingerprints)))
    seconds = time.process_time() - start
    with (data_folder / "dsb2018_index.csv").open() as file:
        mosaic = {row["name"]: row["mosaic_group"] for row in csv.DictReader(file)}
    truth = pairs_of([mosaic[name] for name in dataset.names])
    assert len(truth) == 924
    assert len(found & truth) / len(truth) >= 0.8
    assert len(found & truth) / len(found) >= 0.9
    assert seconds < 10


def test_cut_tiles_cover_their_field_and_know_it(fields):
    from nbtools.data import cut_tiles

    label = (fields[0] > np.median(fields[0])).astype(np.uint16)
    field = Sample("f", Image(fields[0], "YX", (0.5, 0.5)), Image(label, "YX", (0.5, 0.5)))
    tiles = cut_tiles([field], 128)
    assert tiles.names == ["f_y0_x0", "f_y0_x128", "f_y128_x0", "f_y128_x128"]
    np.testing.assert_array_equal(tiles[1].image.pixels, fields[0][:128, 128:])
    np.testing.assert_array_equal(tiles[2].label.pixels, label[128:, :128])
    assert (tiles[3].image.spacing_um, tiles[3].group) == ((0.5, 0.5), "f")
    assert len(set(tiles.groups())) == 1
