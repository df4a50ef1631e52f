"""What the longer benchmarks share: run a command as a person would, and note what it printed, took
and said.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def nbtools(command: str, row: dict) -> dict:
    """Run a command, and note it in the row as a person would type it."""
    row["commands"].append(
        "nbtools "
        + " ".join(
            Path(w).name if w.startswith(tempfile.gettempdir()) else w for w in shlex.split(command)
        )
    )
    words = [os.path.expandvars(word) for word in shlex.split(command)]
    return spend([sys.executable, "-m", "nbtools.cli", *words, "--json", "--quiet"])


def spend(command: list[str]) -> dict:
    """{"document": what it printed, "seconds", "memory_gb": its peak}."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if child.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {child.returncode}.")
    memory = usage.ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    return {
        "document": json.loads(text),
        "seconds": time.monotonic() - started,
        "memory_gb": round(memory, 2),
    }


def time_call(call: Callable, *, repeats: int, warm_up: int = 0) -> tuple[float, object]:
    """Median seconds of some calls, after others that do not count; and the last answer."""
    seconds, answer = [], None
    for _ in range(warm_up + repeats):
        start = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[warm_up:]), answer


def count_cores() -> int:
    """Cores this process may use; all of them where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def describe_machine() -> dict:
    """What figures of a run depend on."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }
