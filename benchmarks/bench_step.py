"""Seconds per training step of each network, in 2D and 3D, with the tiny and the default preset.

A step draws a batch and learns from it, as users wait for it: the median time between the ends of
two steps, without the first steps, which compile. For comparison, a step of the network of the
stardist package, on a batch in memory. Some cases alone: `bench_step.py unet_2D_tiny …`.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _runs import time_call

from nbtools import data, methods, simulate, training

STEPS = {"tiny": 14, "default": 7}
WARM_UP = 3  # steps that compile, or that find the queue of batches full
SHAPES = {2: (256, 256), 3: (24, 96, 96)}
PEER = "fast_nuclei_2D_default"


class Clock:
    """A callback that notes when each step ends, and ends the training after some."""

    def __init__(self, steps: int):
        self.steps, self.ends = steps, []

    def on_step(self, step: int, logs: dict) -> None:
        self.ends.append(time.perf_counter())

    def wants_stop(self) -> bool:
        return len(self.ends) >= self.steps

    def seconds(self) -> float:
        return statistics.median(np.diff(self.ends[WARM_UP - 1 :]))


def main() -> None:
    """Print the seconds of each case as JSON."""
    cases = sys.argv[1:] or list_cases()
    images = {ndim: open_images(ndim) for ndim in {int(case.split("_")[-2][0]) for case in cases}}
    steps = {case: time_step(case, images) for case in cases}
    about = {"what": "a training step of fast_nuclei / of the stardist package", "unit": "s"}
    if PEER in steps:
        theirs = time_peer()
        about |= {"ours": steps[PEER], "theirs": theirs, "ratio": theirs / steps[PEER], "goal": 1}
    print(json.dumps(about | {"steps": steps}))


def list_cases() -> list[str]:
    """method_dimensions_preset of every network, in a fixed order."""
    networks = [row for row in methods.ROWS if row.trained and row.parameters]
    cases = []
    for row in networks:
        for ndim in row.dims:
            cases += [f"{row.name}_{ndim}D_{preset}" for preset in STEPS]
    return cases


def open_images(ndim: int) -> data.DataSet:
    """Noisy images with labels and clean partners: what any of the methods learns from."""
    settings = {"shape_px": SHAPES[ndim]}
    return data.DataSet.of(list(simulate.make("pairs", count=4, seed=0, settings=settings)))


def time_step(case: str, images: dict[int, data.DataSet]) -> float:
    """Seconds per step of a method trained afresh."""
    name, ndim, preset = case.rsplit("_", 2)
    words = ["epochs=1", f"steps_per_epoch={STEPS[preset]}", "keep=last"]
    words += ["preset=tiny"] if preset == "tiny" else []
    cls, clock = methods.get(name), Clock(STEPS[preset])
    method = cls(cls.Settings.from_dict(cls.Settings.parse(words)))
    plan = training.TrainingPlan(callbacks=(clock,))
    method.fit(images[int(ndim[0])], plan=plan)
    return clock.seconds()


def time_peer() -> float:
    """A step of a StarDist2D with the package's defaults, on one batch already in memory."""
    from stardist.models import Config2D, StarDist2D

    with tempfile.TemporaryDirectory() as folder:
        model = StarDist2D(Config2D(grid=(2, 2)), name="alone", basedir=folder)
        model.prepare_for_training()
        config, rng = model.config, np.random.default_rng(0)
        side, batch = config.train_patch_size[0], config.train_batch_size
        x = rng.normal(size=(batch, side, side, 1)).astype(np.float32)
        inside = rng.random((batch, side // 2, side // 2, 1), np.float32)
        rays = rng.random((batch, side // 2, side // 2, config.n_rays + 1), np.float32)
        seconds, _ = time_call(
            lambda: model.keras_model.train_on_batch(x, [inside, rays]), repeats=5, warm_up=2
        )
    return seconds


if __name__ == "__main__":
    main()
