"""Images larger than the memory: do predictions, scores and measurements stay within it, are their
labels those of the image in one piece, and what does a megapixel cost?

`python benchmarks/blocks.py --verbs otsu evaluate measure --side 20000 --memory 4G`: under
NBTOOLS_MEMORY, which the peak of the whole process tree, sampled every 50 ms, is held against. The
image is a simulated field of 1,000 x 1,000 px with its mirror images, side by side, written by
memory map. `--compare` predicts in one piece, too, and scores the one against the other. With
`--finer 5` each pixel of a volume is 5 x 5 pixels, of a fifth of the size, as a microscope has them
whose pixels are finer than those of a model.
`results/blocks.json` holds a row for each run; seconds are those of the processor, since other
programs may share it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import tifffile
from _runs import describe_machine

RESULTS = Path(__file__).resolve().parent / "results" / "blocks.json"
TILE, EVERY = 1000, 0.05  # px; seconds between two looks at the memory
PIECE_3D = (32, 200, 200)
MODELS = ("otsu", "nuclei2d", "nuclei3d")


@dataclass
class Spent:
    """What a command took.

    Parameters
    ----------
    code : how it ended.
    peak : bytes of the process tree, its resident memory.
    seconds, processor : on the clock, and of all processors.
    text : what it printed.
    """

    code: int
    peak: int
    seconds: float
    processor: float
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbs", nargs="+", choices=(*MODELS, "evaluate", "measure"))
    parser.add_argument("--side", type=int, default=4000, help="px; of volumes, of a plane")
    parser.add_argument("--planes", type=int, default=0, help="of a volume; 0 for an image")
    parser.add_argument("--finer", type=int, default=1, help="pixels of a volume's planes")
    parser.add_argument("--memory", default="4G", help="NBTOOLS_MEMORY")
    parser.add_argument("--compare", action="store_true", help="with the image in one piece")
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.place) as folder:
        place = Path(folder)
        write_field(place, side=args.side, planes=args.planes, finer=args.finer)
        result = None
        for verb in args.verbs:
            command = command_of(verb, place, result=result, finer=args.finer)
            if verb in MODELS:
                result = place / verb
            keep(run(verb, command, args=args))
            if args.compare and verb in MODELS:
                keep(compare(verb, place, args=args))


def write_field(place: Path, *, side: int, planes: int, finer: int = 1) -> None:
    """image.tif and truth.tif: a simulated piece and its mirror images until the side is full."""
    from nbtools import simulate

    kind = "nuclei3d" if planes else "nuclei2d"
    size = PIECE_3D if planes else (TILE, TILE)
    sample = simulate.make(kind, count=1, seed=5, settings={"shape_px": size})[0]
    for name, pixels in (("image", sample.image.pixels), ("truth", sample.label.pixels)):
        shape = (planes, side, side) if planes else (side, side)
        pixels = pixels.repeat(finer, axis=-1).repeat(finer, axis=-2)
        target = tifffile.memmap(
            place / f"{name}.tif",
            shape=shape,
            dtype=np.uint32 if name == "truth" else np.uint16,
            photometric="minisblack",
            metadata={"axes": "ZYX"[-len(shape) :]},
        )
        fill(target, pixels, number=name == "truth")
        target.flush()


def fill(target: np.ndarray, piece: np.ndarray, *, number: bool) -> None:
    """Pieces side by side, each second one mirrored; labels are numbered on."""
    counts = [-(-n // m) for n, m in zip(target.shape, piece.shape, strict=True)]
    step = int(piece.max()) + 1
    for order, at in enumerate(np.ndindex(*counts)):
        flips = tuple(slice(None, None, -1 if i % 2 else 1) for i in at)
        starts = [i * m for i, m in zip(at, piece.shape, strict=True)]
        place = tuple(
            slice(s, min(s + m, n))
            for s, m, n in zip(starts, piece.shape, target.shape, strict=True)
        )
        values = piece[flips][tuple(slice(p.stop - p.start) for p in place)].astype(target.dtype)
        if number:
            values = np.where(values > 0, values + order * step, 0)
        target[place] = values


def command_of(verb: str, place: Path, *, result: Path | None, finer: int = 1) -> list[str]:
    """The command line of a verb."""
    if verb in MODELS:
        size = ["--spacing", f"1,{1 / finer},{1 / finer}"] if finer > 1 else []
        return ["predict", verb, f"{place}/image.tif", "--out", f"{place}/{verb}", *size]
    if verb == "evaluate":
        return ["evaluate", f"{result}/image.tif", f"{place}/truth.tif", "--json"]
    images = ["--images", f"{place}/image.tif", "--out", f"{place}/nuclei.csv"]
    return ["measure", f"{result}", *images]


def run(verb: str, command: list[str], *, args: argparse.Namespace) -> dict:
    """A row: what the command took."""
    spent = spend(command, memory=args.memory)
    megapixels = args.side**2 * max(args.planes, 1) / 1e6
    row = {
        "name": f"{verb}, {shape_of(args)}",
        "verb": verb,
        "megapixels": megapixels,
        "memory": args.memory,
        "file_gb": round(2 * megapixels * 1e6 / 2**30, 2),
        "code": spent.code,
        "peak_gb": round(spent.peak / 2**30, 2),
        "seconds": round(spent.seconds, 1),
        "processor_seconds": round(spent.processor, 1),
        "per_megapixel": round(spent.processor / megapixels, 3),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
    }
    if verb == "evaluate" and spent.code == 0:
        scores = json.loads(spent.text)
        row["mean_ap"] = round(scores["mean_ap"], 4)
        row["true_nuclei"] = scores["per_image"][0]["n_true"]
    return row


def compare(verb: str, place: Path, *, args: argparse.Namespace) -> dict:
    """A row: labels in blocks against those of the image in one piece."""
    whole = place / f"{verb}_whole"
    command = command_of(verb, place, result=None, finer=args.finer)
    command[command.index("--out") + 1] = f"{whole}"
    direct = spend(command, memory="")
    scored = spend(["evaluate", f"{place / verb}", f"{whole}", "--json"], memory="")
    half = json.loads(scored.text)["pooled"]["0.90"]
    return {
        "name": f"{verb}, {shape_of(args)}, in blocks against one piece",
        "ap90": half["ap"],
        "nuclei": half["tp"] + half["fn"],
        "memory": args.memory,
        "processor_seconds_in_one_piece": round(direct.processor, 1),
        "peak_gb_in_one_piece": round(direct.peak / 2**30, 2),
        "date": time.strftime("%Y-%m-%d"),
    }


def shape_of(args: argparse.Namespace) -> str:
    sides = ([args.planes] if args.planes else []) + [args.side, args.side]
    finer = f", {args.finer} times as fine" if args.finer > 1 else ""
    return " x ".join(map(str, sides)) + finer


def spend(command: list[str], *, memory: str) -> Spent:
    """Run a command line of nbtools under a cap, and watch its process tree."""
    environment = dict(os.environ) | ({"NBTOOLS_MEMORY": memory} if memory else {})
    started, words = time.monotonic(), [sys.executable, "-m", "nbtools.cli", *command]
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(words, stdout=out, env=environment)
        peak: list[int] = [0]
        watch = threading.Thread(target=look, args=(child.pid, peak), daemon=True)
        watch.start()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        watch.join()
        out.seek(0)
        text = out.read()
    seconds = time.monotonic() - started
    return Spent(child.returncode, peak[0], seconds, usage.ru_utime + usage.ru_stime, text)


def look(number: int, peak: list[int]) -> None:
    """Note the largest resident memory of a process and its children, until it ends."""
    try:
        process = psutil.Process(number)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            family = [process, *process.children(recursive=True)]
            peak[0] = max(peak[0], sum(one.memory_info().rss for one in family))
            time.sleep(EVERY)
    except psutil.Error:
        return


def keep(row: dict) -> None:
    """Add a row to the results, in place of one of its name."""
    print(json.dumps(row))
    rows = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else []
    rows = [one for one in rows if one["name"] != row["name"]] + [row]
    RESULTS.write_text(json.dumps(sorted(rows, key=lambda r: r["name"]), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
