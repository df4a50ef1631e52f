"""What each way through few labels reaches, beside the same network with all labels, on DSB2018's
fluorescence set.

`python benchmarks/few_labels.py [--steps 200] [--seeds 1] [--only NAME ...] [--rows 4]`, with the
data sets under $NBTOOLS_DATA. Each row is one training of so many steps in a process of its own
(steps, so that a busy machine changes nothing; `--minutes 3` for a budget of time instead), which
`results/few_labels.json` and `.md` hold as soon as it is done; rows that are there are not measured
again, so that a long list can be measured in pieces. Thresholds are chosen on 12 images of `val`,
and the row is scored on the other 72; by these, settings may be chosen. At the end `--look` scores
the kept models on all images of `test`, once, and notes it in `results/looks.csv`.

- *weak labels* of all images: half of the nuclei unknown (-1); 20 % of the nuclei wrong (half of
  these left out, half moved by half their diameter), as they are and with label_noise=0.7; points
  and boxes that follow from the labels.
- *noise* of 10 or 20 grey values on all images, few of them labelled: `denoiseg` and `voidseg`
  learn from all images; the network alone is that of `denoiseg` with alpha=0, and sees the labelled
  images only, so that no patch of it is wasted.
- *ten labels* without noise: `border_unet` from these alone, begun with the encoder of `jigsaw` or
  `masked_image` that had as many steps on all images, and `mean_teacher` with all images.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import panel
from _runs import describe_machine

from nbtools import config, methods, simulate, training
from nbtools.data import DataSet, Sample

HERE = Path(__file__).resolve().parent
SET, JUDGES, RIM = "dsb2018_fluorescence", 12, 24
HEAD = """# Few labels

