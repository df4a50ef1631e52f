"""Faults read in other programs, each as a test: splits that leak, lost pairs and bits, stray files
that stop everything.
"""

import numpy as np
import pytest

from nbtools import augment, checks, data, io
from nbtools.data import DataSet
from nbtools.image import Image


@pytest.fixture
def folder(tmp_path):
    """Ten pairs of 16 bit; grey value and label both tell the number of the pair."""
    for i in range(10):
        pixels = np.random.default_rng(i).integers(0, 60_000, (40, 44)).astype(np.uint16)
        pixels[0, 0] = i
        label = np.zeros((40, 44), np.uint16)
        label[5:20, 5:20] = i + 1
        io.write_image(tmp_path / "set" / "images" / f"n{i}.tif", Image(pixels, "YX", (0.5, 0.5)))
        io.write_label(tmp_path / "set" / "labels" / f"n{i}.tif", Image(label, "YX", (0.5, 0.5)))
    return tmp_path / "set"


def hashes_of(folder):
    return {data.hash_pixels(io.read_image(p).pixels) for p in (folder / "images").iterdir()}


@pytest.mark.parametrize("seed", range(5))
def test_fault_6_what_is_split_off_is_no_longer_in_training(folder, tmp_path, seed):
    data.copy_split(DataSet.open(folder).split(val=0.2, test=0.2, seed=seed), tmp_path / "split")
    parts = [hashes_of(tmp_path / "split" / part) for part in ("train", "val", "test")]
    assert [len(p) for p in parts] == [6, 2, 2]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert parts[0] | parts[1] | parts[2] == hashes_of(folder)


def test_fault_6_pairs_are_made_by_name_not_by_order(folder):
    (folder / "labels" / "n0.tif").rename(folder / "labels" / "zz.tif")
    (folder / "images" / "n0.tif").rename(folder / "images" / "zz.tif")
    for sample in DataSet.open(folder):
        assert sample.label.pixels.max() == sample.image.pixels[0, 0] + 1


def test_fault_6_a_missing_last_label_is_noticed(folder):
    (folder / "labels" / "n9.tif").unlink()
    assert [(f.code, f.file) for f in checks.check(folder)] == [("missing_labels", "images/n9.tif")]


def test_fault_7_sixteen_bits_stay_sixteen_bits(folder, rng):
    sample = DataSet.open(folder)[3]
    frame = augment.draw_transform(
        rng, augment.POLICIES["flips"], points=None, shape=(40, 44), size=(16, 16)
    )
    patch = augment.cut(sample.image.pixels, frame, order=1)
    assert sample.image.pixels.dtype == patch.dtype == np.uint16
    assert patch.max() > 255
    assert set(patch.ravel()) <= set(sample.image.pixels.ravel())


def test_fault_7_every_border_pixel_is_seen_by_patches(rng):
    """Patches are drawn anywhere, not from a grid whose remainder is thrown away; tiles that
    overlap: see test_tiling.
    """
    seen = np.zeros((50, 70), bool)
    places = np.arange(50 * 70).reshape(50, 70)
    for _ in range(400):
        frame = augment.draw_transform(
            rng, augment.POLICIES["none"], points=None, shape=seen.shape, size=(32, 32)
        )
        seen.flat[augment.cut(places, frame, order=0).ravel()] = True
    assert seen.all()


def test_fault_9_stray_files_and_spellings_stop_nothing(folder):
    (folder / "images" / ".DS_Store").write_bytes(b"x")
    (folder / "images" / "._n1.tif").write_bytes(b"x")
    (folder / "images" / "backup").mkdir()
    (folder / "images" / "n1.tif").rename(folder / "images" / "N1.TIF")
    (folder / "labels" / "n2.tif").rename(folder / "labels" / "n2.tiff")
    (folder / "labels" / "n3.tif").rename(folder / "labels" / "n3.TIFF")
    dataset = DataSet.open(folder)
    assert len(dataset) == 10
    assert all(
        s.label is not None and s.label.pixels.max() == s.image.pixels[0, 0] + 1 for s in dataset
    )
    assert {f.severity for f in checks.check(dataset)} <= {"note"}
