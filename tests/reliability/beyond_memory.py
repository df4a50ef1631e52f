"""Images that memory cannot bear: refused from their header, before a network is loaded.

python tests/reliability/beyond_memory.py             all situations
python tests/reliability/beyond_memory.py --every 7   each seventh

Each is a process of its own under NBTOOLS_MEMORY, with images that take no room on the disk. It
must be refused (exit code 2) within 5 s of the processor, start included, with less memory than
allowed, and without TensorFlow. What can be done in blocks is done by benchmarks/blocks.py.
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import tifffile

SECONDS = 5.0  # of the processor, until a refusal
RUN = """
import sys
from nbtools.cli import main
code = main(sys.argv[1:])
sys.exit(90 if "tensorflow" in sys.modules else code)
"""
LOADED = 90  # exit code of a command that loaded TensorFlow
PLANES = ("nuclei2d", "nuclei2d_small", "nuclei2d_flows", "denoise2d")
POINTS = ("demo_kinet", "demo_nuclei_detection", "demo_sp_cnn")
CLASSICAL = ("otsu", "nlm", "blob_log")
UNITS = {"M": 2**20, "G": 2**30}
COLUMNS = ("refused", "done", "network loaded", "over 5 s", "over the cap", "traceback")


def build(place: Path) -> None:
    """Images that claim more pixels than their files hold on the disk."""
    shapes = {
        "deep.tif": ("ZYX", (400, 1500, 1500)),
        "movie.tif": ("TYX", (30, 6000, 6000)),
        "volumes.tif": ("TZYX", (20, 40, 1000, 1000)),
        "plane.tif": ("YX", (20000, 20000)),
        "set/images/a.tif": ("YX", (20000, 20000)),
        "set/labels/a.tif": ("YX", (20000, 20000)),
        "moving/images/a.tif": ("TYX", (30, 6000, 6000)),
    }
    for name, (axes, shape) in shapes.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"dtype": np.uint16, "photometric": "minisblack", "metadata": {"axes": axes}}
        tifffile.memmap(path, shape=shape, **about).flush()
    for kind in ("images", "labels"):
        write_png(place / "packed" / kind / "a.png", 13000)


def write_png(path: Path, side: int) -> None:
    """A PNG of 16 bit, all of one value: a few hundred kilobytes that hold `side`² pixels."""
    path.parent.mkdir(parents=True)
    pack, row = zlib.compressobj(6), b"\0" + b"\0\1" * side
    packed = b"".join(pack.compress(row) for _ in range(side)) + pack.flush()
    head = struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")):
            check = zlib.crc32(name + content)
            file.write(struct.pack(">I", len(content)) + name + content + struct.pack(">I", check))


def list_situations() -> list[tuple[str, str, str]]:
    """(row of the table, command line, memory) of each."""
    found = []
    for model in (*PLANES, *POINTS, *CLASSICAL):
        found.append(("`predict`, a movie", f"predict {model} movie.tif --out out", "2G"))
    for model in (*PLANES, *POINTS, "nuclei3d"):
        image = "deep.tif" if model == "nuclei3d" else "plane.tif"
        found.append(("`predict`, less than a block", f"predict {model} {image} --out out", "800M"))
    for model in POINTS:
        found.append(("`predict`, not in blocks", f"predict {model} plane.tif --out out", "4G"))
    found.append(("`predict`, a volume", "predict nuclei3d deep.tif --out out", "4G"))
    for model in ("nuclei3d", *CLASSICAL):
        found.append(("`predict`, a volume", f"predict {model} volumes.tif --out out", "2G"))
    for option in ("--raw", "--roi"):
        words = f"predict nuclei2d plane.tif --out out {option}"
        found.append(("options that need the whole image", words, "4G"))
    for words in (
        "evaluate set/labels set/labels --biaflows",
        "check set --fix fixed",
        "check set --save-pictures shown",
        "check moving",
        "check moving --fix fixed",
    ):
        found.append(("options that need the whole image", words, "2G"))
    for words in (
        "predict otsu packed/images --out out",
        "predict nuclei2d packed/images --out out",
        "measure packed/labels --out nuclei.csv",
        "evaluate packed/labels packed/labels",
        "check packed",
        "check packed --fix fixed",
        "train otsu packed --out model",
        "train fast_nuclei packed --out model",
    ):
        found.append(("PNG, which is decoded as a whole", words, "400M"))
    for method in ("otsu", "fast_nuclei", "n2v"):
        found.append(("`train`", f"train {method} moving --out model", "1G"))
    return found


def run(words: str, memory: str, *, place: Path) -> tuple[Counter, str]:
    """What a command did, by the names of the columns, and what it told."""
    environment = os.environ | {"NBTOOLS_MEMORY": memory, "OMP_NUM_THREADS": "1"}
    before = set(place.iterdir())
    with tempfile.TemporaryFile("w+") as out:
        command = [sys.executable, "-c", RUN, *words.split()]
        child = subprocess.Popen(command, cwd=place, env=environment, stdout=out, stderr=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    seconds, cap = usage.ru_utime + usage.ru_stime, float(memory[:-1]) * UNITS[memory[-1]]
    return Counter(
        {
            "refused": child.returncode == 2 and set(place.iterdir()) == before,
            "done": child.returncode in (0, 1),
            "network loaded": child.returncode == LOADED,
            "over 5 s": seconds > SECONDS,
            "over the cap": usage.ru_maxrss * 1024 > cap,
            "traceback": "Traceback" in text,
        }
    ), f"{child.returncode}, {seconds:.1f} s, {usage.ru_maxrss / 1e6:.2f} GB: {text[-300:]}"


def main() -> None:
    """Print the table; 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    args = parser.parse_args()
    rows: dict[str, Counter] = {}
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        for name, words, memory in list_situations()[:: args.every]:
            found, text = run(words, memory, place=Path(folder))
            row = rows.setdefault(name, Counter())
            row.update({"situations": 1} | found)
            well = found["refused"] and not any(found[c] for c in COLUMNS[1:])
            print(f"{'' if well else 'FAILED '}{memory} {words}: {text}", file=sys.stderr)
    rows["all"] = sum(rows.values(), Counter())
    print(f"| what is beyond the memory | situations | {' | '.join(COLUMNS)} |")
    print("| --- |" + " --: |" * (len(COLUMNS) + 1))
    for name, row in rows.items():
        numbers = (row[column] for column in ("situations", *COLUMNS))
        print(f"| {name} | {' | '.join(map(str, numbers))} |")
    every = rows["all"]
    failed = every["refused"] < every["situations"] or any(every[c] for c in COLUMNS[1:])
    sys.exit(failed)


if __name__ == "__main__":
    main()
