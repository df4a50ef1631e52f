"""Volumes made of masks, or the plain simulation: which teaches more about real volumes?

`python benchmarks/synthetic.py [--minutes 3]`, with the data sets under $NBTOOLS_DATA. Learned from
are 12 simulated volumes with exact labels and, by the translator, three of the six crops of
`confocal_cells_3d` without their labels; the other three are scored. The simulation is told the
pixel size of the crops and nothing else.

- *plain*: `fast_nuclei` from the simulated images.
- *deepsynth*: from the same masks, in images that its translator makes of them.
- *otsu*: nothing to train.

Each row is a process of its own; AP at IoU 0.5 is pooled. Written to `results/synthetic.json`;
rows that are there are not measured again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import panel
from _runs import describe_machine

from nbtools import config, methods, simulate, training
from nbtools.data import DataSet, Sample

HERE = Path(__file__).resolve().parent
SET, SIMULATED = "confocal_cells_3d", 12
ROWS = {"plain": "fast_nuclei", "deepsynth": "deepsynth", "otsu": "otsu"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(args.row, minutes=args.minutes)))
        return
    path = args.out / "synthetic.json"
    rows = json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []
    for name in ROWS:
        if name in {row["name"] for row in rows}:
            continue
        command = [sys.executable, __file__, "--row", name, "--minutes", str(args.minutes)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        about = {"command": f"python benchmarks/synthetic.py --minutes {args.minutes:g}"}
        about |= {"data": f"$NBTOOLS_DATA/{SET}", "machine": describe_machine(), "rows": rows}
        path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(rows[-1]), flush=True)


def measure(name: str, *, minutes: float) -> dict:
    """One row: trained, and scored on the crops that nothing was learned from."""
    folder = Path(config.environment("NBTOOLS_DATA")) / SET / "all"
    crops = list(DataSet.open(folder))
    seen, kept = crops[::2], crops[1::2]
    method = methods.get(ROWS[name])()
    started, row = time.monotonic(), {"name": name, "method": ROWS[name]}
    if name != "otsu":
        plan = training.TrainingPlan(seed=0, minutes=minutes)
        train = make_volumes(seen, translated=name == "deepsynth")
        history = method.fit(DataSet.of(train), plan=plan)
        row |= {"steps": history.steps, "seconds": round(time.monotonic() - started, 1)}
    pairs = [(s.name, s.label, method.predict(s.image).labels) for s in kept]
    scores = panel.score(pairs)
    kinds = ("ap50", "mean_ap", "interval_95", "nuclei", *panel.MISTAKES)
    return row | {"kept": [s.name for s in kept]} | {k: scores[k] for k in kinds}


def make_volumes(seen: list[Sample], *, translated: bool) -> list[Sample]:
    """Simulated volumes; where their masks are to be translated, with real ones beside them."""
    settings = {"spacing_um": seen[0].image.spacing, "shape_px": (24, 96, 96)}
    volumes = simulate.make("nuclei3d", count=SIMULATED, seed=0, settings=settings)
    if not translated:
        return list(volumes)
    return [sample.replace(unpaired=seen[i % len(seen)].image) for i, sample in enumerate(volumes)]


if __name__ == "__main__":
    main()
