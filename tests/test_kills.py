"""What a killed training or prediction leaves is enough to go on exactly."""

import os
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
