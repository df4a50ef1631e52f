"""Checkpoints: whole or not at all, the one before where one is damaged, and never of two runs."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from small import data_sets

from nbtools import training
from nbtools.errors import UserError
from nbtools.training import checkpoints
from nbtools.training.checkpoints import read_newest, write_generation

GROUPS = {"v": [np.arange(6.0), np.array(3)], "a": [np.ones((2, 3), np.float32)]}


class Notes:
    def __init__(self):
        self.heard = []

    def on_note(self, text):
        self.heard.append(text)


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def plan(notes):
    return training.TrainingPlan(callbacks=(notes,))


def write(folder, *epochs):
    return [write_generation(folder, GROUPS, state={"epoch": epoch}) for epoch in epochs]


def test_a_generation_is_read_as_it_was_written_and_two_are_kept(tmp_path, plan):
    write(tmp_path, 1, 2, 3)
    kept = [path.name for path in checkpoints.list_generations(tmp_path)]
    assert kept == ["generation_000002.npz", "generation_000003.npz"]
    state, groups = read_newest(tmp_path, plan)
    assert (state, list(groups)) == ({"epoch": 3}, ["a", "v"])
    for name, arrays in GROUPS.items():
        for found, array in zip(groups[name], arrays, strict=True):
            np.testing.assert_array_equal(found, array)
            assert found.dtype == array.dtype
    with np.load(tmp_path / kept[0], allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def cut_short(path: Path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path):
    path.write_bytes(b"")


def flip_a_byte(path: Path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


def hold_other_arrays(path: Path):
    """Zip and checksums are sound, but the arrays are of another generation than the state."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **arrays | {"v0": arrays["v0"] + 1})


def leave_out_state(path: Path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "state"}
    np.savez(path, **arrays)


DAMAGES = [cut_short, empty, flip_a_byte, hold_other_arrays, leave_out_state]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_generation_is_told_and_the_one_before_is_taken(tmp_path, plan, notes, damage):
    first, second = write(tmp_path, 1, 2)
    damage(second)
    assert read_newest(tmp_path, plan)[0] == {"epoch": 1}
    assert "generation_000002.npz" in notes.heard[0]
    damage(first)
    with pytest.raises(UserError, match="from a checkpoint that is whole"):
        read_newest(tmp_path, plan)


def test_without_a_checkpoint_there_is_nothing_to_read(tmp_path, plan):
    assert read_newest(tmp_path / "nothing", plan) is None


def test_a_checkpoint_of_an_older_version_is_read(tmp_path, plan):
    np.savez(tmp_path / "state.npz", v0=np.arange(3), v1=np.ones(2))
    (tmp_path / "state.json").write_text(json.dumps({"seed": 3}))
    state, groups = read_newest(tmp_path, plan)
    assert (state, len(groups["v"])) == ({"seed": 3}, 2)
    cut_short(tmp_path / "state.npz")
    with pytest.raises(UserError, match="whole"):
        read_newest(tmp_path, plan)


def test_a_full_disk_costs_checkpoints_and_not_the_training(tmp_path, plan, notes, monkeypatch):
    write(tmp_path, 1, 2)

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    history = training.History()
    settings = training.TrainingSettings()
    checkpoints.write_checkpoint(tmp_path, GROUPS, history=history, settings=settings, plan=plan)
    assert "No space left" in notes.heard[0]
    left = [path.name for path in tmp_path.iterdir()]
    assert left == ["generation_000002.npz"]  # the older one made room


def test_a_folder_belongs_to_one_training_at_a_time(tmp_path):
    refused = []

    def try_to_hold():
        try:
            with training.RunLock(tmp_path):
                pass
        except UserError as error:
            refused.append(error)

    with training.RunLock(tmp_path), training.RunLock(tmp_path):  # the same thread may
        thread = threading.Thread(target=try_to_hold)
        thread.start()
        thread.join()
        code = (
            "import sys; from nbtools.training.run_lock import RunLock; from pathlib import Path\n"
            "from nbtools.errors import UserError\n"
            "try:\n    RunLock(Path(sys.argv[1])).__enter__()\n"
            "except UserError: sys.exit(7)"
        )
        other = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
        assert (len(refused), other.returncode) == (1, 7)
    try_to_hold()
    assert len(refused) == 1


def test_the_lock_of_a_process_that_died_holds_nobody_up(tmp_path):
    code = (
        "import os, sys; from nbtools.training.run_lock import RunLock; from pathlib import Path\n"
        "RunLock(Path(sys.argv[1])).__enter__(); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    assert done.returncode == 9
    assert os.listdir(tmp_path) == [".lock"]
    with training.RunLock(tmp_path):
        pass


def test_a_run_is_known_by_the_content_of_its_data(tmp_path):
    train, val = data_sets(2)
    known = training.identify(train, val)
    assert known == training.identify(*data_sets(2))
    assert known != training.identify(val, train)
    assert known != training.identify(train, None)
    sample = train[0]
    changed = sample.replace(label=sample.label.replace(pixels=sample.label.pixels * 2))
    assert training.identify(type(train).of([changed, train[1], train[2]]), val) != known


def test_a_resumed_run_must_have_the_data_of_the_first(tmp_path):
    plan = training.TrainingPlan(data="one")
    checkpoints.require_same_data({"data": "one"}, plan)
    checkpoints.require_same_data({}, plan)  # written by an older version
    with pytest.raises(UserError, match="on the images it was started on"):
        checkpoints.require_same_data({"data": "other"}, plan)
