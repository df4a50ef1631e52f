"""Blocks on several workers: the same labels, whatever their number and whoever is lost."""

import os
import re
import signal
import sys
import time

import numpy as np
import pytest
from drawn_cells import draw_cells, store

from nbtools import io, methods
from nbtools.cli import main
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference import workers
from nbtools.inference.block_store import BlockStore, Found
from nbtools.inference.blocks import BlockPlan, compute
from nbtools.inference.schedule import make_schedule
from nbtools.methods import large
from nbtools.metrics.instances import score

distributed = pytest.importorskip("distributed", reason="needs the package distributed, of Dask")

SLURM_SCRIPT = """#!/usr/bin/env bash

#SBATCH -J dask-worker
#SBATCH -p cpu
#SBATCH -A lab
#SBATCH -n 1
#SBATCH --cpus-per-task=1
#SBATCH --mem=8G
#SBATCH -t 02:00:00
export OMP_NUM_THREADS=1
export MKL_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1
export NUMBA_NUM_THREADS=1
export TF_NUM_INTRAOP_THREADS=1
export TF_NUM_INTEROP_THREADS=1
python -m distributed.cli.dask_worker ADDRESS --name dummy-name --nthreads 1 \
--memory-limit 7.45GiB --nanny --death-timeout 60
"""
LARGEST = 80_000  # pixels of a block, so that small images have several


@pytest.fixture(scope="module")
def cluster():
    """Processes on this machine, as many as a test asks for."""
    with workers.start_local(1) as started:
        yield started


@pytest.fixture
def join(cluster):
    """An executor with some workers."""
    clients = []

    def start(count):
        cluster.scale(count)
        client = distributed.Client(cluster)
        clients.append(client)
        workers.wait_for_workers(client, count)
        return workers.DaskExecutor(client, local=True, largest=LARGEST)

    yield start
    for client in clients:
        client.close()


def test_labels_are_the_same_whatever_the_number_of_workers(tmp_path, join):
    grey, _ = draw_cells((300, 280))
    image, found = store(tmp_path / "a.raw", grey), {}
    for count in (1, 2, 4):
        executor, said = join(count), []
        about = {"folder": tmp_path / f"{count}", "executor": executor, "say": said.append}
        model = methods.load("otsu")
        found[count] = large.predict_stored(model, image, **about).labels.pixels[...]
        assert sum(text.startswith("block") for text in said) >= 4
    assert found[1].max() > 30
    assert np.array_equal(found[1], found[2])
    assert np.array_equal(found[1], found[4])


def test_a_network_travels_to_workers_and_finds_what_one_finds(tmp_path, join):
    grey, _ = draw_cells((330, 300))
    image, found = store(tmp_path / "a.raw", grey), []
    for count in (1, 2):
        about = {"folder": tmp_path / f"{count}", "executor": join(count)}
        result = large.predict_stored(methods.load("nuclei2d"), image, **about).result
        found.append((result.image.pixels[...], result.score))
    assert found[0][0].max() > 30
    assert np.array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def count_runs(folder, index):
    """A mark for each time that a block is computed."""
    with (folder / f"run-{index}").open("a") as file:
        file.write("x")
    return len((folder / f"run-{index}").read_text())


def test_killed_workers_cost_their_blocks_only(tmp_path, join):
    plan, marks = BlockPlan((40, 30), (10, 10), (2, 2)), tmp_path / "marks"
    marks.mkdir()
    killed = (1, 5, 9)  # of twelve blocks

    def work(block):
        times = count_runs(marks, block.index)
        if block.index in killed and times == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return Found(np.full(block.shape, block.index + 1, np.int32))

    kept = BlockStore(tmp_path / "kept", plan)
    compute(plan, work, store=kept, executor=join(2))
    for index in range(12):
        assert set(np.unique(kept.load(index)[0])) == {index + 1}
        times = len((marks / f"run-{index}").read_text())
        assert times == (2 if index in killed else 1)


def test_a_block_that_takes_every_worker_with_it_is_named(tmp_path, join):
    plan = BlockPlan((20, 10), (10, 10), (0, 0))

    def work(block):
        if block.index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return Found(np.zeros(block.shape, np.int32))

    kept = BlockStore(tmp_path / "kept", plan)
    with pytest.raises(UserError, match="block 1, with which one worker after the other was lost"):
        compute(plan, work, store=kept, executor=join(2))
    assert kept.has(0)


def test_a_mistake_on_a_worker_is_told_as_one_here(tmp_path, join):
    plan = BlockPlan((10, 10), (10, 10), (0, 0))

    def work(block):
        raise UserError("A rule.", "something else", "A remedy.")

    with pytest.raises(UserError, match="A rule. Received: something else"):
        compute(plan, work, store=BlockStore(tmp_path, plan), executor=join(1))


def test_what_reaches_another_disk_is_missed(tmp_path, join):
    plan, elsewhere = BlockPlan((10, 10), (10, 10), (0, 0)), tmp_path / "elsewhere"
    kept = BlockStore(tmp_path / "here", plan)

    def work(block):
        kept.folder.rename(elsewhere)  # as on a machine with a disk of its own
        kept.folder.mkdir()
        return Found(np.zeros(block.shape, np.int32))

    executor = join(1)

    class Forgetful(type(executor)):
        def __call__(self, run, indices):
            for index in super().__call__(run, indices):
                kept.path(index).unlink(missing_ok=True)
                yield index

    forgetful = Forgetful(executor.client, executor.local, executor.largest)
    with pytest.raises(UserError, match="TMPDIR"):
        compute(plan, work, store=kept, executor=forgetful)


def test_workers_that_memory_does_not_bear_are_refused(join):
    with pytest.raises(UserError, match="Leave out workers"):
        join(2).limit(1e15)
    workers.DaskExecutor(None, local=False).limit(1e15)  # the memory of others is not known


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(workers, "ANSWER_SECONDS", 2.0)
    with (
        pytest.raises(UserError, match="tcp://127.0.0.1:9"),
        workers.open_executor(scheduler="tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="SLURM is not there")
def test_jobs_of_slurm_are_as_stored():
    pytest.importorskip("dask_jobqueue", reason="needs the package dask-jobqueue")
    options = {"queue": "cpu", "account": "lab", "walltime": "02:00:00", "memory": "8GB"}
    with workers.open_slurm(**options, python="python") as cluster:
        script = cluster.job_script()
    address = re.search(r"tcp://\S+", script).group()
    assert script.replace(address, "ADDRESS") == SLURM_SCRIPT


def test_a_simulated_cluster_of_64_blocks_is_scheduled():
    plan = BlockPlan((20_000, 20_000), (2500, 2500), (150, 150))
    schedule = make_schedule(plan, 8, bytes_per_pixel=100)
    assert sorted(index for own in schedule.blocks for index in own) == list(range(64))
    assert [len(own) for own in schedule.blocks] == [8] * 8
    pixels = [(2500 + 150) ** 2, (2500 + 150) * 2800, 2800**2]  # corners, sides, inside
    assert sum(schedule.loads) == 4 * pixels[0] + 24 * pixels[1] + 36 * pixels[2]
    assert 0.95 < schedule.efficiency <= 1
    lines = schedule.list_lines()
    assert lines[0].startswith("20000 x 20000 px: 64 blocks of 2500 x 2500 px")
    assert sum(line.startswith("worker") for line in lines) == 8
    alone = make_schedule(plan, 100, bytes_per_pixel=100)
    assert alone.efficiency < 0.64  # 36 workers have nothing to do


def test_more_workers_than_blocks_are_told_and_nothing_is_computed(tmp_path, capsys):
    rng = np.random.default_rng(0)
    io.write_image(tmp_path / "a.tif", Image(rng.integers(0, 99, (300, 200), np.uint8), "YX"))
    words = ["predict", "nuclei2d", f"{tmp_path}/a.tif", "--out", f"{tmp_path}/out"]
    assert main([*words, "--workers", "3", "--plan"]) == 0
    said = capsys.readouterr().out
    assert "1 block of 30" in said
    assert "worker 2: 0 blocks" in said
    assert not (tmp_path / "out").exists()


def test_the_command_starts_workers_and_ends_them(tmp_path, monkeypatch, capsys):
    grey, _ = draw_cells((200, 220))
    io.write_image(tmp_path / "a.tif", Image(grey, "YX"))
    monkeypatch.setattr(workers, "LARGEST", 10_000)
    words = ["predict", "otsu", f"{tmp_path}/a.tif", "--out", f"{tmp_path}/out", "--workers", "1"]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "Workers are started" in said
    assert "goes to several workers" in said
    whole = methods.load("otsu").predict(Image(grey, "YX")).labels.pixels
    found = io.read_label(tmp_path / "out" / "a.tif").pixels
    assert score(whole, found.astype(int), iou=0.9).ap >= 0.999
    assert main([*words, "--resume", "--workers", "2"]) == 0  # nothing is left to do
    assert "Workers are started" not in capsys.readouterr().err