By `python benchmarks/few_labels.py`: one row a training of so many steps on one core, from
nothing, DSB2018's fluorescence images. AP at IoU 0.5, pooled: of 72 images of `val` that chose
nothing, and of one look at all images of `test`. 95 % intervals over images.
"""


@dataclass(frozen=True)
class Case:
    """One training.

    Parameters
    ----------
    words : method and settings, "name setting=value …".
    labels : "all", "half" of the nuclei, or "wrong" for a fifth of them.
    labelled : images with labels; None for all.
    others : whether the images without labels are learned from, too.
    noise : added to every image, in grey values.
    begin : name of the case whose encoder it starts from.
    """

    name: str
    words: str
    labels: str = "all"
    labelled: int | None = None
    others: bool = False
    noise: float = 0.0
    begin: str | None = None


WEAK = (
    Case("all labels", "border_unet"),
    Case("points", "point_supervised"),
    Case("boxes", "box_supervised"),
    Case("half of the nuclei", "border_unet", labels="half"),
    Case("20 % wrong, forgiven", "border_unet label_noise=0.7", labels="wrong"),
    Case("20 % wrong", "border_unet", labels="wrong"),
)
TEN = (
    Case("10 labels alone", "border_unet", labelled=10),
    Case("10 labels, mean teacher", "mean_teacher", labelled=10, others=True),
    Case("jigsaw", "jigsaw"),
    Case("10 labels after jigsaw", "border_unet", labelled=10, begin="jigsaw"),
    Case("masked image", "masked_image"),
    Case("10 labels after masked image", "border_unet", labelled=10, begin="masked image"),
)


def list_noisy(noise: float, labelled: int) -> tuple[Case, ...]:
    """The ways through noise, with so many labels."""
    about = {"labelled": labelled, "noise": noise}
    name = f"n{noise:g}, {labelled} labels"
    return (
        Case(f"{name}, denoiseg", "denoiseg", others=True, **about),
        Case(f"{name}, alone", "denoiseg alpha=0", **about),
        Case(f"{name}, voidseg", "voidseg", others=True, **about),
    )


# in order of worth: what a first hour should hold stands first
CASES = (
    *WEAK[:3],
    *list_noisy(20.0, 10)[:2],
    *WEAK[3:5],
    *TEN[:4],
    list_noisy(20.0, 10)[2],
    *list_noisy(20.0, 19)[:2],
    *TEN[4:],
    WEAK[5],
    *list_noisy(20.0, 304),
    *list_noisy(20.0, 76),
    *list_noisy(10.0, 10),
)


def main() -> None:
    args = parse()
    args.models.mkdir(parents=True, exist_ok=True)
    if args.row:
        print(json.dumps(measure(find_case(args.row), args)), flush=True)
        return
    if args.look:
        look(args)
        return
    left = args.rows
    for seed in range(args.seeds):
        for case in CASES:
            wanted = args.only is None or case.name in args.only
            done = find_row(read_rows(args.out), case.name, seed=seed) is not None
            if wanted and not done and left > 0:
                keep([run_row(case, seed, args=args)], args)
                left -= 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200, help="of each training")
    parser.add_argument("--minutes", type=float, help="of each training, instead of steps")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=[c.name for c in CASES], nargs="+")
    parser.add_argument("--rows", type=int, default=1000, help="measure at most so many rows")
    parser.add_argument("--images", type=int, help="of each part, for a trial")
    parser.add_argument("--models", type=Path, default=Path("runs/few_labels"), help="their folder")
    parser.add_argument("--look", action="store_true", help="score kept models on test, once")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def find_case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def read_rows(folder: Path) -> list[dict]:
    path = folder / "few_labels.json"
    return json.loads(path.read_text("utf-8"))["rows"] if path.is_file() else []


def find_row(rows: list[dict], name: str, *, seed: int) -> dict | None:
    return next((r for r in rows if (r["name"], r["seed"]) == (name, seed)), None)


def run_row(case: Case, seed: int, *, args: argparse.Namespace) -> dict:
    """Measure in a process of its own, since a budget in minutes counts from its start."""
    command = [sys.executable, __file__, "--row", case.name, "--seed", str(seed)]
    command += ["--models", str(args.models), *write_budget(args).split()]
    if args.images:
        command += ["--images", str(args.images)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def write_budget(args: argparse.Namespace) -> str:
    return f"--minutes {args.minutes:g}" if args.minutes else f"--steps {args.steps}"


def keep(rows: list[dict], args: argparse.Namespace) -> None:
    """Write rows among those measured before, as JSON and as a table."""
    known = {(r["name"], r["seed"]): r for r in [*read_rows(args.out), *rows]}
    order = {case.name: i for i, case in enumerate(CASES)}
    found = sorted(known.values(), key=lambda r: (order[r["name"]], r["seed"]))
    document = {
        "command": f"python benchmarks/few_labels.py {write_budget(args)}",
        "data": f"$NBTOOLS_DATA/{SET}",
        "machine": describe_machine(),
        "rows": found,
    }
    path = args.out / "few_labels.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(f"{HEAD}\n{write_table(found)}", encoding="utf-8")
    for row in rows:
        print(json.dumps(row), flush=True)


def write_table(rows: list[dict]) -> str:
    """The figures a reader looks for; a pretraining has none of its own."""
    names = ("row", "method", "labelled", "images", "noise", "core minutes", "steps", "val", "test")
    lines = ["| " + " | ".join(names) + " |", "| --- | --- |" + " ---: |" * (len(names) - 2)]
    for row in rows:
        cells = [row["name"], f"`{row['method']}`", str(row["labelled"]), str(row["images"])]
        cells += [f"{row['noise']:g}", f"{row['processor_seconds'] / 60:.1f}", str(row["steps"])]
        cells += [tell(row.get("val")), tell(row.get("test"))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def tell(score: dict | None) -> str:
    if score is None:
        return "–"
    if score["interval_95"] is None:  # of a single image
        return f"{score['ap50']:.3f}"
    low, high = score["interval_95"]
    return f"{score['ap50']:.3f} [{low:.3f}, {high:.3f}]"


def measure(case: Case, args: argparse.Namespace) -> dict:
    """Train, score on images of `val`, and keep the model."""
    rng = np.random.default_rng(args.seed)
    train, val = (read(part, case, args=args) for part in ("train", "val"))
    train = choose(case, train, rng=rng)
    words = case.words if args.minutes else f"{case.words} {divide_steps(args.steps)}"
    method = make(words)
    if case.begin is not None:
        source = methods.load(place(find_case(case.begin), args))
        method.start_from(source, parts="encoder")
    plan = training.TrainingPlan(seed=args.seed, minutes=args.minutes)
    started = time.process_time()
    judges = None if method.needs == () else DataSet.of(val[:JUDGES])
    history = method.fit(DataSet.of(train), judges, plan=plan)
    row = {"name": case.name, "seed": args.seed, "method": case.words, "steps": history.steps}
    row |= {"images": len(train), "labelled": count_labelled(method, train), "noise": case.noise}
    row |= {"processor_seconds": round(time.process_time() - started, 1)}
    method.save(place(case, args))
    return row if judges is None else row | {"val": score(method, val[JUDGES:] or val)}


def divide_steps(steps: int, *, epochs: int = 6) -> str:
    """Settings of a training of so many steps."""
    return f"epochs={epochs} steps_per_epoch={-(-steps // epochs)}"


def count_labelled(method: methods.Method, train: list[Sample]) -> int:
    return sum(s.label is not None for s in train) if method.needs else 0


def make(words: str) -> methods.Method:
    """A method by its name and settings, as on the command line."""
    name, *settings = words.split()
    return methods.get(name)(**methods.get(name).Settings.parse(settings))


def place(case: Case, args: argparse.Namespace) -> Path:
    """The folder of its model."""
    name = case.name.replace(" ", "_").replace(",", "").replace("%", "percent")
    return args.models / f"{name}_{args.seed}"


def read(part: str, case: Case, *, args: argparse.Namespace) -> list[Sample]:
    """The images of a part, with the noise of the case; the same noise in every case."""
    folder = Path(config.environment("NBTOOLS_DATA")) / SET / part
    samples = list(DataSet.open(folder))[: args.images]
    if not case.noise:
        return samples
    rng = np.random.default_rng([args.seed, len(part)])
    return [add_noise(rng, s, sigma=case.noise) for s in samples]


def choose(case: Case, train: list[Sample], *, rng: np.random.Generator) -> list[Sample]:
    """What a case learns from."""
    if case.labels == "half":
        return [hide_half(rng, s) for s in train]
    if case.labels == "wrong":
        return [s.replace(label=simulate.mislabel(s.label, share=0.2, rng=rng)) for s in train]
    if case.labelled is None:
        return train
    order = rng.permutation(len(train))[: case.labelled]
    return keep_labels(train, order) if case.others else [train[i] for i in order]


def score(method: methods.Method, samples: list[Sample]) -> dict:
    """AP at IoU 0.5 and mean AP, pooled, with an interval over images."""
    pairs = [(s.name, s.label, method.predict(s.image).labels) for s in samples]
    found = panel.score(pairs)
    figures = {"images": len(samples)} | {k: found[k] for k in ("ap50", "mean_ap")}
    figures["interval_95"] = found["interval_95"]["ap50"]
    figures["per_image"] = [round(r["ap50"], 4) for r in found["per_image"]]
    return figures


def look(args: argparse.Namespace) -> None:
    """Score the models of all rows that were not yet looked at on `test`, and note it."""
    for row in [r for r in read_rows(args.out) if "val" in r and "test" not in r]:
        case, args.seed = find_case(row["name"]), row["seed"]
        method = methods.load(place(case, args))
        row["test"] = score(method, read("test", case, args=args))
        keep([row], args)
        noted = {"weights": f"few labels: {row['name']}", "set": "dsb2018 test"} | row["test"]
        panel.note_look([noted], args.out / "looks.csv")


def keep_labels(samples: list[Sample], chosen: np.ndarray) -> list[Sample]:
    """The images with the labels of the chosen ones alone."""
    kept = set(chosen.tolist())
    return [s if i in kept else s.replace(label=None) for i, s in enumerate(samples)]


def add_noise(rng: np.random.Generator, sample: Sample, *, sigma: float) -> Sample:
    """The image with Gaussian noise of so many grey values."""
    pixels = sample.image.pixels.astype(np.float32)
    noisy = pixels + rng.normal(0, sigma, pixels.shape).astype(np.float32)
    return sample.replace(image=sample.image.replace(pixels=noisy))


def hide_half(rng: np.random.Generator, sample: Sample) -> Sample:
    """Half of the nuclei unknown, and all background but RIM px around the others."""
    names = np.unique(sample.label.pixels[sample.label.pixels > 0])
    kept = rng.permutation(names)[: -(-len(names) // 2)].tolist()
    return sample.replace(label=simulate.keep_nuclei(sample.label, kept, rim=RIM))


if __name__ == "__main__":
    main()
