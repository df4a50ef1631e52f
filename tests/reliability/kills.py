"""Kill trainings and predictions, go on with --resume, and compare with a run that was not killed.

python tests/reliability/kills.py                  50 kills of trainings at random moments, 50 at
                                                   chosen file operations, and 30 of predictions
python tests/reliability/kills.py 8 8 4 --seed 1

Four methods learn four epochs in two and three dimensions. A chosen operation is one of those that
a whole run does in its folder, by number: before it, after it, or, of a write, after half of it.
Every run is a process of its own, forked from one that has loaded TensorFlow and run nothing, and
is ended by SIGKILL. A prediction is killed, killed again while it is resumed, and resumed.
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

METHODS = ("n2v", "unet", "flows", "fast_nuclei")
SETTINGS = (
    *("epochs=4", "steps_per_epoch=1", "batch_size=1", "patch_size=32"),
    *("preset=tiny", "augmentation=flips"),
)
SIMULATED = {2: ("nuclei2d", "64,64"), 3: ("nuclei3d", "10,48,48")}
IMAGES = 6
LONGEST = 1800.0  # seconds of a run
COLUMNS = ("killed", "equal", "fell back", "different", "failed", "lost", "leftovers")
PATCHED = ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "fsync", "truncate")


# --- a process that ends itself at a chosen operation


@dataclass
class Operations:
    """Counts the file operations in a folder, and ends the process at one of them.

    Parameters
    ----------
    place : only operations on paths in this folder count.
    at : number from 1 of the operation at which the process ends; None only counts.
    when : "before" it, "after" it, or "half" way through a write.
    log : a line per operation is written there; None writes none.
    """

    place: Path
    at: int | None = None
    when: str = "before"
    log: Path | None = None
    count: int = 0
    names: list[str] = field(default_factory=list)

    def install(self) -> None:
        """Put the counting functions in the place of those of `os` and of `open`."""
        for name in PATCHED:
            setattr(os, name, self._wrap(name, getattr(os, name)))
        self.open, self.write = builtins.open, os.write
        builtins.open = io.open = self._open
        os.open = self._wrap("open", os.open)

    def __call__(self, name: str, do: Callable, half: Callable | None = None) -> object:
        """Do an operation, or end the process before, within or after it."""
        self.count += 1
        mine = self.count == self.at
        self.names.append(name)
        if mine and self.when == "half" and half is not None:
            half()
        if mine and self.when != "after":
            os.kill(os.getpid(), signal.SIGKILL)
        result = do()
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def finish(self) -> None:
        """Write the names of the operations to the log."""
        if self.log is not None:
            os.write(os.open(self.log, os.O_WRONLY | os.O_CREAT), "\n".join(self.names).encode())

    def counts(self, path: object) -> bool:
        """Whether an operation on a path, or on an open file, is counted."""
        if isinstance(path, int):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{path}")
        return isinstance(path, str | Path) and Path(path).is_relative_to(self.place)

    def _wrap(self, name: str, function: Callable) -> Callable:
        def run(path: object, *args: object, **about: object) -> object:
            inside = about.get("dir_fd", path) if about.get("dir_fd") is not None else path
            writes = name != "open" or (args and args[0] & (os.O_WRONLY | os.O_RDWR))
            if not writes or not self.counts(inside):
                return function(path, *args, **about)
            return self(name, lambda: function(path, *args, **about))

        return run

    def _open(self, path: object, mode: str = "r", *args: object, **about: object) -> object:
        if set(mode) <= set("rbt") or isinstance(path, int) or not self.counts(path):
            return self.open(path, mode, *args, **about)
        raw = self("open", lambda: TornFile(path, mode.replace("b", "").replace("t", "")))
        raw.operations = self
        if args[:1] == (0,) or about.get("buffering") == 0:
            return raw
        binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return binary
        known = {k: v for k, v in about.items() if k in ("encoding", "errors", "newline")}
        return io.TextIOWrapper(binary, **({"encoding": "utf-8"} | known))


class TornFile(io.FileIO):
    """A file each write of which is an operation."""

    operations: Operations

    def write(self, data: object) -> int:
        view, write = memoryview(data).cast("B"), super().write
        return self.operations(
            "write", lambda: write(view), half=lambda: write(view[: len(view) // 2])
        )


# --- runs


def warm_up() -> None:
    """Load what a run loads, and run nothing of it: this process is forked."""
    from nbtools import runtime

    runtime.silence_tensorflow()
    runtime.load_quietly("nbtools.training")
    import nbtools.checks
    import nbtools.cli
    import nbtools.data
    import nbtools.inference.receptive_field
    import nbtools.report  # noqa: F401
    from nbtools import methods

    for name in METHODS:
        methods.get(name)


def fork(words: list, told: Path, *, operations: Operations | None = None) -> int:
    """Start a command line in a fork of this process; its number."""
    number = os.fork()
    if number:
        return number
    code = 70
    try:
        out = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        from nbtools import cli

        if operations is not None:
            operations.install()
        code = cli.main([str(word) for word in words])
        if operations is not None:
            operations.finish()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def wait(number: int, *, seconds: float = LONGEST) -> int | None:
    """Exit code of a fork; it is killed after some seconds, and None where it was killed."""
    ends = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None
        if time.monotonic() > ends:
            os.kill(number, signal.SIGKILL)
            os.waitpid(number, 0)
            return None
        time.sleep(0.005)


# --- what is compared


def same_weights(one: Path, other: Path) -> bool:
    """Whether two models have the same arrays and losses, bit for bit."""
    with np.load(one / "weights.npz") as a, np.load(other / "weights.npz") as b:
        same = a.files == b.files and all(np.array_equal(a[name], b[name]) for name in a.files)
    return same and read_losses(one) == read_losses(other)


def read_losses(model: Path) -> list[dict]:
    """The rows of history.csv, without the seconds."""
    from nbtools.io import read_csv

    rows = read_csv(model / "history.csv")
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def same_files(one: Path, other: Path) -> bool:
    """Whether two results have the same label images, outlines, maps and objects."""
    return read_results(one) == read_results(other)


def read_results(folder: Path) -> dict[str, bytes]:
    """Content of the files of a result that tell no time."""
    wanted = (*folder.rglob("*.tif"), *folder.rglob("*.png"), *folder.glob("objects.csv"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in wanted}


def list_leftovers(folder: Path) -> list[str]:
    """What a killed process left in a folder and beside it."""
    from nbtools.io.folders import PREFIX

    places = (*folder.parent.iterdir(), *folder.rglob("*"))
    hidden = [path.name for path in places if path.name.startswith(PREFIX)]
    return [name for name in hidden if not name.endswith("images.jsonl")]


def list_damaged(folder: Path, whole: Path) -> list[str]:
    """Files of a killed prediction that are neither whole nor hidden."""
    from nbtools.io.folders import PREFIX

    known, found = read_results(whole), read_results(folder)
    shown = {n: c for n, c in found.items() if not any(p[:9] == PREFIX for p in n.split("/"))}
    return [name for name, content in shown.items() if known.get(name) != content]


# --- attacks


@dataclass
class Job:
    """A command that is killed, with a run of it that was not.

    Parameters
    ----------
    words : of the command, without --out.
    place : for its outputs.
    same : (whole, resumed) → whether they are equal.
    """

    words: list
    place: Path
    same: Callable[[Path, Path], bool]
    operations: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Run the command to its end, once."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        self.whole, log = self.place / "whole" / "out", self.place / "operations.txt"
        self.whole.parent.mkdir()
        told, began = self.place / "whole.txt", time.monotonic()
        words = [*self.words, "--out", self.whole]
        code = wait(fork(words, told, operations=Operations(self.whole.parent, log=log)))
        if code != 0:
            raise RuntimeError(told.read_text())
        self.seconds = time.monotonic() - began
        self.operations = log.read_text().splitlines()

    def kill(self, folder: Path, rng: random.Random, *, chosen: bool, more: tuple = ()) -> bool:
        """Kill the command once; False where it ended before."""
        words, told = [*self.words, "--out", folder, *more], folder.parent / "told.txt"
        if not chosen:
            delay = rng.uniform(0.05, 0.95) * self.seconds
            return wait(fork(words, told), seconds=delay) is None
        at = rng.randrange(1, len(self.operations) + 1)
        writes = self.operations[at - 1] == "write"
        when = rng.choice(("before", "half", "after") if writes else ("before", "after"))
        return wait(fork(words, told, operations=Operations(folder.parent, at, when))) is None

    def attack(self, rng: random.Random, *, chosen: bool) -> tuple[Counter, str]:
        """Kill and resume; what came of it, and what was said where that is a fault."""
        if not self.operations:
            self.prepare()
        found, predicts = Counter(), self.words[0] == "predict"
        folder = self.place / f"{'chosen' if chosen else 'random'}" / "out"
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.parent.mkdir()
        told = folder.parent / "told.txt"
        found["killed"] += self.kill(folder, rng, chosen=chosen)
        if predicts and folder.is_dir():
            found["lost"] += bool(list_damaged(folder, self.whole))
            again = self.kill(folder, rng, chosen=rng.random() < 0.5, more=("--resume",))
            found["killed again"] += again
            found["lost"] += again and bool(list_damaged(folder, self.whole))
        code = wait(fork([*self.words, "--out", folder, "--resume"], told))
        said = told.read_text()
        if code != 0:
            found["failed"] += 1
            return found, said
        found["fell back"] += "the one before it is taken" in said
        equal = self.same(self.whole, folder)
        found["equal" if equal else "different"] += 1
        found["leftovers"] += bool(list_leftovers(folder))
        return found, "" if equal and not found["leftovers"] else f"{list_leftovers(folder)} {said}"


@dataclass
class Row:
    """A row of the table: jobs that are killed in turn until so many were.

    Parameters
    ----------
    name : of the row.
    jobs : to be killed.
    count : of kills.
    chosen : at chosen operations, else at random moments.
    rng : of moments and operations; each row is the same whatever the others do.
    """

    name: str
    jobs: list[Job]
    count: int
    chosen: bool
    rng: random.Random
    found: Counter = field(default_factory=Counter)
    tries: int = 0

    @property
    def done(self) -> bool:
        """Whether all kills were made, or too often the run had ended before."""
        return self.found["killed"] >= self.count or self.tries >= 3 * self.count

    def attack(self) -> None:
        """Kill the next job."""
        job = self.jobs[self.tries % len(self.jobs)]
        self.tries += 1
        found, fault = job.attack(self.rng, chosen=self.chosen)
        if not found["killed"]:
            return  # it had ended before: nothing is learned from it
        self.found += found
        sys.stderr.write(f"{self.name}: {job.place.name}, {dict(self.found)}\n")
        if fault:
            sys.stderr.write(f"FAULT {fault}\n")


def simulate(place: Path, ndim: int) -> Path:
    """A few small images with labels."""
    kind, shape = SIMULATED[ndim]
    words = ["simulate", kind, "--count", IMAGES, "--set", f"shape_px={shape}"]
    if wait(fork([*words, "--out", place], place.with_suffix(".txt"))):
        raise RuntimeError(place.with_suffix(".txt").read_text())
    return place


def list_training(place: Path, methods: list[str], dims: list[int]) -> list[Job]:
    """Trainings of all methods in all dimensions."""
    jobs = []
    for ndim in dims:
        data = simulate(place / f"data{ndim}d", ndim)
        more = ("patch_depth=8",) if ndim == 3 else ()
        for name in methods:
            words = ["train", name, data, "--set", *SETTINGS, *more]
            jobs.append(Job(words, place / f"train_{name}_{ndim}d", same_weights))
    return jobs


def list_predictions(place: Path, models: list[str]) -> list[Job]:
    """Predictions with outlines, and maps where there are any."""
    data = simulate(place / "data_predict", 2)
    jobs = []
    for name in models:
        words = ["predict", name, data, "--roi", *(["--raw"] if name == "nuclei2d" else [])]
        jobs.append(Job(words, place / f"predict_{name}", same_files))
    return jobs


def list_rows(counts: list[int], *, place: Path, seed: int, short: bool) -> list[Row]:
    """The rows of the table, before anything is killed.

    Parameters
    ----------
    counts : kills of trainings at random moments and at chosen operations, and of predictions.
    place : for all files.
    seed : of moments and operations.
    short : one method, in two dimensions.
    """
    methods, dims = (["n2v"], [2]) if short else (list(METHODS), [2, 3])
    training = list_training(place, methods, dims) if any(counts[:2]) else []
    models = ["otsu"] if short else ["otsu", "nuclei2d"]
    predictions = list_predictions(place, models) if counts[2] else []
    half = counts[2] // 2
    rows = [
        ("training, random moments", training, counts[0], False),
        ("training, chosen file operations", training, counts[1], True),
        ("`predict --resume`, random moments", predictions, half, False),
        ("`predict --resume`, chosen file operations", predictions, counts[2] - half, True),
    ]
    rngs = (random.Random(f"{seed} {number}") for number in range(len(rows)))
    return [Row(*row, rng) for row, rng in zip(rows, rngs, strict=True)]


def measure(rows: list[Row], *, seconds: float) -> None:
    """Kill in turn for all rows, until all are done or the time is over."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and any(not row.done for row in rows):
        for row in rows:
            if not row.done:
                row.attack()


def format_table(rows: list[Row]) -> str:
    """The counts as a table in Markdown."""
    lines = [f"| killed | {' | '.join(('number', *COLUMNS[1:]))} |"]
    lines.append("| --- |" + " --: |" * len(COLUMNS))
    for row in rows:
        lines.append(f"| {row.name} | {' | '.join(str(row.found[c]) for c in COLUMNS)} |")
    return "\n".join(lines)


def failed(rows: list[Row]) -> bool:
    """Whether any attack did harm."""
    total = sum((row.found for row in rows), Counter())
    return any(total[c] for c in ("different", "failed", "lost", "leftovers"))


def main() -> None:
    """Print the table of counts; 1 where anything went wrong, or too few were killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counts", type=int, nargs="*", default=[50, 50, 30])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="one method, in 2D")
    parser.add_argument("--minutes", type=float, default=600, help="stop after so many")
    args = parser.parse_args()
    warm_up()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        rows = list_rows(args.counts, place=place, seed=args.seed, short=args.short)
        measure(rows, seconds=60 * args.minutes)
    rows = [row for row in rows if row.count]
    print(format_table(rows))
    sys.exit(failed(rows) or any(row.found["killed"] < row.count for row in rows))


if __name__ == "__main__":
    main()
