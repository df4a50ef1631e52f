"""Hidden names of what is being written, and which of them a killed process left."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".nbtools-"  # of what is being written
TEMPORARY = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{6}}-\d+-[0-9a-f]{{8}}(\.[\w.]+)?")
LONGEST_SUFFIX = 12  # letters


def temporary_path(path: Path) -> Path:
    """A free hidden name beside a path: short, with its suffix, and with our process in it."""
    # two of them: writers tell .nii.gz and .ome.tif by both
    suffix = next((s for s in ("".join(path.suffixes[-2:]), path.suffix) if fits(s)), "")
    return path.with_name(f"{PREFIX}{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{suffix}")


def fits(suffix: str) -> bool:
    """Whether a suffix may stand in a temporary name: short, and of letters and digits."""
    return len(suffix) <= LONGEST_SUFFIX and suffix.replace(".", "").isalnum()


def is_leftover(name: str) -> bool:
    """Whether something was being written under this name, by a process that has ended."""
    if not name.startswith(PREFIX):
        return False
    host, number, *_ = (*name.removeprefix(PREFIX).split("-"), "", "")
    return host == _host() and number.isdecimal() and not _is_running(int(number))


def list_leftovers(folder: Path) -> Iterator[str]:
    """Names in a folder of what a process that has ended was writing."""
    if folder.is_dir():
        yield from (name for name in os.listdir(folder) if is_leftover(name))


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _is_running(number: int) -> bool:
    """Whether a process of this machine runs; on Windows, where a look could end it, True."""
    if number == os.getpid() or sys.platform == "win32":
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
