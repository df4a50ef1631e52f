"""Result folders appear whole or not at all, and nothing of the user is ever replaced."""

import os
import shutil
import subprocess
import sys

import pytest

from nbtools import io
from nbtools.errors import UserError
from nbtools.io import folders, temporary
from nbtools.io.locks import FolderLock


def fail_after(_):
    raise RuntimeError


def make_result(folder, **files):
    """A folder that the toolkit wrote."""
    with io.new_folder(folder) as inside:
        for name, text in (files or {"a": "ours"}).items():
            io.write_text(inside / f"{name}.txt", text)
    return folder


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != folders.MARK)


def replace(folder, **about):
    with io.new_folder(folder, overwrite=True, **about) as inside:
        io.write_text(inside / "new.txt", "new")


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), io.new_folder(tmp_path / "run") as folder:
        fail_after(io.write_text(folder / "a.txt", "half"))
    assert not list(tmp_path.iterdir())
    with io.new_folder(tmp_path / "run") as folder:
        io.write_text(folder / "deep" / "a.txt", "done")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "deep" / "a.txt").read_text() == "done"
    assert names(tmp_path) == ["run"]


def test_a_result_of_ours_is_replaced_only_when_asked(tmp_path):
    result = make_result(tmp_path / "run")
    with pytest.raises(UserError, match=r"not overwritten.*overwrite=True"), io.new_folder(result):
        pass
    with pytest.raises(RuntimeError), io.new_folder(result, overwrite=True):
        raise RuntimeError
    assert names(result) == ["a.txt"]
    replace(result)
    assert (names(result), names(tmp_path)) == (["new.txt"], ["run"])


def add_note(folder):
    (folder / "notes.txt").write_text("of the user")


def correct_labels(folder):
    (folder / "a.txt").write_text("corrected")


def add_link(folder):
    (folder / "link").symlink_to(folder.parent)


def add_folder(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "image.tif").write_bytes(b"image")


def lose_mark(folder):
    (folder / folders.MARK).unlink()


def spoil_mark(folder):
    (folder / folders.MARK).write_text("{not json")


