"""What a megapixel costs as images grow, from 1 to 1,000 megapixels in one run.

`python benchmarks/growth.py --verbs otsu measure evaluate --megapixels 1 4 16 64 256 1000`: the
commands as a person types them, under NBTOOLS_MEMORY, so that large images go in blocks. Seconds
are those of the processor, of the whole process tree, since other programs may share the machine;
those of the same command on 64 x 64 px are taken off, which are the start of the program. Small
images are many in a folder, so that each run has at least 16 megapixels. The images are those of
`blocks.py`. A flat line is the goal, within 10 %. Writes `results/growth.json`, a document a verb.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import tifffile
from _runs import describe_machine
from blocks import MODELS, TILE, spend, write_field

RESULTS = Path(__file__).resolve().parent / "results" / "growth.json"
NETWORKS = ("nuclei2d_small", "nuclei2d")
LEAST, TINY = 16, 64  # megapixels of a run; px of the image that tells the start
GOAL = 1.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = (*MODELS[:1], *NETWORKS, "measure", "evaluate")
    parser.add_argument("--verbs", nargs="+", choices=verbs, default=["otsu"])
    parser.add_argument("--megapixels", nargs="+", type=int, default=[1, 4, 16, 64, 256])
    parser.add_argument("--memory", default="4G", help="NBTOOLS_MEMORY")
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()))
    args = parser.parse_args()
    starts: dict[str, float] = {}
    for size in (0, *args.megapixels):
        with tempfile.TemporaryDirectory(dir=args.place) as folder:
            place = Path(folder)
            count = write_images(place, size)
            for verb in args.verbs:
                spent = spend(command_of(verb, place), memory=args.memory)
                if spent.code:
                    raise SystemExit(f"{verb} of {size} megapixels ended with {spent.code}.")
                if not size:
                    starts[verb] = spent.processor
                    continue
                each = (spent.processor - starts[verb]) / (size * count)
                about = {"megapixels": size, "images": count, "seconds_a_megapixel": round(each, 3)}
                peak = round(spent.peak / 2**30, 2)
                keep(verb, about | {"peak_gb": peak}, start=starts[verb], memory=args.memory)


def write_images(place: Path, size: int) -> int:
    """images/ and truth/ with images of so many megapixels, 0 for a tiny one; their number.

    The tiny one is the corner of one of 1 megapixel.
    """
    side = round(math.sqrt(max(size, 1)) * TILE)
    write_field(place, side=side, planes=0)
    count = max(1, math.ceil(LEAST / size)) if size else 1
    for kind in ("image", "truth"):
        (place / f"{kind}s").mkdir()
        file = place / f"{kind}.tif"
        for number in range(count):
            target = place / f"{kind}s" / f"{number:02d}.tif"
            if size:
                target.hardlink_to(file)
            else:
                tifffile.imwrite(target, tifffile.memmap(file)[:TINY, :TINY])
    return count


def command_of(verb: str, place: Path) -> list[str]:
    """The command line of a verb; labels that are measured and scored are the true ones."""
    if verb == "evaluate":
        return ["evaluate", f"{place}/truths", f"{place}/truths", "--json"]
    if verb == "measure":
        images = ["--images", f"{place}/images", "--out", f"{place}/nuclei.csv"]
        return ["measure", f"{place}/truths", *images]
    return ["predict", verb, f"{place}/images", "--out", f"{place}/{verb}"]


def keep(verb: str, row: dict, *, start: float, memory: str) -> None:
    """Add a row to the document of a verb, in place of one of its size of another day."""
    print(json.dumps({"verb": verb} | row), flush=True)
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    today = time.strftime("%Y-%m-%d")
    before = known.get(verb, {})
    rows = before.get("rows", []) if before.get("date") == today else []
    rows = [one for one in rows if one["megapixels"] != row["megapixels"]] + [row]
    rows.sort(key=lambda one: one["megapixels"])
    costs = [one["seconds_a_megapixel"] for one in rows]
    known[verb] = {
        "date": today,
        "machine": describe_machine(),
        "memory": memory,
        "seconds_of_the_start": round(start, 2),
        "rows": rows,
        "dearest_over_cheapest": round(max(costs) / min(costs), 2),
        "goal": GOAL,
    }
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
