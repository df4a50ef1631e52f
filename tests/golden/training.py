"""A few training steps of every trained method, and what its model predicts: public calls only, so
that any version of nbtools can be asked.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import nbtools as nb
from nbtools import data, training
from nbtools.image import Image

SETTINGS = {"epochs": 1, "steps_per_epoch": 3, "batch_size": 2, "preset": "tiny"}
SETTINGS |= {"augmentation": "flips", "keep": "last"}
PATCHES = {2: {"patch_size": 32}, 3: {"patch_size": 16, "patch_depth": 8}}
OWN_SETTINGS = {
    "forest": {"trees": 4, "pixels": 1500},
    "cdeep3m": {"patch_size": 16, "patch_depth": 5},
    "stardist": {"rays": 16},
    "pn2v": {"samples": 16},
}
SHAPES = {2: (72, 90), 3: (10, 36, 44)}
SPACING = {2: (0.5, 0.5), 3: (1.0, 0.5, 0.5)}
VOLUMES_ONLY = ("cdeep3m",)
METHODS = ("forest", "fast_nuclei", "unet", "border_unet", "stardist", "flows", "qcanet", "cdeep3m")
METHODS += ("planned", "n2v", "care", "rcan", "pn2v", "deconoising")
WITH_CLASSES = ("unet", "stardist")
SPARE = ("weights_last.npz", "weights_best.npz")


def list_cases() -> list[tuple[str, int, bool]]:
    """(method, dimensions, with classes) of every model that is trained here."""
    plain = [(m, d, False) for m in METHODS for d in SHAPES if d == 3 or m not in VOLUMES_ONLY]
    return plain + [(m, 2, True) for m in WITH_CLASSES]


def name_case(method: str, ndim: int, classes: bool) -> str:
    return f"{method}_{ndim}D{'_classes' * classes}"


def make_sample(seed: int, ndim: int) -> data.Sample:
    """Dim and bright blobs on a noisy background: with labels, classes, and without the noise."""
    rng, shape = np.random.default_rng(seed), SHAPES[ndim]
    grid, label = np.indices(shape), np.zeros(shape, np.uint16)
    clean, classes = np.full(shape, 100.0, np.float32), {}
    for number, centre in enumerate(_lattice(shape), start=1):
        centre = np.array(centre) + rng.uniform(-1, 1, ndim)
        radius = np.array((3.0, 6.0, 6.0)[-ndim:])
        apart = ((grid.T - centre) / radius).T
        inside = (apart**2).sum(axis=0) < 1
        bright = bool(rng.random() < 0.5)
        label[inside], clean[inside] = number, 900 if bright else 400
        classes[number] = "bright" if bright else "dim"
    noisy = (clean + rng.normal(0, 20, shape)).clip(0).astype(np.uint16)
    about = {"axes": "ZYX"[-ndim:], "spacing": SPACING[ndim], "name": f"sample{seed}"}
    partners = {"label": Image(label, **about), "clean": Image(clean, **about)}
    return data.Sample(f"sample{seed}", Image(noisy, **about), **partners, classes=classes)


def _lattice(shape: tuple[int, ...]) -> Iterator[tuple[float, ...]]:
    """Centres of blobs that do not touch."""
    middle = (shape[0] / 2,) * (len(shape) - 2)
    for y in range(10, shape[-2] - 8, 17):
        for x in range(10, shape[-1] - 8, 17):
            yield (*middle, y, x)


def open_sets(ndim: int, *, classes: bool) -> tuple[data.DataSet, data.DataSet]:
    """Training and validation images."""
    samples = [make_sample(seed, ndim) for seed in range(4)]
    for sample in samples if not classes else ():
        sample.classes.clear()
    return data.DataSet.of(samples[:3]), data.DataSet.of(samples[3:])


class Losses:
    """A callback that keeps the loss of each step."""

    def __init__(self):
        self.values: list[float] = []

    def on_step(self, step: int, logs: dict) -> None:
        self.values.append(float(logs["loss"]))


def train(case: tuple[str, int, bool], folder: Path) -> dict:
    """Train for three steps and save the model: loss of each step, and hash of the weights."""
    name, ndim, classes = case
    shared = {} if name == "forest" else SETTINGS | PATCHES[ndim]
    words = [f"{k}={v}" for k, v in (shared | OWN_SETTINGS.get(name, {})).items()]
    cls = nb.methods.get(name)
    method = cls(cls.Settings.from_dict(cls.Settings.parse(words)))
    losses = Losses()
    plan = training.TrainingPlan(seed=3, callbacks=(losses,))
    method.fit(*open_sets(ndim, classes=classes), plan=plan)
    method.save(folder)
    return {"losses": losses.values, "weights": hash_weights(folder)}


def hash_weights(folder: Path) -> str:
    """Hash of the arrays of a model in their order, whatever their names are."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.glob("*.npz") if p.name not in SPARE):
        with np.load(path, allow_pickle=False) as arrays:
            for key in sorted(arrays.files):
                digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()


def predict(folder: Path, ndim: int) -> dict[str, np.ndarray]:
    """What a saved model predicts for one image: result, and mean and deviation of its maps."""
    found = nb.methods.load(folder).predict(make_sample(9, ndim).image, raw=True)
    maps = np.concatenate(list(found.raw.values()), axis=-1).astype(np.float64)
    told = {"mean": maps.mean(axis=tuple(range(ndim))), "std": maps.std(axis=tuple(range(ndim)))}
    if found.classes:
        told["classes"] = np.array([found.classes[k] for k in sorted(found.classes)])
    if found.labels is not None:
        kind = np.uint8 if found.labels.pixels.max() < 256 else np.uint16
        return told | {"labels": found.labels.pixels.astype(kind)}
    return told | {"image": found.image.pixels.astype(np.float16)}


def fingerprint() -> dict:
    """Machine and libraries: only where they are the same, numbers are equal bit by bit."""
    packages = ("numpy", "scipy", "scikit-image", "scikit-learn", "keras", "tensorflow-cpu")
    return {
        "processor": _describe_processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: _find_version(name) for name in packages},
    }


def _describe_processor() -> str:
    """Model and instruction sets, hashed."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.is_file() else [platform.processor()]
    wanted = ("vendor_id", "cpu family", "model", "stepping", "flags")
    told = sorted({line for line in lines if line.startswith(wanted)})
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _find_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