@pytest.mark.parametrize(
    "change", [add_note, correct_labels, add_link, add_folder, lose_mark, spoil_mark]
)
def test_a_folder_with_anything_of_the_user_is_left_as_it_is(tmp_path, change):
    result = make_result(tmp_path / "run")
    change(result)
    before = {p: p.read_bytes() for p in result.rglob("*") if p.is_file()}
    for overwrite in (False, True):
        with pytest.raises(UserError) as caught, io.new_folder(result, overwrite=overwrite):
            pass
        assert "--overwrite" not in caught.value.remedy
    assert {p: p.read_bytes() for p in result.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints"])
def test_what_the_system_leaves_in_a_folder_is_nobodys_work(tmp_path, name):
    result = make_result(tmp_path / "run")
    (result / name).mkdir() if name.startswith(".ipynb") else (result / name).write_text("x")
    replace(result)
    assert "new.txt" in names(result)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_text("x")
    make_result(tmp_path / "empty")


def test_a_result_is_never_written_over_its_inputs(tmp_path):
    data = make_result(tmp_path / "data")
    for used in (data, data / "a.txt"):
        with pytest.raises(UserError, match="never written over what it is made from"):
            replace(data, inputs=[used])
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(UserError, match="never written over"):
        replace(tmp_path / "link", inputs=[data])
    assert names(data) == ["a.txt"]
    replace(tmp_path / "other", inputs=[data])


def test_an_empty_folder_is_used_and_a_file_is_not(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    make_result(tmp_path / "empty")
    assert names(tmp_path / "empty") == ["a.txt"]
    make_result(tmp_path / "above" / "run")
    monkeypatch.chdir(tmp_path / "above" / "run")
    with pytest.raises(UserError, match="cannot be replaced"):
        replace(".")
    with pytest.raises(UserError, match="must be a folder"):
        make_result(tmp_path / "empty" / "a.txt")


def test_files_are_added_beside_those_that_are_there(tmp_path):
    result = make_result(tmp_path / "run", a="ours", b="ours")
    (result / "notes.txt").write_text("of the user")
    with io.new_folder(result, keep=True) as inside:
        io.write_text(inside / "a.txt", "again")
        io.write_text(inside / "c.txt", "more")
    assert names(result) == ["a.txt", "b.txt", "c.txt", "notes.txt"]
    assert (result / "a.txt").read_text() == "again"
    assert folders.read_mark(result).keys() == {"a.txt", "b.txt", "c.txt"}
    with (
        pytest.raises(UserError, match="Files of yours"),
        io.new_folder(result, keep=True) as inside,
    ):
        io.write_text(inside / "notes.txt", "ours")
    assert (result / "notes.txt").read_text() == "of the user"


def test_a_folder_in_a_result_is_made_anew_without_what_is_not_ours(tmp_path):
    result = make_result(tmp_path / "run")
    for name in ("one", "two"):
        with io.new_folder(result, keep=True, renew=("scores/",)) as inside:
            io.write_text(inside / "scores" / f"{name}.txt", name)
        (result / "scores" / "of the user.txt").write_text("note")
    assert names(result / "scores") == ["of the user.txt", "two.txt"]
    assert names(result) == ["a.txt", "scores"]
    (result / "scores" / "of the user.txt").unlink()
    replace(result)


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs POSIX")
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(UserError, match="must be writable"):
        io.require_new_folder(tmp_path / ("z" * 300))
    with pytest.raises(UserError, match="must be writable"):
        io.require_new_folder("/proc/run")


def test_a_file_is_replaced_only_where_we_wrote_it(tmp_path):
    table = tmp_path / "nuclei.csv"
    table.write_text("a table of the user\n")
    for overwrite in (False, True):
        with pytest.raises(UserError) as caught:
            io.require_new_file(table, overwrite=overwrite)
        assert "--overwrite" not in caught.value.remedy
    table.unlink()
    io.write_csv(table, [{"a": 1}])
    io.add_to_mark(tmp_path, [table])
    with pytest.raises(UserError, match="overwrite=True"):
        io.require_new_file(table)
    io.require_new_file(table, overwrite=True)
    with pytest.raises(UserError):
        io.require_new_file(table, overwrite=True, inputs=[table])
    table.write_text("edited\n")
    with pytest.raises(UserError, match="nobody changed"):
        io.require_new_file(table, overwrite=True)
    with pytest.raises(UserError, match="is a file"):
        io.require_new_file(tmp_path)


def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path):
    code = (
        "import os, sys; from nbtools import io\n"
        "with io.new_folder(sys.argv[1]) as folder:\n"
        "    io.write_text(folder / 'a.txt', 'half'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "run"], check=False)
    left = [p.name for p in tmp_path.iterdir()]
    assert len(left) == 1
    assert temporary.is_leftover(left[0])
    make_result(tmp_path / "run")
    assert names(tmp_path) == ["run"]
    with io.new_folder(tmp_path / "one"), io.new_folder(tmp_path / "two"):
        pass  # what is being written now is nobody's leftover


def test_a_folder_that_is_being_written_is_not_overwritten(tmp_path):
    make_result(tmp_path / "r")
    for name in folders.LOCKS:
        place = tmp_path / "r" / name
        with FolderLock(place.parent, name=place.name):
            with pytest.raises(UserError, match="being written"):
                folders.require_new_folder(tmp_path / "r", overwrite=True)
            code = (
                "import sys; from nbtools.io.locks import is_held; from pathlib import Path\n"
                "sys.exit(not is_held(Path(sys.argv[1])))"
            )
            other = subprocess.run([sys.executable, "-c", code, place], check=False)
            assert other.returncode == 0
    folders.require_new_folder(tmp_path / "r", overwrite=True)  # the locks of then hold nobody up


def test_files_of_the_user_that_look_like_ours_are_theirs(tmp_path):
    names = ("checkpoint/my_results.npz", ".nbtools-notes.txt", "checkpoint/generation_1.npz")
    for name in names:
        make_result(tmp_path / "r")
        (tmp_path / "r" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "r" / name).write_text("three years of work")
        with pytest.raises(UserError, match="nothing else in it"):
            folders.require_new_folder(tmp_path / "r", overwrite=True)
        shutil.rmtree(tmp_path / "r")


def test_what_came_into_a_folder_while_it_was_replaced_is_kept_in_sight(tmp_path):
    make_result(tmp_path / "r")
    aside = temporary.temporary_path(tmp_path / "r")
    (tmp_path / "r").rename(aside)
    (aside / "notes.txt").write_text("three years of work")
    folders.discard(aside, mark=folders.read_mark(aside), name="r")
    assert names(tmp_path) == ["r (kept)"]
    assert (tmp_path / "r (kept)" / "notes.txt").read_text() == "three years of work"


def test_of_a_file_that_is_being_replaced_both_contents_are_ours(tmp_path):
    make_result(tmp_path / "r", a="before")
    (tmp_path / "new").write_text("after")
    folders.append_mark(tmp_path / "r", {"a.txt": folders.hash_file(tmp_path / "new")})
    for text, own in (("before", True), ("after", True), ("corrected", False)):
        (tmp_path / "r" / "a.txt").write_text(text)
        assert folders.is_written_by_us(tmp_path / "r" / "a.txt") == own
