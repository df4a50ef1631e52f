"""The machine, as runtime sees it."""

import subprocess
import sys
import time

import psutil
import pytest

from nbtools import runtime
from nbtools.errors import UserError


def test_process_seconds_count_from_the_start_of_the_process():
    code = (
        "import time; time.sleep(0.5); from nbtools import runtime; "
        "print(runtime.process_seconds())"
    )
    begin = time.time()
    told = float(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )
    assert 0.5 <= told <= time.time() - begin + 0.1


LOUD = """
import os, sys
from nbtools import runtime
with runtime.suppress_tensorflow_log():
    os.write(2, b"I0000 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"a library's own words\\n")
    print("a warning of Python", file=sys.stderr)
    {more}
print("afterwards", file=sys.stderr)
"""


@pytest.mark.parametrize("more", ["pass", "raise ValueError('why')"])
def test_what_tensorflow_logs_of_its_start_is_held_back_and_nothing_else(more):
    told = subprocess.run(
        [sys.executable, "-c", LOUD.format(more=more)], capture_output=True, text=True
    ).stderr
    assert "oneDNN" not in told
    assert "a library's own words" in told
    assert "a warning of Python" in told
    assert ("afterwards" if more == "pass" else "ValueError: why") in told


def test_a_process_without_standard_error_loads_as_well():
    code = (
        "import os; os.close(2); from nbtools import runtime; "
        "runtime.suppress_tensorflow_log().__enter__(); print('loaded')"
    )
    assert (
        "loaded"
        in subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout
    )


def test_memory_is_what_the_system_says():
    here = runtime.memory()
    assert 0 < here.process < here.total <= psutil.virtual_memory().total
    assert here.available <= here.total


def make_group(folder, *, limit, current, inactive=0):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {inactive}\n")


def test_the_smallest_limit_of_the_control_groups_counts_as_all_the_memory_there_is(
    monkeypatch, tmp_path
):
    group = tmp_path / "user" / "job"
    make_group(tmp_path / "user", limit=2 * 2**30, current=2**30, inactive=2**29)
    make_group(group, limit="max", current=2**30)
    monkeypatch.setattr(runtime, "_list_cgroups", lambda: [group, tmp_path / "user"])
    found = runtime.memory()
    assert found.total == 2 * 2**30
    assert found.available == 2 * 2**30 - 2**29  # what files hold in memory is free at once
    make_group(tmp_path / "user", limit="max", current=2**30)
    assert runtime.memory().total > 2 * 2**30


@pytest.mark.parametrize(
    ("text", "size"),
    [("4G", 4 * 2**30), ("1.5g", 3 * 2**29), ("900MB", 900 * 2**20), ("2GiB", 2**31)],
)
def test_a_cap_is_set_by_an_environment_variable(monkeypatch, text, size):
    monkeypatch.setattr(runtime, "_list_cgroups", list)
    monkeypatch.setenv("NBTOOLS_MEMORY", text)
    found = runtime.memory()
    assert found.total == size
    assert found.available == max(0, size - found.process)
    monkeypatch.setenv("NBTOOLS_MEMORY", "much")
    with pytest.raises(UserError, match="as 4G or 500M"):
        runtime.memory()


def test_a_folder_on_a_drive_has_a_twin_on_the_machine(monkeypatch, tmp_path):
    assert runtime.is_on_drive("/content/drive/MyDrive/run")
    assert not runtime.is_on_drive(tmp_path / "run")
    monkeypatch.setenv("NBTOOLS_DRIVE", str(tmp_path))
    assert runtime.is_on_drive(tmp_path / "run")
    twin = runtime.local_twin(tmp_path / "run")
    assert twin == runtime.local_twin(tmp_path / "." / "run")
    assert not twin.is_relative_to(tmp_path)


def test_versions_name_python_and_numpy():
    import numpy

    assert runtime.versions()["numpy"] == numpy.__version__
    assert runtime.versions()["python"] == sys.version.split()[0]


def test_drive_cannot_be_mounted_outside_colab():
    with pytest.raises(UserError, match="on Colab only"):
        runtime.mount_drive()


def test_a_machine_without_graphics_card_has_no_gpu(monkeypatch):
    monkeypatch.setattr(runtime.shutil, "which", lambda name: None)
    assert runtime.gpu() is None


def test_check_says_that_all_is_ready(capsys):
    runtime.check()
    told = capsys.readouterr().out
    assert "Python" in told
    assert "memory free" in told
    assert "Attention" not in told


def test_check_says_what_is_missing_and_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setattr(
        runtime.importlib.util, "find_spec", lambda name: None if name == "skimage" else object()
    )
    runtime.check()
    assert "no scikit-image. Install them: pip install scikit-image." in capsys.readouterr().out


def test_too_little_memory_is_a_problem_with_a_remedy(monkeypatch):
    monkeypatch.setattr(runtime, "memory", lambda: runtime.Memory(runtime.GB, runtime.GB // 2, 0))
    assert any("0.5 GB. Close" in problem for problem in runtime.find_problems())


def test_a_keras_that_does_not_start_is_told_and_not_raised(monkeypatch):
    monkeypatch.setattr(runtime.sys, "executable", "/nowhere/python")
    trial = runtime.try_keras()
    assert not trial["works"]
    assert trial["message"]


def test_environment_is_set_and_removed(monkeypatch):
    monkeypatch.setenv("NBTOOLS_TRIAL", "1")
    runtime.set_environment(NBTOOLS_TRIAL="2")
    assert runtime.os.environ["NBTOOLS_TRIAL"] == "2"
    runtime.set_environment(NBTOOLS_TRIAL=None)
    assert "NBTOOLS_TRIAL" not in runtime.os.environ
