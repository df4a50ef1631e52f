"""Images larger than the memory are checked part by part, with the same findings."""

import numpy as np
import pytest
import tifffile

from nbtools import checks, runtime
from nbtools.checks import large, slabs
from nbtools.checks.finding import Regions
from nbtools.cli import main
from nbtools.errors import UserError
from nbtools.io.stored import create_temporary
from tests.reliability import bad_data

LEFT_OUT = {"near_duplicate", "sibling_tiles", "transposed_label"}
NOT_STORABLE = {
    "movie",
    "colours",
    "grey_as_colours",
    "two_images_of_one_name",
    "coloured_labels",
    "blurred_mask",
    "mask_as_jpeg",
    "folder_named_tif",
    "pickled_labels_of_cellpose",
    "broken_geojson",
    "grey_with_transparency",
    "long_movie",
    "duplicate_of_another_format",
}
INSTEAD = {"unequal_shapes"}  # where a turn to the right shape is not looked for


@pytest.fixture
def small_memory(monkeypatch):
    """No image fits into memory, and few rows are looked at together."""
    monkeypatch.setattr(runtime, "memory", lambda: runtime.Memory(runtime.GB, 0, 0))
    monkeypatch.setattr(large, "SMALL_FILE", 0)
    monkeypatch.setattr(slabs, "SLAB", 500)
    return monkeypatch


def store(pixels):
    stored = create_temporary(pixels.shape, pixels.dtype)
    stored[...] = pixels
    return stored


@pytest.mark.parametrize("shape", [(60, 70), (12, 20, 30)])
def test_parts_of_labels_are_joined_across_slabs(monkeypatch, rng, shape):
    monkeypatch.setattr(slabs, "SLAB", 1000)
    labels = rng.choice([-1, 0, 0, 0, 1, 2, 300], shape).astype(np.int32)
    labels[..., 5:20] = 7
    whole, parts = Regions.of(labels), Regions.find(store(labels))
    assert len(whole.part_values) > 100
    for name in ("values", "sizes", "n_parts"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    assert np.array_equal(*(sorted(zip(r.part_values, r.part_sizes)) for r in (whole, parts)))


def test_what_has_too_many_parts_is_no_label_image(monkeypatch, rng):
    monkeypatch.setattr(slabs, "MOST_PARTS", 50)
    assert Regions.find(store(rng.integers(0, 999, (40, 40)))) is None


@pytest.mark.parametrize("name", bad_data.CASES)
def test_a_fault_is_found_part_by_part_as_in_one_piece(tmp_path, small_memory, name):
    bad_data.build(tmp_path, [name])
    with small_memory.context() as plenty:
        plenty.setattr(large, "SMALL_FILE", 2**40)
        whole = checks.check(tmp_path / name)
    if name in NOT_STORABLE:
        with pytest.raises(UserError, match="TIFF|memory"):
            checks.check(tmp_path / name)
        return
    parts = checks.check(tmp_path / name)
    said = [f for f in parts if f.code == "checked_in_parts"]
    assert said or {f.code for f in whole} & {"no_images", "unreadable", "axes_unknown"}
    kept = [f for f in whole if not f.code.startswith(tuple(LEFT_OUT))]
    exchanged = any(f.code == "transposed_label" for f in whole)
    ours = [f for f in parts if f not in said and not (exchanged and f.code in INSTEAD)]
    assert ours == kept


def test_the_middle_is_compared_and_the_rest_counted(tmp_path, small_memory, rng):
    small_memory.setattr(large, "LEAST_SIDE", {2: 200, 3: 64})
    label = np.zeros((300, 280), np.uint16)
    for number, (y, x) in enumerate(rng.integers(0, 260, (70, 2)), start=1):
        label[y : y + 12, x : x + 14] = number
    image = (rng.normal(40, 5, label.shape) + 120 * (np.flipud(label) > 0)).astype(np.uint8)
    label[:3, :3], label[-3:, -3:] = 99, 99
    bad_data.write(tmp_path / "images" / "a.tif", image)
    bad_data.write(tmp_path / "labels" / "a.tif", label)
    found = {f.code: f for f in checks.check(tmp_path)}
    assert {"turned_label", "checked_in_parts", "label_in_parts"} <= set(found)
    assert "200 x 200" in found["checked_in_parts"].message
    assert "99" in found["label_in_parts"].message


def test_check_says_what_it_looked_at_and_repairs_nothing_beyond_the_memory(
    tmp_path, small_memory, capsys
):
    bad_data.write_good(tmp_path / "set", count=1)
    main(["check", str(tmp_path / "set")])
    assert "larger than the memory" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "set"), "--fix", str(tmp_path / "copy")]) == 2
    assert "Leave out --fix" in capsys.readouterr().err


def test_a_movie_beyond_the_memory_is_refused_with_a_remedy_that_works(
    tmp_path, small_memory, capsys
):
    frames = np.stack([bad_data.draw_pair(n)[0] for n in range(3)])
    about = {"imagej": True, "metadata": {"axes": "TYX", "finterval": 9.0}}
    tifffile.imwrite(tmp_path / "a.tif", frames, **about)
    assert main(["check", str(tmp_path / "a.tif")]) == 2
    assert "--time 0" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "a.tif"), "--time", "0"]) in (0, 1)
