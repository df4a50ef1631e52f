"""Blocks on several processes or machines, by Dask: a worker that is lost costs its block only.

The blocks, and what a network makes of each, are the same whatever the number of workers: no block
and no tile is chosen by the memory that happens to be free, and each worker computes with one
thread. Dask hands blocks out, starts lost workers anew and gives their blocks to others (Rocklin
2015, doi:10.25080/Majora-7b98e3ed-013).
"""

from __future__ import annotations

import importlib.util
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType

import nbtools
from nbtools import runtime
from nbtools.errors import UserError
from nbtools.inference.tiled import fix_tiles

LARGEST = 2**22  # pixels of a block: many enough for all workers, and not by memory
TILE_BYTES = 2.0**29  # that a network takes for a tile
SLURM = "slurm"
TOGETHER = 1000  # blocks that are waited for at once
CHECK_SECONDS = 20.0  # after which it is looked whether workers are there
START_SECONDS = 300.0  # in which a worker must come
ANSWER_SECONDS = 30.0  # in which a scheduler must answer
TIMEOUTS = ("distributed.comm.timeouts.connect", "distributed.comm.timeouts.tcp")
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)
_LOCK = threading.Lock()  # networks run one block at a time in a process


class BlockPlugin:
    """What each worker is given once: the work on a block; workers that come later get it, too.

    Parameters
    ----------
    work : number of a block → None, as Dask sends it.
    """

    def __init__(self, work: bytes):
        self.work, self.version = work, nbtools.__version__
        self.run: Callable[[int], None] | None = None

    def setup(self, worker: object) -> None:
        """Dask calls it when a worker has come.

        Parameters
        ----------
        worker : of Dask.
        """
        if self.version != nbtools.__version__:
            raise UserError(
                "All workers must have the same version of nbtools.",
                f"{self.version} here, {nbtools.__version__} on a worker",
                "Start the workers from the environment that the command runs in.",
            )

    def teardown(self, worker: object) -> None:
        """Dask calls it when a worker goes."""

    def compute(self, index: int) -> None:
        """Compute a block; the work is unpacked for the first one.

        Parameters
        ----------
        index : of the block.
        """
        with _LOCK, fix_tiles(TILE_BYTES):
            if self.run is None:
                self.run = import_dask().protocol.deserialize_bytes(self.work)
            self.run(index)


def compute_block(name: str, index: int) -> UserError | None:
    """What a worker does for a block; a mistake of the user comes back as a value.

    Parameters
    ----------
    name : of the plugin.
    index : of the block.
    """
    worker = import_dask().get_worker()
    try:
        worker.plugins[name].compute(index)
    except UserError as error:
        return error
    return None


@dataclass
class DaskExecutor:
    """Runs blocks on the workers of a Dask cluster.

    Parameters
    ----------
    client : of `distributed`.
    local : whether the workers share the memory of this machine.
    """

    client: object
    local: bool = False
    largest: int = LARGEST

    def limit(self, needed: float) -> None:
        """Let as many workers go as the memory of this machine bears.

        Parameters
        ----------
        needed : bytes of a block.

        Raises
        ------
        UserError : not even one fits.
        """
        if not self.local:
            return
        free = float(runtime.memory().available)
        count = len(self.client.scheduler_info(n_workers=-1)["workers"])
        fitting = count_fitting(needed + TILE_BYTES, free=free)
        if fitting < count:
            raise UserError(
                "The blocks of all workers must fit into the memory that is free.",
                f"{count} workers with {(needed + TILE_BYTES) / 1e9:.1f} GB each, "
                f"{free / 1e9:.1f} GB free",
                f"Give --workers {fitting}." if fitting else "Leave out --workers.",
            )

    def __call__(self, run: Callable[[int], None], indices: Iterable[int]) -> Iterator[int]:
        """Run the blocks on all workers.

        Parameters
        ----------
        run : computes a block and keeps what it found, on a disk that all share.
        indices : of the blocks to compute.

        Yields
        ------
        The number of each block, once it is done.

        Raises
        ------
        UserError : a block cannot be computed, or took one worker after the other with it.
        """
        distributed = import_dask()
        name = f"nbtools-{uuid.uuid4().hex}"
        self.client.register_plugin(
            _make_plugin(distributed.protocol.serialize_bytes(run)), name=name
        )
        about = {"pure": False, "retries": 0}
        submitted = {
            self.client.submit(compute_block, name, index, key=f"{name}-{index}", **about): index
            for index in indices
        }
        try:
            while submitted:
                for future in self._wait(list(submitted)[:TOGETHER]):
                    index = submitted.pop(future)
                    _require_done(future, index, distributed=distributed)
                    yield index
        finally:
            self.client.cancel(list(submitted))
            self.client.unregister_worker_plugin(name)

    def _wait(self, futures: list) -> Iterable:
        """Those that are done, one at least; workers of this machine must not all be gone."""
        distributed, since = import_dask(), time.monotonic()
        while True:
            try:
                about = {"timeout": CHECK_SECONDS, "return_when": "FIRST_COMPLETED"}
                return distributed.wait(futures, **about).done
            except TimeoutError:
                if self.client.scheduler_info(n_workers=-1)["workers"]:
                    since = time.monotonic()
                elif self.local and time.monotonic() - since > START_SECONDS:
                    raise UserError(
                        "A prediction needs workers.",
                        f"none for {START_SECONDS:.0f} s: they were ended, or could not start",
                        "Go on with --resume; perhaps with fewer --workers.",
                    ) from None


