"""NRRD and NIfTI: pixels, axes and pixel size both ways; the packages are optional."""

import sys

import numpy as np
import pytest

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image


def test_a_missing_reader_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch):
    io.write_image(tmp_path / "a.nrrd", Image(np.zeros((4, 5), np.uint8), "YX"))
    monkeypatch.setitem(sys.modules, "nrrd", None)
    with pytest.raises(UserError, match="needs the package pynrrd.*pip install pynrrd"):
        io.read_image(tmp_path / "a.nrrd")


def test_sizes_of_nrrd_and_nifti_are_taken_in_their_unit(tmp_path):
    """3D Slicer writes mm without naming them; 0.0002 mm are 0.2 µm."""
    import nibabel
    import nrrd

    pixels = np.zeros((5, 4, 3), np.uint8)
    place = {"space": "left-posterior-superior", "kinds": ["domain"] * 3}
    header = place | {"space directions": np.diag([0.0002, 0.0002, 0.001])}
    nrrd.write(str(tmp_path / "s.seg.nrrd"), pixels, header)
    found = io.read_label(tmp_path / "s.seg.nrrd")
    assert (found.axes, found.shape, found.name) == ("ZYX", (3, 4, 5), "s")
    assert found.spacing_um == pytest.approx((1.0, 0.2, 0.2))
    file = nibabel.Nifti1Image(pixels, np.diag([0.2, 0.2, 1.0, 1.0]))
    file.header.set_xyzt_units("micron", "sec")
    nibabel.save(file, tmp_path / "s.nii.gz")
    assert io.read_image(tmp_path / "s.nii.gz").spacing_um == pytest.approx((1.0, 0.2, 0.2))


@pytest.mark.parametrize("name", ["a.nrrd", "a.seg.nrrd", "a.nii", "a.nii.gz"])
@pytest.mark.parametrize("axes", ["YX", "ZYX", "CZYX", "TYX", "TCYX"])
def test_axes_and_spacing_come_back(tmp_path, axes, name):
    """TCYX becomes CTYX in NIfTI, whose fourth axis is time and whose fifth are channels."""
    shape = [{"T": 2, "C": 3, "Z": 4, "Y": 5, "X": 6}[a] for a in axes]
    spacing = (2.0, 0.5, 0.25)[-sum(a in "ZYX" for a in axes) :]
    pixels = np.random.default_rng(0).integers(0, 60000, shape).astype(np.uint16)
    io.write_image(tmp_path / name, Image(pixels, axes, spacing))
    found = io.read_image(tmp_path / name)
    assert (found.spacing, found.unit, sorted(found.axes)) == (spacing, "um", sorted(axes))
    np.testing.assert_array_equal(found.to(axes).pixels, pixels)


def test_segments_in_layers_are_one_label_image_unless_they_overlap(tmp_path):
    """As 3D Slicer stores segments that may overlap: a layer each, behind a first axis."""
    import nrrd

    layers = np.zeros((2, 6, 5, 4), np.uint8)
    layers[0, :2], layers[1, 3:5] = 1, 1
    about = {
        "space": "left-posterior-superior",
        "kinds": ["list", "domain", "domain", "domain"],
        "space directions": np.vstack([[np.nan] * 3, np.eye(3) * 0.5]),
    }
    for number in (0, 1):
        about |= {f"Segment{number}_LabelValue": "1", f"Segment{number}_Layer": str(number)}
    nrrd.write(str(tmp_path / "a.seg.nrrd"), layers, about)
    label = io.read_label(tmp_path / "a.seg.nrrd")
    assert (label.axes, label.shape, label.spacing_um) == ("ZYX", (4, 5, 6), (500, 500, 500))
    assert np.bincount(label.pixels.ravel()).tolist() == [40, 40, 40]
    layers[1, 1] = 1
    nrrd.write(str(tmp_path / "b.seg.nrrd"), layers, about)
    with pytest.raises(UserError, match=r"must not overlap.*label map"):
        io.read_label(tmp_path / "b.seg.nrrd")


def test_a_broken_file_is_one_message(tmp_path):
    for name in ("a.nrrd", "a.nii.gz"):
        (tmp_path / name).write_bytes(b"NRRD0004 nothing of the kind")
        with pytest.raises(UserError, match="whole and readable"):
            io.read_image(tmp_path / name)


def test_a_data_set_of_nifti_images_and_labels(tmp_path):
    from nbtools.data import DataSet

    image = Image(np.arange(60, dtype=np.uint16).reshape(3, 4, 5), "ZYX", (2, 0.5, 0.5))
    io.write_image(tmp_path / "images" / "a.nii.gz", image)
    io.write_label(tmp_path / "labels" / "a.seg.nrrd", image.replace(pixels=image.pixels // 30))
    sample = DataSet.open(tmp_path)[0]
    assert (sample.name, sample.label.pixels.max(), sample.label.spacing) == ("a", 1, (2, 0.5, 0.5))
