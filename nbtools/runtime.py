"""The machine: Python, packages, memory, GPU, Colab; and what it means for the person in front of
it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import psutil

from nbtools.errors import UserError

GB = 2**30
PYTHONS = ((3, 11), (3, 13))
PACKAGES = (
    "nbtools",
    "numpy",
    "scipy",
    "scikit-image",
    "matplotlib",
    "tifffile",
    "tensorflow",
    "keras",
    "csbdeep",
    "stardist",
    "ipywidgets",
)
MODULES = {"scikit-image": "skimage"}
TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos")
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
STDERR = 2  # the process's, which libraries write to past Python
LOG = re.compile(
    r"absl::InitializeLog|oneDNN custom operations|cpu_feature_guard|rebuild TensorFlow with the "
    r"appropriate"
)
REFERENCE_GFLOPS = 140.0  # the two cores on which FORECAST was measured
FORECAST = (
    ("lesson 00, shipped weights", 27),
    ("the course, as a smoke run (make course)", 160),
    ("fast_nuclei trained to a first use", 300),
)


@dataclass(frozen=True)
class Memory:
    """Bytes of memory: in all, free, and taken by this process. A container's limit counts as its
    total.
    """

    total: int
    available: int
    process: int


def is_colab() -> bool:
    """Whether this runs in Google Colab."""
    return "google.colab" in sys.modules or bool(os.environ.get("COLAB_RELEASE_TAG"))


def mount_drive(folder: str = "/content/drive") -> Path:
    """Mount Google Drive on Colab and return the folder of your files; asks for permission in the
    browser.
    """
    if not is_colab():
        raise UserError(
            "Google Drive can be mounted on Colab only.",
            "another machine",
            "Give the path of a folder on this machine instead.",
        )
    from google.colab import drive

    drive.mount(folder)
    return Path(folder) / "MyDrive"


def send_to_browser(path: str | Path) -> None:
    """Save a file of a Colab machine on the computer of the person in front of it, as the browser
    saves downloads.
    """
    if not is_colab():
        raise UserError(
            "Only Colab sends files to the browser.",
            "another machine",
            f"Take the file from its folder: {path}.",
        )
    from google.colab import files

    files.download(str(path))


def memory() -> Memory:
    """Memory of this machine, or of the container it runs in.

    Examples
    --------
    >>> memory().available <= memory().total
    True
    """
    system, process = psutil.virtual_memory(), psutil.Process().memory_info().rss
    limit = _container_limit()
    if limit is None or limit >= system.total:
        return Memory(system.total, system.available, process)
    return Memory(limit, min(system.available, max(limit - process, 0)), process)


def process_seconds() -> float:
    """Seconds since this process started: what a budget of minutes counts."""
    if hasattr(
        time, "CLOCK_BOOTTIME"
    ):  # Linux, whose time of day at the start is known to a second only
        ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
    return time.time() - psutil.Process().create_time()


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu() -> str | None:
    """Name of the first NVIDIA graphics card, None without one; asks the driver, so that no
    framework is loaded.
    """
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(answer.stdout.strip().splitlines()), None)


def versions() -> dict[str, str | None]:
    """Version of Python and of every package a result depends on; None where one is not
    installed.
    """
    found = {name: _version(name) for name in PACKAGES}
    found["tensorflow"] = next((v for v in map(_version, TENSORFLOWS) if v), None)
    return {"python": platform.python_version(), **found}


def silence_tensorflow() -> None:
    """Keras on TensorFlow unless chosen otherwise, and no log lines of its own; must come before
    Keras is loaded.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def load_quietly(module: str) -> ModuleType:
    """A module that loads Keras, by its name, without a word of TensorFlow's."""
    silence_tensorflow()
    with hold_back_log():
        return importlib.import_module(module)


@contextlib.contextmanager
def hold_back_log() -> Iterator[None]:
    """While libraries are loaded: what TensorFlow logs of its start, whatever log level is asked
    for, does not reach the page.

    It writes to the standard error of the process, past Python. All else that is written there
    meanwhile follows afterwards.
    """
    try:
        usual = None if "tensorflow" in sys.modules else os.dup(STDERR)
    except OSError:  # this process has none
        usual = None
    if usual is None:
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), STDERR)
        try:
            yield
        finally:
            os.dup2(usual, STDERR)
            os.close(usual)
            held.seek(0)
            sys.stderr.write(
                "".join(
                    line
                    for line in held.read().decode(errors="replace").splitlines(True)
                    if not LOG.search(line)
                )
            )


