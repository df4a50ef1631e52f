"""The machine: Python, packages, memory, GPU and Colab."""

from __future__ import annotations

import contextlib
import hashlib
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
CGROUPS = Path("/sys/fs/cgroup")
DRIVE = "/content/drive"  # where Colab mounts Google Drive
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
    """Memory in bytes; the limit of a container counts as its total.

    Parameters
    ----------
    total : of the machine or container.
    available : not in use.
    process : in use by this process.
    """

    total: int
    available: int
    process: int


def is_colab() -> bool:
    """Whether this runs in Google Colab."""
    return "google.colab" in sys.modules or bool(os.environ.get("COLAB_RELEASE_TAG"))


def mount_drive(folder: str = DRIVE) -> Path:
    """Mount Google Drive on Colab; the browser asks for permission.

    Parameters
    ----------
    folder : mount point.

    Returns
    -------
    Path : the folder of the user's files.

    Raises
    ------
    UserError : this is not Colab.
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


def is_on_drive(path: str | Path) -> bool:
    """Whether a path lies on a mounted drive that buffers and delays what is written to it.

    That is Google Drive on Colab, and every folder that the environment variable NBTOOLS_DRIVE
    names.

    Parameters
    ----------
    path : nothing needs to be there yet.
    """
    place = Path(os.path.realpath(path))
    folders = (DRIVE, *_list_named_drives())
    return any(place.is_relative_to(os.path.realpath(folder)) for folder in folders)


def list_drives() -> list[Path]:
    """Folders of mounted drives, in which the user's files lie; [] without any."""
    places = (Path(DRIVE) / "MyDrive", *map(Path, _list_named_drives()))
    return [place for place in places if place.is_dir()]


def _list_named_drives() -> list[str]:
    return [text for text in os.environ.get("NBTOOLS_DRIVE", "").split(os.pathsep) if text]


def local_twin(path: str | Path) -> Path:
    """The folder of this machine that stands in for one on a drive; gone with the machine.

    Parameters
    ----------
    path : on the drive; the same path always has the same twin.
    """
    known = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / "nbtools" / known


def send_to_browser(path: str | Path) -> None:
    """Download a file from a Colab machine to the computer of the user.

    Parameters
    ----------
    path : of the file.

    Raises
    ------
    UserError : this is not Colab.
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
    """Memory of this machine, of the container it runs in, or what NBTOOLS_MEMORY allows.

    The environment variable NBTOOLS_MEMORY, as in 4G or 500M, caps what this process uses.

    Examples
    --------
    >>> memory().available <= memory().total
    True
    """
    system, process = psutil.virtual_memory(), psutil.Process().memory_info().rss
    total, available = system.total, system.available
    for limit, used in (*_list_container_limits(), (_read_cap(), process)):
        if limit is not None and limit < system.total:
            total, available = min(total, limit), min(available, max(limit - used, 0))
    return Memory(total, available, process)


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
    """Name of the first NVIDIA GPU, None without one.

    The driver is asked, so that no framework is loaded.
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
    """Versions of Python and of every package that results depend on; None where one is missing."""
    found = {name: _version(name) for name in PACKAGES}
    found["tensorflow"] = next((v for v in map(_version, TENSORFLOWS) if v), None)
    return {"python": platform.python_version(), **found}


def silence_tensorflow() -> None:
    """Use TensorFlow under Keras where nothing else is chosen, and switch off its log.

    Call it before Keras is loaded.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def load_quietly(module: str) -> ModuleType:
    """Import a module that loads Keras, without the log of TensorFlow."""
    silence_tensorflow()
    with suppress_tensorflow_log():
        return importlib.import_module(module)


def require_package(name: str, *, extra: str, why: str) -> ModuleType:
    """Import a package that only some installations have.

    Parameters
    ----------
    name : of the package and its module.
    extra : of nbtools, which installs it.
    why : the rule of the error, as a sentence with its full stop.

    Raises
    ------
    UserError : the package is not installed; the remedy is the command that installs it.
    """
    try:
        with suppress_tensorflow_log():
            return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            why,
            f"a Python without {name}",
            f"Type: pip install {' '.join(list_extra(extra) or [name])}.",
        ) from error


def list_extra(extra: str) -> list[str]:
    """Packages of an extra of nbtools, [] where there is none.

    An error names them rather than the extra: in an environment without this nbtools, the index of
    packages would give another project of the same name.

    Parameters
    ----------
    extra : its name, such as "track".

    Examples
    --------
    >>> list_extra("track")
    ['laptrack']
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        lines = importlib.metadata.requires("nbtools") or []
        marked = [line for line in lines if re.search(rf"extra == .{re.escape(extra)}\b", line)]
        return list(dict.fromkeys(re.match(r"[\w.-]+", line)[0] for line in marked))
    return []


