"""`import nbtools` against `import stardist.models`, each in fresh processes by turns."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

REPEATS = 3


def time_import(module: str) -> float:
    """Seconds of a fresh process that imports a module, the interpreter's own start among them."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    """Print the ratio as JSON."""
    pairs = [(time_import("nbtools"), time_import("stardist.models")) for _ in range(REPEATS)]
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    row = {
        "what": "a fresh process that imports nbtools / stardist.models",
        "ours": ours,
        "theirs": theirs,
        "ratio": theirs / ours,
        "unit": "s",
        "goal": "20 times sooner",
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
