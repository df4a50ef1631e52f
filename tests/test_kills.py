"""What a killed training or prediction leaves is enough to go on exactly."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "reliability" / "kills.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_killed_run_goes_on_as_if_nothing_had_been():
    """In a process of its own, which has run no network: it is forked. Long: kills.py alone."""
    words = [sys.executable, str(SCRIPT), "1", "2", "6", "--short"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_killed_decoding_leaves_the_old_result_or_the_new_one():
    words = [sys.executable, str(SCRIPT.with_name("kills_of_decode.py")), "--every", "3"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    killed, old, new, _ = map(int, re.findall(r"\b\d+\b", done.stdout))
    assert killed == old + new
    assert min(old, new) > 5
