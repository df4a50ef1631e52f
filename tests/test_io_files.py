"""Files and folders appear whole or not at all; tables and JSON hold plain values."""

import json
import os

import numpy as np
import pytest

from nbtools import io


def fail_after(_):
    raise RuntimeError


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    io.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), io.atomic_write(tmp_path / "a.txt") as temporary:
        fail_after(temporary.write_text("half"))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


def test_what_is_written_survives_a_loss_of_power_where_asked(tmp_path, monkeypatch):
    synced, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), real(handle)))
    with io.atomic_write(tmp_path / "a.txt", sync=True) as temporary:
        temporary.write_text("done")
    assert len(synced) == 2  # the file, and the folder's list of files
    assert (tmp_path / "a.txt").read_text() == "done"


def test_a_name_of_any_length_that_the_system_takes_can_be_written(tmp_path):
    io.write_text(tmp_path / ("z" * 251 + ".txt"), "long")
    assert len(list(tmp_path.iterdir())) == 1


def test_json_and_csv_hold_plain_values(tmp_path):
    io.write_json(
        tmp_path / "a.json",
        {"n": np.int64(3), "x": [np.nan, np.float32(0.5)], "p": tmp_path, "s": "µm"},
    )
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {
        "n": 3,
        "x": [None, 0.5],
        "p": str(tmp_path),
        "s": "µm",
    }
    io.write_csv(
        tmp_path / "a.csv", [{"name": "a, b", "n": 1}, {"name": "c", "x": np.float64(np.nan)}]
    )
    assert io.read_csv(tmp_path / "a.csv") == [
        {"name": "a, b", "n": "1", "x": ""},
        {"name": "c", "n": "", "x": ""},
    ]
    io.write_csv(tmp_path / "b.csv", {"z": np.arange(2), "y": [0.5, 1.5]})
    assert (tmp_path / "b.csv").read_text() == "z,y\n0,0.5\n1,1.5\n"
    io.write_csv(tmp_path / "c.csv", [], columns=["a", "b"])
    assert (tmp_path / "c.csv").read_text() == "a,b\n"


def test_tables_of_other_countries_are_read(tmp_path):
    (tmp_path / "a.csv").write_bytes("\ufeffname;class\r\nä;G1\r\n".encode())
    assert io.read_csv(tmp_path / "a.csv") == [{"name": "ä", "class": "G1"}]


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-cmd|calc", "@SUM(A1)", "=HYPERLINK('x')"])
def test_text_never_becomes_a_formula_and_is_read_back_as_it_was(tmp_path, text):
    io.write_csv(tmp_path / "a.csv", [{"name": text, "shift": -0.5, "word": "'quoted'"}])
    line = (tmp_path / "a.csv").read_text().splitlines()[1]
    assert line.lstrip('"').startswith("'" + text[0])
    assert io.read_csv(tmp_path / "a.csv") == [{"name": text, "shift": "-0.5", "word": "'quoted'"}]