@contextlib.contextmanager
def suppress_tensorflow_log() -> Iterator[None]:
    """Hold back what TensorFlow logs while it is loaded, whatever the log level is.

    TensorFlow writes to the standard error of the process, past Python. Everything else that is
    written there meanwhile appears afterwards.
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
    """What keeps the course from running here, each with its remedy; empty where all is well."""
    problems = []
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        problems.append(
            f"Python 3.11 to 3.13 is needed. Received: {platform.python_version()}. "
            "Make a new environment with one of these."
        )
    missing = [
        name for name in PACKAGES[1:] if importlib.util.find_spec(MODULES.get(name, name)) is None
    ]
    if missing:
        names = " ".join(missing).replace("tensorflow", "tensorflow-cpu")
        problems.append(
            f"All packages must be installed. Received: no {', '.join(missing)}. "
            f"Install them: pip install {names}."
        )
    free = memory().available / GB
    if free < 1.2:
        problems.append(
            f"About 1.2 GB of free memory is needed. Received: {free:.1f} GB. "
            "Close other notebooks and programs."
        )
    disk = shutil.disk_usage(Path.cwd()).free / GB
    if disk < 0.5:
        problems.append(
            f"Half a GB of free disk is needed. Received: {disk:.1f} GB. Delete old runs."
        )
    return problems


def check() -> None:
    """Print in a few lines whether this machine is ready: the first cell of every lesson."""
    silence_tensorflow()
    here, free = memory(), memory().available / GB
    place = "Google Colab" if is_colab() else platform.system()
    version = _version("nbtools") or "from a folder"
    print(f"nbtools {version} · Python {platform.python_version()} · {place}")
    room = f"{free:.1f} of {here.total / GB:.1f} GB memory free"
    print(f"{cores()} processor cores · {room} · {_format_gpu(gpu())}")
    if os.environ.get("NBTOOLS_FAST"):
        print("Smoke run: NBTOOLS_FAST shortens all training here, so results will be poor.")
    problems = find_problems()
    for problem in problems:
        print(f"Attention: {problem}")
    if not problems:
        print("All is ready.")


def doctor() -> dict:
    """Describe this machine: what is missing, and about how long things take here.

    It takes some seconds.

    Returns
    -------
    dict of plain values: python, platform, colab, cores, memory_gb, free_gb, disk_gb, gpu,
    packages, keras (loaded in a process of its own), gflops (measured), forecast
    [{what, minutes}], problems [text].
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
    """Load Keras in a process of its own.

    A TensorFlow that does not fit the processor ends the process that loads it.

    Returns
    -------
    dict : works, seconds, gpus, message (the last line of the error, "" where it works).
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
    """Speed of matrix products, which convolutions are made of.

    Parameters
    ----------
    size : rows and columns of the matrices.
    repeats : products; the fastest counts.

    Returns
    -------
    float : 10⁹ multiplications and additions per second.
    """
    import numpy as np

    matrix, seconds = np.ones((size, size), np.float32), []
    for _ in range(repeats):
        begin = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - begin)
    return 2 * size**3 / min(seconds) / 1e9


def _format_gpu(name: str | None) -> str:
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


def _list_container_limits() -> list[tuple[int | None, int]]:
    """Limit and use of each control group of this process, in bytes; files in memory are free."""
    found = []
    for folder in _list_cgroups():
        limit = _read_number(folder / "memory.max", folder / "memory.limit_in_bytes")
        used = _read_number(folder / "memory.current", folder / "memory.usage_in_bytes") or 0
        try:
            about = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            about = {}
        found.append((limit, max(0, used - int(about.get("inactive_file", 0)))))
    return found


def _list_cgroups() -> list[Path]:
    """The control group of this process and those above it, in version 2 and 1 of the system."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, kinds, path = (*line.split(":", 2), "", "")[:3]
        if kinds and "memory" not in kinds.split(","):
            continue
        base = CGROUPS / "memory" if kinds else CGROUPS
        inside = base / path.strip("/")
        folders += [inside, *(p for p in inside.parents if p.is_relative_to(base))]
    return list(dict.fromkeys(folders))


def _read_number(*paths: Path) -> int | None:
    for path in paths:
        with contextlib.suppress(OSError):
            text = path.read_text().strip()
            return int(text) if text.isdigit() else None
    return None


def _read_cap() -> int | None:
    """NBTOOLS_MEMORY in bytes, None where it is not set."""
    text = os.environ.get("NBTOOLS_MEMORY", "").strip().upper().removesuffix("B").removesuffix("I")
    if not text:
        return None
    power = 1 + "KMGT".index(text[-1]) if text[-1] in "KMGT" else 0
    try:
        return int(float(text[:-1] if power else text) * 1024**power)
    except ValueError:
        raise UserError(
            "NBTOOLS_MEMORY is a number of bytes.", text, "Write it as 4G or 500M."
        ) from None
