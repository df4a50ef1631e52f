"""Kill `nbtools decode` that changes a result, at each of its file operations.

python tests/reliability/kills_of_decode.py             at each operation: before, half way, after
python tests/reliability/kills_of_decode.py --every 5   at each fifth

Each run is a process of its own, forked from one that has run nothing, and ended by SIGKILL. What
it leaves is looked at as the next verb does, and must be the result as it was, or as it is decoded,
in all its files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reliability import hostile_documents, kills

WORDS = ("--set", "threshold=0.7")
TIMES = ("seconds", "decoded_by")  # of result.json and summary.csv, which differ from run to run


def build(place: Path) -> Path:
    """A result with maps of two images, all files of which are ours."""
    from nbtools import io

    hostile_documents.build(place)
    raw = place / "raw"
    for path in (raw / "im0.tif", raw / "raw" / "im0.maps.tif"):
        shutil.copyfile(path, path.with_name(path.name.replace("im0", "im1")))
    about = json.loads((raw / "result.json").read_text())
    about["images"] += [about["images"][0] | {"name": "im1"}]
    (raw / "result.json").write_text(json.dumps(about))
    for name in ("overlays/im0.png", "report.html"):
        (raw / name).parent.mkdir(exist_ok=True)
        (raw / name).write_text("of the old labels")
    io.add_to_mark(raw, [p for p in raw.rglob("*") if p.is_file()])
    return raw


def describe(folder: Path) -> dict[str, object]:
    """All files of a result by name, without times; hidden ones are left out."""
    from nbtools import io

    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name.startswith(".nbtools"):
            continue
        found[name] = path.read_bytes()
        if name == "result.json":
            about = json.loads(found[name])
            rows = [{k: v for k, v in row.items() if k not in TIMES} for row in about["images"]]
            found[name] = {k: v for k, v in about.items() if k not in TIMES} | {"images": rows}
        if name == "summary.csv":
            rows = io.read_csv(path)
            found[name] = [{k: v for k, v in row.items() if k not in TIMES} for row in rows]
    return found


def run(result: Path, home: Path, **about: object) -> int | None:
    """Decode a result in a fork; the exit code, None where it was killed."""
    operations = kills.Operations(result, **about)
    return kills.wait(
        kills.fork(["decode", result, *WORDS], home / "told.txt", operations=operations)
    )


def attack(home: Path, *, every: int = 1) -> tuple[Counter, list[str]]:
    """Kill a decoding at its operations; counts of what was left, and what failed.

    Parameters
    ----------
    home : an empty folder.
    every : kill at each of so many operations.
    """
    from nbtools import tasks

    base, place, log = build(home / "base"), home / "result", home / "log.txt"
    shutil.copytree(base, place)
    if run(place, home, log=log) != 0:
        return Counter(), [(home / "told.txt").read_text()]
    old, new = describe(base), describe(place)
    names = log.read_text().splitlines()
    counts, failures = Counter(killed=0, old=0, new=0), []
    for number in range(1, len(names) + 1, every):
        halves = ("half",) if names[number - 1] == "write" else ()
        for when in ("before", *halves, "after"):
            shutil.rmtree(place)
            shutil.copytree(base, place)
            code = run(place, home, at=number, when=when)
            if code == 0:  # an operation that fails, as a folder made again, ends nobody
                continue
            counts["killed"] += code is None
            tasks.reading.require_existing(place, "The result")
            left = describe(place)
            counts["old"] += left == old
            counts["new"] += left == new
            if code is not None or left not in (old, new):
                odd = [n for n in {*left, *new} if left.get(n) != new.get(n)]
                failures.append(f"{when} {number}, {names[number - 1]}: {code}, {odd}")
    if run(place, home) != 0 or describe(place) != new:
        failures.append("decoding again after a kill")
    hidden = [p.name for p in place.iterdir() if p.name.startswith(".nbtools-")]
    return counts, failures + [f"left behind: {name}" for name in hidden]


def main() -> None:
    """Print the counts, and what failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        counts, failures = attack(Path(folder).resolve(), every=args.every)
    numbers = f"{counts['killed']} | {counts['old']} | {counts['new']} | {len(failures)}"
    print("| killed | number | the result as it was | as it is decoded | neither |")
    print("| --- | --: | --: | --: | --: |")
    print(f"| `decode` of a result, each file operation | {numbers} |")
    print(*failures, sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
