"""Twin of __main__: the command where `nbtools` is not on the path."""

import subprocess
import sys


def test_the_module_is_the_command():
    words = [sys.executable, "-m", "nbtools", "methods", "otsu"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("otsu")


def test_what_cannot_be_done_ends_with_2():
    words = [sys.executable, "-m", "nbtools", "methods", "no_such_method"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
