"""Files and folders appear whole or not at all; tables and JSON hold plain values."""

import json
import os

import numpy as np
import pytest

from nbtools import io
from nbtools.errors import UserError


def fail_after(_):
    raise RuntimeError


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    io.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), io.atomic_write(tmp_path / "a.txt") as temporary:
        fail_after(temporary.write_text("half"))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), io.new_folder(tmp_path / "run") as folder:
        fail_after(io.write_text(folder / "a.txt", "half"))
    assert not list(tmp_path.iterdir())
    with io.new_folder(tmp_path / "run") as folder:
        io.write_text(folder / "deep" / "a.txt", "done")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "deep" / "a.txt").read_text() == "done"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_an_existing_result_is_replaced_only_when_asked(tmp_path):
    io.write_text(tmp_path / "run" / "old.txt", "old")
    with (
        pytest.raises(UserError, match=r"not overwritten.*overwrite=True"),
        io.new_folder(tmp_path / "run"),
    ):
        pass
    with pytest.raises(RuntimeError), io.new_folder(tmp_path / "run", overwrite=True):
        raise RuntimeError
    assert (tmp_path / "run" / "old.txt").exists()
    with io.new_folder(tmp_path / "run", overwrite=True) as folder:
        io.write_text(folder / "new.txt", "new")
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["new.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_an_empty_folder_is_used_and_a_file_is_not(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with io.new_folder(".") as folder:
        io.write_text(folder / "a.txt", "a")
    assert os.listdir(".") == ["a.txt"]
    with pytest.raises(UserError, match="cannot be replaced"), io.new_folder("..", overwrite=True):
        pass
    with pytest.raises(UserError, match="must be a folder"), io.new_folder("a.txt"):
        pass


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
