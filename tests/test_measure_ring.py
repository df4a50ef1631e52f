"""Rings around nuclei, against rings drawn by hand and by distances."""

import csv

import numpy as np
import pytest
from scipy import ndimage

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.stored import create_temporary
from nbtools.measure import measure
from nbtools.metrics import stored_labels


def two_nuclei() -> tuple[np.ndarray, np.ndarray]:
    """Nuclei four pixels apart; the background is 10, left of x = 12 and 30 right of it."""
    label, grey = np.zeros((20, 30), np.int32), np.full((20, 30), 10.0)
    label[6:14, 4:10], label[6:14, 14:20] = 4, 7
    grey[:, 12:] = 30
    grey[label > 0] = 500
    return label, grey


def test_a_ring_ends_half_way_to_a_neighbour_and_holds_no_nucleus():
    label, grey = two_nuclei()
    table = measure(Image(label, "YX"), Image(grey, "YX"), ring=3.0)
    np.testing.assert_array_equal(table["ring_mean_0"], (10, 30))
    wide = measure(Image(label, "YX"), Image(grey, "YX"), ring=30.0)
    assert wide["ring_px"].sum() == (label == 0).sum()


def test_the_width_is_in_micrometres_along_every_axis(rng):
    label = np.zeros((12, 30, 30), np.int32)
    label[5:7, 12:18, 12:18] = 1
    grey = rng.integers(0, 1000, label.shape)
    spacing = (0.9, 0.3, 0.3)
    about = {"axes": "ZYX", "spacing": spacing}
    table = measure(Image(label, **about), Image(grey, **about), ring=1.0)
    away = ndimage.distance_transform_edt(label == 0, sampling=spacing)
    ring = (away > 0) & (away <= 1.0)
    assert table["ring_px"] == [ring.sum()]
    assert table["ring_mean_0"] == pytest.approx([grey[ring].mean()])


def test_pixels_that_nobody_looked_at_are_in_no_ring():
    label, grey = two_nuclei()
    label[label == 0] = np.where(np.indices(label.shape)[0][label == 0] < 10, -1, 0)
    grey[:10] = 4000
    table = measure(Image(label, "YX"), Image(grey, "YX"), ring=3.0)
    np.testing.assert_array_equal(table["ring_mean_0"], (10, 30))


def test_a_nucleus_without_room_around_it_has_no_ring():
    label = np.ones((6, 6), np.uint8)
    table = measure(Image(label, "YX"), Image(label * 9, "YX"), ring=2.0)
    assert np.isnan(table["ring_mean_0"]).all()
    assert table["ring_px"] == [0]


def test_labels_in_a_file_have_the_rings_of_those_in_memory(rng, tmp_path, monkeypatch):
    monkeypatch.setattr(stored_labels, "TILE", {2: 24, 3: 12})
    label = np.zeros((96, 96), np.int32)
    for number, (y, x) in enumerate(rng.integers(4, 90, (40, 2)), start=1):
        label[y : y + 5, x : x + 5] = number
    grey = rng.integers(0, 60000, label.shape).astype(np.uint16)
    one = measure(Image(label, "YX"), Image(grey, "YX"), ring=9.0)
    stored = create_temporary(label.shape, label.dtype, folder=tmp_path)
    stored[:] = label
    two = measure(Image(stored, "YX"), Image(grey, "YX"), ring=9.0)
    np.testing.assert_array_equal(one["ring_px"], two["ring_px"])
    np.testing.assert_allclose(one["ring_mean_0"], two["ring_mean_0"])


@pytest.mark.parametrize("width", [0.0, 0.5, -1.0, float("nan")])
def test_a_ring_narrower_than_a_pixel_is_refused(width):
    label, grey = two_nuclei()
    with pytest.raises(UserError, match="at least a pixel wide"):
        measure(Image(label, "YX"), Image(grey, "YX"), ring=width)
    with pytest.raises(UserError, match="measured in the image"):
        measure(Image(label, "YX"), ring=2.0)


def test_the_command_writes_a_ring_of_every_channel(run, tmp_path):
    label, grey = two_nuclei()
    both = np.stack([grey, grey * 2]).astype(np.uint16)
    image = Image(both, "CYX", channels=("dna", "signal"), name="field")
    io.write_label(tmp_path / "labels" / "field.tif", Image(label, "YX", name="field"))
    io.write_image(tmp_path / "images" / "field.tif", image)
    given = ["measure", tmp_path / "labels", "--out", tmp_path / "nuclei.csv", "--ring", 3]
    code, _, err = run(*given)
    assert code == 2
    assert "--ring without --images" in err
    code, _, err = run(*given, "--images", tmp_path / "images")
    assert code == 0, err
    rows = list(csv.DictReader((tmp_path / "nuclei.csv").read_text().splitlines()))
    assert [float(row["ring_mean_signal"]) for row in rows] == [20, 60]
