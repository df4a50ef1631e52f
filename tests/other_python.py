"""Programs that we did not write, in a Python of their own: `make test-readers` names it."""

import functools
import json
import os
import subprocess
import sys

import pytest

# has readers whose versions of common packages may be others than those of nbtools
PYTHON = os.environ.get("READERS") or os.environ.get("BIOIMAGEIO_CORE") or sys.executable
ANSWER = "ANSWER: "


@functools.cache
def has(*packages: str) -> bool:
    """Whether that Python has these packages installed."""
    code = "import sys; from importlib.metadata import version; [version(p) for p in sys.argv[1:]]"
    words = [PYTHON, "-c", code, *packages]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip a test where that Python lacks one of these packages."""
    words = f"{' and '.join(packages)}: not installed; make test-readers installs what is needed"
    return pytest.mark.skipif(not has(*packages), reason=words)


def ask(code: str, *words: object) -> object:
    """Run code there; what it gives to `answer` comes back as plain values.

    nbtools cannot be imported there, so that nothing of ours reads what we wrote.
    """
    refuse = "import sys, json\nsys.modules['nbtools'] = None\n"
    tell = f"def answer(value):\n    print({ANSWER!r} + json.dumps(value))\n"
    program = [PYTHON, "-c", refuse + tell + code, *map(str, words)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ANSWER in done.stdout, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition(ANSWER)[2])
