"""Drawn fields of nuclei with noise, for tests of what is wrong with a data set."""

import numpy as np
from scipy import ndimage

from nbtools import checks
from nbtools.checks import RepairOptions
from nbtools.data import DataSet, Sample
from nbtools.image import Image

NUCLEI = 15  # in each drawn field


def draw_label(seed, *, shape=(160, 160), count=NUCLEI):
    """Discs or balls of 5 to 9 px radius that do not touch."""
    rng, grid = np.random.default_rng(seed), np.indices(shape)
    apart = 20 if len(shape) == 2 else 17
    label, places = np.zeros(shape, np.int32), []
    for _ in range(5000):
        radius = rng.uniform(5, 8)
        place = np.array([rng.uniform(radius + 1, n - radius - 1) for n in shape])
        if all(np.linalg.norm(place - p) > apart for p in places):
            places.append(place)
            away = ((grid - place.reshape(-1, *(1,) * len(shape))) ** 2).sum(0)
            label[away < radius**2] = len(places)
        if len(places) == count:
            return label
    raise AssertionError("no room")


def draw_image(label, seed, *, dark=False, fading=0.0, photons=200):
    """Blurred nuclei of different brightness on a background, with photon noise."""
    rng = np.random.default_rng(seed + 100)
    grey = np.r_[0, rng.uniform(0.6, 1.4, label.max())][label]
    if fading:
        grey = grey * np.exp(-fading * np.indices(label.shape)[0])
    clean = 0.2 + ndimage.gaussian_filter(grey, 1)
    clean = 2 - clean if dark else clean
    return rng.poisson(clean.clip(0.02) * photons).astype(np.uint16)


def make_set(*, label=lambda labels, i: labels[i], count=3, draw=draw_image, shape=(160, 160)):
    """A set in memory; `label` chooses or spoils the label of image i."""
    labels = [draw_label(i, shape=shape) for i in range(count)]
    axes = "ZYX"[-len(shape) :]
    samples = []
    for i in range(count):
        image = Image(draw(labels[i], i), axes, (1.0,) * len(shape))
        samples.append(Sample(f"n{i}", image, Image(np.array(label(labels, i)), axes)))
    return DataSet.of(samples)


def codes_of(dataset):
    return {f.code for f in checks.check(dataset) if f.severity != "note"}


def repair(dataset, folder, **options):
    """The changes and the repaired copy."""
    found = checks.check(dataset)
    changes = checks.fix(dataset, found, folder=folder, options=RepairOptions(**options))
    return changes, DataSet.open(folder)


def count_labels(dataset):
    return [len(np.unique(s.label.pixels[s.label.pixels > 0])) for s in dataset]