def set_environment(**variables: str | None) -> None:
    """Set environment variables for this process and those it starts; None removes one."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def has_display() -> bool:
    """Whether a browser window can be opened for a person."""
    if os.environ.get("CI"):
        return False
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def find_problems() -> list[str]:
    """What keeps the course from running here, each with its remedy; empty when all is well."""
    problems = []
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        problems.append(
            f"Python 3.11 to 3.13 is needed. Received: {platform.python_version()}. Make a new "
            "environment with one of these."
        )
    missing = [
        name for name in PACKAGES[1:] if importlib.util.find_spec(MODULES.get(name, name)) is None
    ]
    if missing:
        names = " ".join(missing).replace("tensorflow", "tensorflow-cpu")
        problems.append(
            f"All packages must be installed. Received: no {', '.join(missing)}. Install them: "
            f"pip install {names}."
        )
    free = memory().available / GB
    if free < 1.2:
        problems.append(
            f"About 1.2 GB of free memory is needed. Received: {free:.1f} GB. Close other "
            "notebooks and programs."
        )
    disk = shutil.disk_usage(Path.cwd()).free / GB
    if disk < 0.5:
        problems.append(
            f"Half a GB of free disk is needed. Received: {disk:.1f} GB. Delete old runs."
        )
    return problems


def check() -> None:
    """Say in a few lines whether this machine is ready: the first cell of every lesson."""
    silence_tensorflow()
    here, free = memory(), memory().available / GB
    place = "Google Colab" if is_colab() else platform.system()
    print(
        f"nbtools {_version('nbtools') or 'from a folder'} · Python {platform.python_version()} "
        f"· {place}"
    )
    print(
        f"{cores()} processor cores · {free:.1f} of {here.total / GB:.1f} GB memory free · "
        f"{_say_gpu(gpu())}"
    )
    if os.environ.get("NBTOOLS_FAST"):
        print("Smoke run: NBTOOLS_FAST shortens all training here, so results will be poor.")
    problems = find_problems()
    for problem in problems:
        print(f"Attention: {problem}")
    if not problems:
        print("All is ready.")


def doctor() -> dict:
    """What this machine is, what is missing, and about how long things will take here; some
    seconds.

    Returns
    -------
    dict of plain values: python, platform, colab, cores, memory_gb, free_gb, disk_gb, gpu,
    packages, keras (a trial in its own process), gflops (measured), forecast [{what, minutes}],
    problems [text].
    """
    here, card, trial = memory(), gpu(), try_keras()
    problems = find_problems() + (
        []
        if trial["works"]
        else [
            f"Keras must start. Received: {trial['message']}. Reinstall: make clean, make course."
        ]
    )
    speed = measure_gflops()
    forecast = [
        {"what": what, "minutes": round(s / 60 * REFERENCE_GFLOPS / speed, 1)}
        for what, s in FORECAST
    ]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "colab": is_colab(),
        "cores": cores(),
        "memory_gb": round(here.total / GB, 1),
        "free_gb": round(here.available / GB, 1),
        "disk_gb": round(shutil.disk_usage(Path.cwd()).free / GB, 1),
        "gpu": card,
        "packages": versions(),
        "keras": trial,
        "gflops": round(speed, 1),
        "forecast": forecast,
        "problems": problems,
    }


def try_keras() -> dict:
    """Load Keras in a process of its own, since a TensorFlow that does not fit the processor ends
    the process that loads it.
    """
    silence_tensorflow()
    code = "import keras, tensorflow as t; print(len(t.config.list_physical_devices('GPU')))"
    begin = time.perf_counter()
    try:
        answer = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=300
        )
    except (OSError, subprocess.SubprocessError) as error:
        return {"works": False, "seconds": None, "gpus": 0, "message": str(error)}
    last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
    works = answer.returncode == 0
    gpus = int(answer.stdout.split()[-1]) if works else 0
    return {
        "works": works,
        "seconds": round(time.perf_counter() - begin, 1),
        "gpus": gpus,
        "message": "" if works else last,
    }


def measure_gflops(size: int = 768, repeats: int = 5) -> float:
    """Thousand million multiplications and additions a second, best of some matrix products: what
    convolutions are made of.
    """
    import numpy as np

    matrix, seconds = np.ones((size, size), np.float32), []
    for _ in range(repeats):
        begin = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - begin)
    return 2 * size**3 / min(seconds) / 1e9


def _say_gpu(name: str | None) -> str:
    if name:
        return f"GPU: {name}"
    return (
        "no GPU (Runtime > Change runtime type > T4 gives one)"
        if is_colab()
        else "no GPU: training takes minutes, not seconds"
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _container_limit() -> int | None:
    for path in CGROUP_LIMITS:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None