def _make_plugin(work: bytes) -> object:
    """The plugin as a class of Dask's, which is imported only where it is used."""
    base = import_dask().WorkerPlugin
    return type("Plugin", (BlockPlugin, base), {})(work)


def _require_done(future: object, index: int, *, distributed: ModuleType) -> None:
    """Raise what a worker could not do."""
    try:
        mistake = future.result()
    except distributed.KilledWorker as error:
        raise UserError(
            "A block must be computed by a worker that is still there afterwards.",
            f"block {index}, with which one worker after the other was lost",
            "Give workers more memory, or take fewer of them.",
        ) from error
    if mistake is not None:
        raise mistake


def import_dask(name: str = "distributed") -> ModuleType:
    """The package distributed, or another module of Dask; a UserError without it."""
    why = "Several workers need the package distributed, of Dask."
    return runtime.require_package(name, extra="large", why=why)


def count_fitting(needed: float, *, free: float) -> int:
    """Number of blocks that fit into memory at once.

    Parameters
    ----------
    needed : bytes of one.
    free : bytes.

    Examples
    --------
    >>> count_fitting(1.5e9, free=7e9)
    4
    """
    return int(free // max(needed, 1.0))


@contextmanager
def open_executor(
    workers: int | None = None, *, scheduler: str | None = None
) -> Iterator[DaskExecutor]:
    """Start workers on this machine, or join those of a cluster.

    Parameters
    ----------
    workers : number of processes, on this machine or of SLURM; of a cluster that is there already,
        to wait for.
    scheduler : address of a Dask scheduler, as in tcp://node1:8786; or "slurm" for jobs of
        SLURM, whose queue and limits Dask's own settings tell; None for this machine.

    Yields
    ------
    The executor; workers that were started here are ended with it.

    Raises
    ------
    UserError : a package is missing, or no scheduler or worker answers.
    """
    distributed = import_dask()
    with ExitStack() as stack:
        if scheduler == SLURM:
            cluster = stack.enter_context(open_slurm())
            cluster.scale(jobs=workers or 1)
            client = stack.enter_context(distributed.Client(cluster))
        elif scheduler is not None:
            client = stack.enter_context(join_scheduler(scheduler))
        else:
            cluster = stack.enter_context(start_local(workers or 1))
            client = stack.enter_context(distributed.Client(cluster))
        if scheduler != SLURM:  # jobs may wait in their queue for hours
            wait_for_workers(client, workers or 1)
        yield DaskExecutor(client, local=scheduler is None)


def wait_for_workers(client: object, count: int) -> None:
    """Wait until so many workers have come; UserError where they do not.

    Parameters
    ----------
    client : of distributed.
    count : of workers.
    """
    try:
        client.wait_for_workers(count, timeout=START_SECONDS)
    except TimeoutError as error:
        found = len(client.scheduler_info(n_workers=-1)["workers"])
        raise UserError(
            "The workers of a prediction must answer.",
            f"{found} of {count} after {START_SECONDS:.0f} s",
            "Start workers: dask worker ADDRESS --nthreads 1; or give a smaller --workers.",
        ) from error


@contextmanager
def start_local(workers: int) -> Iterator[object]:
    """A cluster of single-threaded processes on this machine, reached from it alone.

    Parameters
    ----------
    workers : number of processes.

    Yields
    ------
    The cluster, of Dask.
    """
    distributed, config = import_dask(), import_dask("dask.config")
    secret = importlib.util.find_spec("cryptography") is not None
    patience = dict.fromkeys(TIMEOUTS, f"{START_SECONDS:.0f}s")  # machines may be busy
    about = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "processes": True,
        "host": "127.0.0.1",
        "dashboard_address": None,
        "memory_limit": 0,  # blocks are planned by memory; Dask has a measure of its own
        "silence_logs": 50,
        "security": secret or None,  # others on this machine cannot join
        "env": ONE_THREAD,
    }
    with config.set(patience), distributed.LocalCluster(**about) as cluster:
        yield cluster


def join_scheduler(address: str) -> object:
    """A client of a scheduler that runs already.

    Parameters
    ----------
    address : as in tcp://node1:8786.

    Raises
    ------
    UserError : nothing answers there.
    """
    distributed = import_dask()
    try:
        return distributed.Client(address, timeout=ANSWER_SECONDS)
    except (OSError, ValueError) as error:
        raise UserError(
            "A scheduler must answer at its address.",
            address,
            "Start one: dask scheduler; it prints its address, as in tcp://node1:8786.",
        ) from error


def open_slurm(**options: object) -> object:
    """A cluster of jobs of SLURM, each a worker with one thread.

    Parameters
    ----------
    options : of `dask_jobqueue.SLURMCluster`, such as queue, account, memory and walltime, where
        Dask's own settings (jobqueue.yaml) do not tell them.

    Raises
    ------
    UserError : the package dask-jobqueue is missing.
    """
    why = "Jobs of SLURM need the package dask-jobqueue."
    jobqueue = runtime.require_package("dask_jobqueue", extra="large", why=why)
    lines = [f"export {name}={value}" for name, value in ONE_THREAD.items()]
    usual = {"cores": 1, "processes": 1, "memory": "8GB", "job_script_prologue": lines}
    return jobqueue.SLURMCluster(**(usual | options))
