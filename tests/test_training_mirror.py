"""Checkpoints on a drive that loses, delays and renames what is written to it."""

import shutil

import numpy as np
import pytest
from test_training import train

from nbtools import runtime, training
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
