"""Small samples with every partner that a method may need, and settings for a short training."""

import numpy as np

from nbtools import data, methods
from nbtools.geometry import centroids
from nbtools.image import Image
from nbtools.targets.boxes import boxes_of_labels

TINY = {
    "epochs": 2,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "patch_size": 32,
    "patch_depth": 8,
    "preset": "tiny",
    "augmentation": "flips",
}
SHAPES = {2: (70, 83), 3: (9, 33, 41)}
SPACING = {2: (0.3, 0.3), 3: (1.0, 0.4, 0.4)}


def make_sample(seed: int, ndim: int) -> data.Sample:
    """Two bright blobs on a dim, noisy background, with every partner that a method may need."""
    rng, shape = np.random.default_rng(seed), SHAPES[ndim]
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    label = np.zeros(shape, np.uint16)
    for i, part in enumerate((0.3, 0.7), start=1):
        centre = np.array(shape) * part + rng.uniform(-2, 2, ndim)
        radius = np.array((3.0, 7.0, 7.0))[-ndim:]
        label[
            (
                ((grid - centre.reshape(-1, *(1,) * ndim)) / radius.reshape(-1, *(1,) * ndim)) ** 2
            ).sum(0)
            < 1
        ] = i
    clean = (100 + 400 * (label > 0)).astype(np.float32)
    pixels = (clean + rng.normal(0, 20, shape)).clip(0).astype(np.uint16)
    name, about = (
        f"sample{seed}",
        {"axes": "ZYX"[-ndim:], "spacing": SPACING[ndim], "name": f"sample{seed}"},
    )
    kind = ("odd", "even")[seed % 2 == 0]
    truth = {
        "label": Image(label, **about),
        "clean": Image(clean, **about),
        "centres": centroids(label),
        "boxes": boxes_of_labels(label),
        "class_name": kind,
        "unpaired": Image((500 - clean).astype(np.float32), **about),
    }
    if kind == "odd":
        pixels = 600 - pixels
    return data.Sample(name, Image(pixels, **about), **truth)


def tiny(name: str) -> methods.Method:
    cls = methods.get(name)
    known = {d.name: d for d in cls.Settings.declarations()}
    changes = {
        k: v
        for k, v in TINY.items()
        if k in known and (known[k].choices is None or v in known[k].choices)
    }
    return cls(**changes)


def data_sets(ndim: int, name: str = "") -> tuple[data.DataSet, data.DataSet]:
    """Three images to learn from and one to choose by; where a method welcomes images without
    labels, two of the three are such.
    """
    train = [make_sample(2 * i, ndim) for i in range(3)]
    if name and "classes" in methods.get(name).needs:
        train = [make_sample(i, ndim) for i in range(3)]
    if name and methods.get(name).welcomes:
        train = [train[0], *(sample.replace(label=None) for sample in train[1:])]
    return data.DataSet.of(train), data.DataSet.of([make_sample(8, ndim)])
