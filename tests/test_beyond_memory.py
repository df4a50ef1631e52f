"""What memory cannot bear is refused from its header, whatever the verb: a few of the attacks."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "reliability" / "beyond_memory.py"


def test_what_memory_cannot_bear_is_refused_before_a_network_is_loaded():
    words = [sys.executable, str(SCRIPT), "--every", "6"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
