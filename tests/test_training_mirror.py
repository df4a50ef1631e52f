"""Checkpoints on a drive that loses, delays and renames what is written to it."""

import shutil

import numpy as np
import pytest
from test_training import make_trainer, train

from nbtools import data, runtime, training
from nbtools.image import Image
from nbtools.training import mirror


class Notes:
    def __init__(self):
        self.heard = []

    def on_note(self, text):
        self.heard.append(text)


class StopAfter:
    """A disconnect after some epochs."""

    def __init__(self, epochs):
        self.epochs, self.done = epochs, 0

    def on_epoch(self, epoch, logs):
        self.done = epoch

    def wants_stop(self):
        return self.done >= self.epochs


@pytest.fixture
def drive(monkeypatch, tmp_path):
    """A folder on a drive; its twin on the machine goes at the end, as with the machine."""
    monkeypatch.setenv("NBTOOLS_DRIVE", str(tmp_path / "drive"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "machine"))
    (tmp_path / "machine").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "machine"))
    return tmp_path / "drive" / "run"


def lose_machine(drive):
    shutil.rmtree(runtime.local_twin(drive / "checkpoint"))


def copies(drive):
    return mirror.list_copies(drive / "checkpoint")


def test_a_fresh_machine_goes_on_from_the_drive_bit_for_bit(drive):
    _, whole = train(epochs=5)
    train(epochs=5, folder=drive, callbacks=(StopAfter(3),))
    assert len(copies(drive)) == mirror.KEPT_COPIES
    lose_machine(drive)
    history, again = train(epochs=5, folder=drive, resume=True)
    assert history.epochs == 5
    for one, other in zip(again.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def lose_newest(drive):
    copies(drive)[-1].unlink()


def cut_newest(drive):
    path = copies(drive)[-1]
    path.write_bytes(path.read_bytes()[:100])


def rename_all(drive):
    """The drive gives copies names of its own, and their notes no longer stand beside them."""
    for path in copies(drive):
        path.rename(path.with_name(f"{path.stem} (1).npz"))


def delay_newest(drive):
    """The note is there, the content is not yet."""
    copies(drive)[-1].write_bytes(b"")


@pytest.mark.parametrize(
    ("fault", "epochs"),
    [(lose_newest, 2), (cut_newest, 2), (delay_newest, 2), (rename_all, 3)],
)
def test_whatever_the_drive_does_the_newest_whole_copy_is_taken(drive, fault, epochs):
    _, whole = train(epochs=5)
    train(epochs=5, folder=drive, callbacks=(StopAfter(3),))
    fault(drive)
    lose_machine(drive)
    notes, first = Notes(), []
    notes.on_epoch = lambda epoch, row: first.append(epoch)
    _, again = train(epochs=5, folder=drive, resume=True, callbacks=(notes,))
    assert first[0] == epochs + 1
    lost = fault in (cut_newest, delay_newest)
    assert any("minutes are trained again" in text for text in notes.heard) == lost
    for one, other in zip(again.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_a_drive_that_cannot_be_written_is_told_and_training_goes_on(drive, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "copyfile", fail)
    notes = Notes()
    history, _ = train(epochs=2, folder=drive, callbacks=(notes,))
    assert history.epochs == 2
    assert "Input/output error" in notes.heard[0]


def test_no_name_on_the_drive_is_used_twice(drive):
    plan = training.TrainingPlan(folder=drive)
    seen = set()
    for epochs in (1, 2, 3):
        train(epochs=epochs, folder=drive, resume=epochs > 1)
        names = {path.name for path in copies(drive)}
        assert len(names - seen) == 1
        seen |= names
    assert plan.checkpoint == runtime.local_twin(drive / "checkpoint")


# --- a fresh machine looks for its run


class Method:
    """What a plan needs of a method: its settings."""

    def __init__(self, epochs=5):
        self.settings = make_trainer(epochs=epochs).settings


SET = data.DataSet.of([data.Sample("a", Image(np.arange(64.0).reshape(8, 8), "YX", name="a"))])


def begin(drive, *, epochs=3):
    """A run of five epochs in the folder of all runs, broken off after some."""
    plan = training.plan_run("first", Method(), train=SET)
    assert (plan.folder, plan.resume) == (drive.parent / "nbtools" / "first", False)
    about = {"folder": plan.folder, "data": plan.data}
    train(epochs=5, callbacks=(StopAfter(epochs),), **about)
    shutil.rmtree(runtime.local_twin(plan.mirror))
    return plan


def rename_folder(folder):
    (folder / "checkpoint").rename(folder / "checkpoint (1)")


def move_run(folder):
    folder.rename(folder.with_name("Copy of first"))


def damage_newest(folder):
    cut_newest(folder)


def lose_notes(folder):
    for path in (folder / "checkpoint").glob("*.json"):
        path.unlink()


@pytest.mark.parametrize(
    ("fault", "epochs"),
    [
        (lambda folder: None, 3),
        (rename_folder, 3),
        (move_run, 3),
        (rename_all, 3),
        (lose_notes, 3),
        (lose_newest, 2),
        (damage_newest, 2),
        (delay_newest, 2),
    ],
)
def test_a_fresh_machine_finds_its_run_and_goes_on(drive, fault, epochs):
    drive.parent.mkdir()
    folder = begin(drive).folder
    fault(folder)
    plan = training.plan_run("first", Method(), train=SET)
    assert plan.resume
    assert f"broke off after {epochs} epochs" in training.describe_place(plan)
    first = Notes()
    first.on_epoch = lambda epoch, row: first.heard.append(epoch)
    about = {"folder": plan.folder, "data": plan.data, "resume": True}
    history, _ = train(epochs=5, callbacks=(first,), **about)
    numbers = [one for one in first.heard if isinstance(one, int)]
    assert (history.epochs, numbers[0]) == (5, epochs + 1)


def test_another_run_on_the_drive_keeps_its_folder(drive):
    drive.parent.mkdir()
    first = begin(drive)
    other = data.DataSet.of([data.Sample("b", Image(np.ones((8, 8)), "YX", name="b"))])
    for method, images, seed in ((Method(), other, 0), (Method(), SET, 1)):
        plan = training.plan_run("first", method, train=images, seed=seed)
        assert (plan.resume, plan.folder.name) == (False, "first_2")
    longer = training.plan_run("first", Method(epochs=9), train=SET)  # the same run, longer
    assert (longer.resume, longer.folder) == (True, first.folder)


def test_a_finished_run_is_not_gone_on_with(drive):
    drive.parent.mkdir()
    begin(drive, epochs=5)
    plan = training.plan_run("first", Method(), train=SET)
    assert (plan.resume, plan.folder.name) == (False, "first_2")


def test_without_a_drive_all_lies_in_runs_and_that_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("NBTOOLS_DRIVE", raising=False)
    monkeypatch.chdir(tmp_path)
    plan = training.plan_run("first", Method(), train=SET)
    assert (str(plan.folder), plan.resume) == ("runs/first", False)
    assert "deleted after a disconnect" in training.describe_place(plan)


def test_folders_of_other_things_are_no_runs(tmp_path):
    (tmp_path / "a" / "checkpoint").mkdir(parents=True)
    (tmp_path / "a" / "checkpoint" / "generation_000001.npz").write_bytes(b"PK")
    (tmp_path / "b" / "checkpoints").mkdir(parents=True)
    np.savez(tmp_path / "b" / "checkpoints" / "generation_x.npz", a=np.ones(3))
    assert training.find_runs(tmp_path) == []
    assert training.find_runs(tmp_path / "nowhere") == []
