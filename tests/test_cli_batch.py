"""A batch of images: results land one by one, failures and stops cost nothing but themselves."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from nbtools import io
from nbtools.cli import batch
from nbtools.errors import UserError
from nbtools.io import folders
from nbtools.io.locks import FolderLock
from nbtools.methods.segment.otsu import Otsu

COUNT = 4


@pytest.fixture
def images(tmp_path):
    """Some images of bright squares, one more in each."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(COUNT):
        pixels = np.random.default_rng(number).normal(100, 3, (64, 64))
        for i in range(number + 1):
            pixels[8 + 14 * i : 16 + 14 * i, 20:30] += 150
        tifffile.imwrite(folder / f"n{number}.tif", pixels.clip(0).astype(np.uint16))
    return folder


def fail_on(monkeypatch, name: str, error: BaseException):
    """Let the prediction of one image fail."""
    real = Otsu.predict

    def predict(self, image, **about):
        if image.name == name:
            raise error
        return real(self, image, **about)

    monkeypatch.setattr(Otsu, "predict", predict)
    return lambda: monkeypatch.setattr(Otsu, "predict", real)


def read_rows(folder, table="summary.csv"):
    return [(row["name"], row["nuclei"]) for row in io.read_csv(folder / table)]


ALL = [(f"n{i}", str(i + 1)) for i in range(COUNT)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "must fit into the memory"),
        (ZeroDivisionError("division by zero"), "a bug in nbtools"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_an_image_that_fails_costs_itself_alone(run, tmp_path, images, monkeypatch, error, words):
    fail_on(monkeypatch, "n1", error)
    code, out, err = run("predict", "otsu", images, "--out", tmp_path / "r", "--json")
    assert code == 1
    [failed] = json.loads(out)["failed"]
    assert (failed["name"], words in failed["message"]) == ("n1", True)
    assert read_rows(tmp_path / "r") == [ALL[0], *ALL[2:]]
    assert "Traceback" not in err


def test_where_every_image_fails_no_folder_is_left_behind(run, tmp_path, images, monkeypatch):
    fail = UserError("An image must be whole.", "half of one", "Copy it again.")
    monkeypatch.setattr(Otsu, "predict", lambda *_, **__: (_ for _ in ()).throw(fail))
    code, _, err = run("predict", "otsu", images, "--out", tmp_path / "r")
    assert (code, "Copy it again" in err) == (2, True)
    assert not (tmp_path / "r").exists()
    (tmp_path / "empty").mkdir()
    run("predict", "otsu", images, "--out", tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_or_too_long_costs_itself_alone(run, tmp_path, images):
    content = (images / "n0.tif").read_bytes()
    with open(os.fsencode(images) + b"/bad\xe4.tif", "wb") as file:
        file.write(content)
    (images / f"{'z' * 246}.tif").write_bytes(content)
    code, out, _ = run("predict", "otsu", images, "--out", tmp_path / "r", "--json")
    assert (code, len(json.loads(out)["failed"])) == (1, 1)
    names = [name for name, _ in read_rows(tmp_path / "r")]
    assert names == [name for name, _ in ALL] + ["z" * 246]


def test_grey_values_beyond_float32_are_told(run, tmp_path, images):
    tifffile.imwrite(images / "z.tif", np.full((64, 64), 1e300))
    code, out, _ = run("predict", "otsu", images, "--out", tmp_path / "r", "--json")
    assert code == 1
    assert "finite numbers" in json.loads(out)["failed"][0]["message"]


def test_a_stop_keeps_what_is_done_and_the_rest_follows(run, tmp_path, images, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "r"
    run("predict", "otsu", images, "--out", whole)
    undo = fail_on(monkeypatch, "n2", KeyboardInterrupt())
    code, _, err = run("predict", "otsu", images, "--out", out)
    assert (code, "Go on with --resume" in err) == (1, True)
    assert json.loads((out / "result.json").read_text())["stopped"]
    kept = read_rows(out)
    assert ALL[0] in kept
    assert len(kept) < COUNT
    undo()
    predicted = []
    real = Otsu.predict

    def count(self, image, **about):
        predicted.append(image.name)
        return real(self, image, **about)

    monkeypatch.setattr(Otsu, "predict", count)
    code, _, err = run("predict", "otsu", images, "--out", out, "--resume")
    assert (code, read_rows(out)) == (0, ALL)
    assert len(predicted) == COUNT - len(kept)
    for name in (f"n{i}.tif" for i in range(COUNT)):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    for table in ("objects.csv",):
        assert (out / table).read_text() == (whole / table).read_text()
    assert not json.loads((out / "result.json").read_text())["stopped"]


def test_a_changed_image_is_predicted_again(run, tmp_path, images):
    out = tmp_path / "r"
    run("predict", "otsu", images, "--out", out)
    (images / "n0.tif").write_bytes((images / "n3.tif").read_bytes())
    assert run("predict", "otsu", images, "--out", out, "--resume")[0] == 0
    assert read_rows(out) == [("n0", "4"), *ALL[1:]]


def test_other_options_are_refused_and_so_is_a_folder_that_was_not_begun(run, tmp_path, images):
    out = tmp_path / "r"
    run("predict", "otsu", images, "--out", out)
    code, _, err = run("predict", "otsu", images, "--out", out, "--resume", "--roi")
    assert (code, "roi=True (was False)" in err) == (2, True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("of the user")
    code, _, err = run("predict", "otsu", images, "--out", tmp_path / "mine", "--resume")
    assert (code, "Leave out --resume" in err) == (2, True)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_result_of_the_user_is_not_replaced_on_the_way(run, tmp_path, images, monkeypatch):
    out = tmp_path / "r"
    undo = fail_on(monkeypatch, "n2", KeyboardInterrupt())
    run("predict", "otsu", images, "--out", out)
    undo()
    (out / "n3.tif").write_bytes(b"of the user")
    code, told, _ = run("predict", "otsu", images, "--out", out, "--resume", "--json")
    assert code == 1
    assert "Files of yours" in json.loads(told)["failed"][0]["message"]
    assert (out / "n3.tif").read_bytes() == b"of the user"


def test_a_line_that_a_kill_cut_short_is_no_image(run, tmp_path, images):
    out = tmp_path / "r"
    run("predict", "otsu", images, "--out", out)
    journal = out / batch.JOURNAL
    journal.write_text(journal.read_text()[:-40])
    assert run("predict", "otsu", images, "--out", out, "--resume")[0] == 0
    assert read_rows(out) == ALL


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_request_to_end_is_an_interruption():
    with pytest.raises(KeyboardInterrupt), batch.Interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is not batch._interrupt


def test_a_result_that_is_gone_is_predicted_again(run, tmp_path, images):
    out = tmp_path / "r"
    assert run("predict", "otsu", images, "--out", out)[0] == 0
    (out / "n1.tif").unlink()
    code, _, err = run("predict", "otsu", images, "--out", out, "--resume")
    assert code == 0, err
    assert (out / "n1.tif").is_file()
    assert "3 of 4 images are done already" in err


def test_a_folder_takes_one_prediction_at_a_time(run, tmp_path, images):
    out = tmp_path / "r"
    assert run("predict", "otsu", images, "--out", out)[0] == 0
    with FolderLock(out, name=folders.BATCH_LOCK):
        code = (
            "import sys; from nbtools.cli import main\n"
            "sys.exit(main(['predict', 'otsu', *sys.argv[1:]]))"
        )
        for more in ("--resume", "--overwrite"):
            words = [sys.executable, "-c", code, images, "--out", out, more]
            other = subprocess.run(words, capture_output=True, text=True, check=False)
            assert other.returncode == 2
            assert "running" in other.stderr
    assert run("predict", "otsu", images, "--out", out, "--overwrite")[0] == 0
    assert not (out / folders.BATCH_LOCK).exists()
