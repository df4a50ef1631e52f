"""The check-up without a browser: press, read the table, write the copy; and the fields that say
how files are read.
"""

import json

import numpy as np
import pytest
import tifffile
from reliability import bad_data

from nbtools import io, widgets
from nbtools.data import DataSet, InputOptions
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.widgets.input_options import InputOptionsForm
from nbtools.wording import in_python


def test_the_default_of_the_check_up_is_a_valid_answer():
    seen = widgets.check_up()
    assert {f.severity for f in seen.value} <= {"note"}
    assert seen.table.value
    assert seen.value is seen.value


def test_a_press_shows_what_where_why_and_the_remedy_and_writes_a_copy(tmp_path):
    bad_data.build(tmp_path, ["binary_mask"])
    seen = widgets.check_up(tmp_path / "binary_mask", copy=tmp_path / "copy")
    assert seen.table.value == ""
    seen.run.click()
    [finding] = seen.value
    remedy = in_python(finding.remedy)
    assert "--" not in remedy
    for words in ("error", "labels/n1.tif", finding.message, finding.why, remedy):
        assert words.split("'")[0] in seen.table.value
    seen.repair.click()
    assert "number objects" in seen.status.value
    assert "6 nuclei before, 6 after" in seen.status.value
    assert "data:image/png" in seen.pictures.value
    assert widgets.check_up(tmp_path / "copy").value == []
    seen.repair.click()
    assert "not overwritten" in seen.status.value


def test_another_set_is_checked_anew_and_a_wrong_one_is_said(tmp_path):
    bad_data.build(tmp_path, ["specks"])
    seen = widgets.check_up()
    first = seen.value
    seen.picker.way.value = "folder"
    seen.picker.browser.go(tmp_path / "specks")
    assert "tiny_objects" in {f.code for f in seen.value}
    assert seen.value is not first
    (tmp_path / "empty").mkdir()
    seen.picker.browser.go(tmp_path / "empty")
    seen.run.click()
    assert "must be images" in seen.status.value


@pytest.fixture
def stacks(tmp_path):
    """Three planes in a file that does not name them."""
    (tmp_path / "set" / "images").mkdir(parents=True)
    tifffile.imwrite(
        tmp_path / "set" / "images" / "a.tif",
        np.zeros((3, 20, 22), np.uint8),
        photometric="minisblack",
    )
    return tmp_path / "set"


def test_axes_that_no_file_names_are_asked_for_and_remembered_once(stacks):
    chosen = widgets.pick_data()
    assert chosen.options.layout.display == "none"
    chosen.way.value = "folder"
    chosen.browser.go(stacks)
    assert "read as CYX" in chosen.options.question.value
    chosen.options.axes.value = "ZYX"
    assert chosen.options.question.value == ""
    assert chosen.value.image(0).axes == "ZYX"
    chosen.options.spacing.value = "2, 0.5, 0.5"
    assert chosen.value.image(0).spacing_um == (2, 0.5, 0.5)
    assert not (stacks / "dataset.toml").exists()
    chosen.options.keep.click()
    assert DataSet.open(stacks).image(0).axes == "ZYX"
    again = widgets.pick_data()
    again.way.value = "folder"
    again.browser.go(stacks)
    assert again.options.question.value == ""
    assert "ZYX" in again.status.value


def test_a_wrong_entry_is_said_where_the_set_is_described(stacks):
    chosen = widgets.pick_data()
    chosen.way.value = "folder"
    chosen.browser.go(stacks)
    chosen.options.axes.value = "TZYX"
    assert "name each dimension" in chosen.status.value
    chosen.options.axes.value = ""
    chosen.options.spacing.value = "wide"
    assert "Pixel size must be numbers" in chosen.status.value


def test_channels_and_time_points_can_be_picked(tmp_path):
    movie = Image(
        np.arange(3 * 2 * 20 * 20, dtype=np.uint16).reshape(3, 2, 20, 20),
        "TCYX",
        channels=("DNA", "actin"),
    )
    io.write_image(tmp_path / "images" / "m.tif", movie)
    chosen = widgets.pick_data()
    chosen.way.value = "folder"
    chosen.browser.go(tmp_path)
    assert [words for words, _ in chosen.options.channel.options] == [
        "all",
        "0: DNA",
        "1: actin",
    ]
    chosen.options.channel.value, chosen.options.time.value = 1, 2
    np.testing.assert_array_equal(chosen.value.image(0).pixels, movie.pixels[2, 1])
    chosen.options.time.value = "all"
    assert chosen.value.names == ["m_t0", "m_t1", "m_t2"]


def test_of_several_images_in_a_file_one_is_asked_for(tmp_path):
    (tmp_path / "images").mkdir()
    with tifffile.TiffWriter(tmp_path / "images" / "p.ome.tif", ome=True) as file:
        for number in (1, 2):
            plane = np.full((20, 22), number, np.uint16)
            file.write(plane, metadata={"axes": "YX", "Name": f"pos{number}"})
    chosen = widgets.pick_data()
    chosen.way.value = "folder"
    chosen.browser.go(tmp_path)
    assert "several images (pos1, pos2)" in chosen.options.question.value
    chosen.options.series.value = 1
    assert chosen.options.question.value == ""
    assert chosen.value.image(0).pixels[0, 0] == 2
    chosen.options.series.value = "all"
    assert chosen.value.names == ["p_pos1", "p_pos2"]


def test_nothing_entered_is_what_the_files_say_and_nothing_is_remembered():
    fields = InputOptionsForm()
    assert fields.value == InputOptions()
    fields.keep.click()
    assert "per folder" in fields.status.value
    fields.spacing.value = "1, x"
    with pytest.raises(UserError, match="must be numbers"):
        _ = fields.value


def test_the_command_line_says_why_once_for_each_kind_of_finding(tmp_path, run):
    bad_data.build(tmp_path, ["binary_mask"])
    bad_data.change_label(tmp_path / "binary_mask", lambda label: label)
    for i in (0, 2):
        label = tifffile.imread(tmp_path / "binary_mask" / "labels" / f"n{i}.tif")
        bad_data.write(
            tmp_path / "binary_mask" / "labels" / f"n{i}.tif", ((label > 0) * 255).astype(np.uint8)
        )
    _, out, _ = run("check", tmp_path / "binary_mask")
    assert out.count("is a mask") == 3
    assert out.count("Touching nuclei become one object") == 1
    _, out, _ = run("check", tmp_path / "binary_mask", "--json")
    assert all(f["why"] for f in json.loads(out)["findings"])
