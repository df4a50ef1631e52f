"""Run the short benchmarks one after the other and write RESULTS.md: ratios, both sides measured in
one run.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Every bench_*.py, or those named; 1 if one of them failed."""
    scripts = [HERE / f"bench_{name}.py" for name in sys.argv[1:]] or sorted(
        HERE.glob("bench_*.py")
    )
    rows = [row for script in scripts if (row := run(script))]
    (HERE / "RESULTS.md").write_text(write_results(rows), encoding="utf-8")
    print(write_results(rows))
    return 0 if len(rows) == len(scripts) else 1


def run(script: Path) -> dict | None:
    """The JSON document that a benchmark prints last, after what other tools print; None if it
    failed.
    """
    print(f"{script.stem} …", file=sys.stderr, flush=True)
    answer = subprocess.run(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False
    )
    return json.loads(answer.stdout.splitlines()[-1]) if answer.returncode == 0 else None


def write_results(rows: list[dict]) -> str:
    """A table of ratios, with the machine they were measured on."""
    machine = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"
    head = f"# Results\n\n{time.strftime('%Y-%m-%d')}, {machine}. By `make bench`.\n\n"
    table = "| what | ours | theirs | ratio | goal |\n| --- | --- | --- | --- | --- |\n"
    lines = [
        (
            f"| {r['what']} | {r['ours']:.3g} {r['unit']} | {r['theirs']:.3g} {r['unit']} | "
            f"{r['ratio']:.1f} | {r['goal']} |"
        )
        for r in rows
    ]
    return head + table + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
