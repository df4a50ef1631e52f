"""How many hidden pixels a second Noise2Void learns from, beside careamics on the same two cores
with a network of the same size.

`python benchmarks/n2v_throughput.py --peer PYTHON`, PYTHON being that of a second environment with
`pip install torch careamics` (0.3.5 here): PyTorch and TensorFlow stay apart. Both sides learn from
the same images in turns, 64 x 64 patches, 16 a batch, 0.2 % of the pixels hidden; the first steps,
in which either side sets up its network, do not count. Writes `results/n2v_throughput.json` with
the median of the turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATCH, BATCH, PERCENT, WARM, STEPS = 64, 16, 0.2, 20, 60


class Timer:
    """Notes when each step ended; serves as a callback of either side."""

    def __init__(self):
        self.ends = []

    def on_step(self, step: int, logs: dict) -> None:
        self.ends.append(time.perf_counter())

    def rate(self) -> float:
        """Hidden pixels a second, after the warm-up."""
        steps = len(self.ends) - 1 - WARM
        return steps * BATCH * PATCH**2 * PERCENT / 100 / (self.ends[-1] - self.ends[WARM])


def run_ours(images: object) -> dict:
    from nbtools import data, methods, training
    from nbtools.image import Image

    about = {
        "epochs": 1,
        "steps_per_epoch": WARM + STEPS,
        "patch_size": PATCH,
        "batch_size": BATCH,
        "masked": PERCENT,
        "variant": "n2v",
    }
    method, timer = methods.get("n2v")(**about), Timer()
    train = data.DataSet.of(
        [data.Sample(str(i), Image(image, "YX")) for i, image in enumerate(images)]
    )
    method.fit(train, plan=training.TrainingPlan(callbacks=(timer,)))
    return {"rate": timer.rate(), "parameters": method.model.count_params()}


def run_theirs(images: object) -> dict:
    from careamics import CAREamist
    from careamics.config import create_n2v_config
    from lightning.pytorch.callbacks import Callback

    timer = Timer()

    class Watch(Callback):
        def on_train_batch_end(self, *_: object) -> None:
            timer.on_step(0, {})

    config = create_n2v_config(
        "throughput", "array", "SYX", [PATCH, PATCH], BATCH, num_epochs=1, num_steps=WARM + STEPS
    )
    with tempfile.TemporaryDirectory() as folder:
        peer = CAREamist(config, work_dir=folder, callbacks=[Watch()], enable_progress_bar=False)
        peer.train(train_data=images)
        return {"rate": timer.rate(), "parameters": sum(p.numel() for p in peer.model.parameters())}


def measure(python: str, side: str) -> dict:
    """One side in a process of its own."""
    done = subprocess.run(
        [python, __file__, "--side", side], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", metavar="PYTHON", help="Python of an environment with careamics")
    parser.add_argument("--side", choices=("ours", "theirs"), help="measure one side, and print it")
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    if args.side:
        import numpy as np

        images = np.random.default_rng(0).poisson(20, (WARM + STEPS, 256, 256)).astype(np.float32)
        print(json.dumps({"ours": run_ours, "theirs": run_theirs}[args.side](images)))
        return
    if not args.peer:
        raise SystemExit("Give --peer PYTHON, the Python of an environment with careamics.")
    turns = [
        (measure(sys.executable, "ours"), measure(args.peer, "theirs")) for _ in range(args.turns)
    ]
    ours, theirs = (statistics.median(turn[side]["rate"] for turn in turns) for side in (0, 1))
    document = {
        "what": "N2V: hidden training pixels a second, careamics on CPU",
        "ours": ours,
        "theirs": theirs,
        "ratio": ours / theirs,
    }
    document |= {"unit": "pixels/s", "goal": 2, "turns": turns, "date": time.strftime("%Y-%m-%d")}
    (HERE / "results" / "n2v_throughput.json").write_text(
        json.dumps(document, indent=1) + "\n", encoding="utf-8"
    )
    print(json.dumps(document))


if __name__ == "__main__":
    main()
