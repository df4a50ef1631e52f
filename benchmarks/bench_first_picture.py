"""The first picture of lesson 00 in a fresh process, against a fresh process that does no more than
`import stardist.models`, by turns.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jupytext

LESSON = Path(__file__).resolve().parents[1] / "notebooks" / "src" / "00_start_here.py"
REPEATS = 3


def read_to_first_picture() -> str:
    """The code of the lesson's cells up to the first that shows an image; what widgets show in a
    notebook is left out.
    """
    code = [
        cell.source
        for cell in jupytext.read(LESSON).cells
        if cell.cell_type == "code" and "skip-execution" not in cell.metadata.get("tags", ())
    ]
    first = next(i for i, source in enumerate(code) if "nb.show." in source)
    return "\n".join(
        [*code[: first + 1], "import matplotlib.pyplot as plt; plt.gcf().canvas.draw()"]
    )


def time_process(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    return time.perf_counter() - begin


def main() -> None:
    """Print the ratio as JSON."""
    code = read_to_first_picture()
    pairs = [(time_process(code), time_process("import stardist.models")) for _ in range(REPEATS)]
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    row = {
        "what": "first picture of lesson 00 in a fresh process / import stardist.models alone",
        "ours": ours,
        "theirs": theirs,
    }
    print(json.dumps(row | {"ratio": theirs / ours, "unit": "s", "goal": "under 15 s"}))


if __name__ == "__main__":
    main()
