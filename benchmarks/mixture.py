"""The images that `nuclei2d` learns from beside DSB2018: real ones in other sizes, simulated ones.

`python benchmarks/mixture.py OUT [--seed 0]`, with the data sets under $NBTOOLS_DATA; some
minutes. Writes five data sets into OUT: `cells`, a part of `micronuclei_cells` and
`u2os_cells`; `rescaled`, training images of DSB2018 and of `cells` with nuclei of 8 to 110 px,
some hazy, uneven or 16 bit; `simulated`, fields of cultures and dense tissue; `tissue`, dense
tissue whose nuclei hardly part; `backgrounds`, images without a nucleus. And `cells_val`, the
other part of the cells, which nothing learns from. Images and labels are a function of the
seed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from nbtools import config, simulate
from nbtools.data import DataSet, Sample, write_dataset
from nbtools.geometry import equivalent_diameters
from nbtools.image import Image

CELLS = ("micronuclei_cells", "u2os_cells")
SIZES, ZOOMS, SIDE = (8.0, 110.0), (0.3, 5.0), 448  # px, times, px
COUNTS = {
    "rescaled": 260,
    "culture": 90,
    "tissue": 220,
    "large": 50,
    "backgrounds": 60,
    "thick": 180,
}
# settings of `nbtools simulate nuclei2d` that differ from the default, by kind of field
LOOKS = {
    "culture": {
        "shape_px": (384, 384),
        "radius_um": (2.5, 14.0),
        "debris": 0.15,
        "nucleoli": (0.0, 6.0),
        "chromocentres": (0.0, 14.0),
        "haze": (0.0, 0.5),
        "brightness_spread": (0.1, 0.9),
        "background": (0.01, 0.4),
    },
    "tissue": {
        "shape_px": (448, 448),
        "radius_um": (2.8, 10.0),
        "radius_spread": (0.12, 0.3),
        "density": (0.6, 0.8),
        "elongation": (1.1, 1.7),
        "squeeze": (0.08, 0.25),
        "clustering": (0.0,),
        "chromocentres": (0.0, 14.0),
        "nucleoli": (0.0, 2.0),
        "granularity": (0.1, 0.6),
        "brightness_spread": (0.1, 0.45),
        "dome": (0.1, 0.9),
        "haze": (0.0, 0.4),
        "background": (0.02, 0.3),
        "psf_um": (0.25, 0.9),
        "photons": (50.0, 2000.0),
        "cut": 1.0,
    },
    "large": {
        "shape_px": (448, 448),
        "radius_um": (14.0, 28.0),
        "density": (0.1, 0.5),
        "nucleoli": (0.0, 8.0),
        "chromocentres": (0.0, 14.0),
        "granularity": (0.1, 0.8),
        "debris": 0.3,
        "haze": (0.0, 0.4),
        "psf_um": (0.3, 1.5),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write_sets(args.out, seed=args.seed)


def write_sets(out: Path, *, seed: int) -> None:
    """Write all data sets into a folder."""
    train, held = split_cells()
    dsb2018 = list(DataSet.open(find_data() / "dsb2018_fluorescence" / "train"))
    rescaled = [
        rescale(sample, rng=np.random.default_rng([seed, 1, i]))
        for i, sample in enumerate(choose(dsb2018, train, count=COUNTS["rescaled"]))
    ]
    made = {
        "cells": train,
        "cells_val": held,
        "rescaled": [sample for sample in rescaled if sample is not None],
        "simulated": simulate_fields(seed),
        "tissue": simulate_tissue(seed),
        "backgrounds": [
            draw_background(np.random.default_rng([seed, 5, i]), f"background_{i:03d}")
            for i in range(COUNTS["backgrounds"])
        ],
    }
    for name, samples in made.items():
        write_dataset(DataSet.of(samples, name=name), out / name)
        print(f"{name}: {len(samples)} images", flush=True)


def find_data() -> Path:
    return Path(config.environment("NBTOOLS_DATA", "."))


def learns(name: str) -> bool:
    """Whether an image of the cells is learned from: by the hash of its name.

    Fields of one well of `u2os_cells` stay together: the field's number is left out.
    """
    well = name.rsplit("f", 1)[0] if name.startswith("MFGTMP") else name
    return int(hashlib.sha256(well.encode()).hexdigest(), 16) % 2 == 0


def split_cells() -> tuple[list[Sample], list[Sample]]:
    """The cells to learn from, and those of the panel."""
    samples = [s for name in CELLS for s in DataSet.open(find_data() / name / "all")]
    return [s for s in samples if learns(s.name)], [s for s in samples if not learns(s.name)]


def choose(dsb2018: list[Sample], cells: list[Sample], *, count: int) -> list[Sample]:
    """Images to rescale: the cells as they are, then those of DSB2018 one after the other."""
    more = [dsb2018[i * len(dsb2018) // (count - len(cells))] for i in range(count - len(cells))]
    return cells + more


def rescale(sample: Sample, *, rng: np.random.Generator) -> Sample | None:
    """An image with nuclei of another size, cut, and made worse half of the time."""
    grey = sample.image.to("YX").pixels.astype(np.float32)
    label = sample.label.to("YX").pixels
    sizes = equivalent_diameters(label)
    if len(sizes) < 2:
        return None
    wished = np.exp(rng.uniform(*np.log(SIZES)))
    zoom = float(np.clip(wished / np.median(sizes), *ZOOMS))
    side = round(SIDE / zoom)
    y, x = (int(rng.integers(0, max(n - side, 0) + 1)) for n in grey.shape)
    grey, label = grey[y : y + side, x : x + side], label[y : y + side, x : x + side]
    shape = tuple(round(n * zoom) for n in grey.shape)
    if min(shape) < 64:
        return None
    grey = resize(grey, shape, order=1, anti_aliasing=zoom < 1, preserve_range=True)
    label = resize(label, shape, order=0, anti_aliasing=False, preserve_range=True)
    label = drop_slivers(label.astype(np.int32))
    size = float(np.median(sizes)) * zoom
    if rng.random() < 0.5:
        grey = spoil(grey, size=size, rng=rng)
    return pack(f"{sample.name}_x{zoom:.2f}", grey, label, rng=rng)


def drop_slivers(label: np.ndarray, *, least: int = 12) -> np.ndarray:
    """Without nuclei of fewer pixels than `least`."""
    small = np.bincount(label.ravel()) < least
    small[0] = False
    return np.where(small[label], 0, label)


def spoil(grey: np.ndarray, *, size: float, rng: np.random.Generator) -> np.ndarray:
    """Haze, light that is uneven, and a background with texture, each at random.

    Parameters
    ----------
    grey : (Y, X) float.
    size : diameter of the nuclei, in pixels.
    rng : random numbers.
    """
    low, high = np.percentile(grey, (1, 99.5))
    span = max(float(high - low), 1.0)
    if rng.random() < 0.6:
        glow = ndimage.gaussian_filter(grey, size * rng.uniform(0.4, 1.5))
        grey = grey + rng.uniform(0.2, 1.0) * (glow - low)
    if rng.random() < 0.6:
        grey = grey + span * rng.uniform(0.03, 0.25) * make_texture(grey.shape, rng=rng)
    if rng.random() < 0.5:
        grey = low + (grey - low) * shade(grey.shape, rng=rng)
    return grey


def make_texture(shape: tuple[int, ...], *, rng: np.random.Generator) -> np.ndarray:
    """A cloudy background of 0 … about 1, its grain from 2 to 40 px."""
    total = np.zeros(shape)
    for width in np.exp(rng.uniform(np.log(2), np.log(40), 3)):
        layer = ndimage.gaussian_filter(rng.standard_normal(shape), width, mode="wrap")
        total += rng.uniform(0.3, 1.0) * layer / max(layer.std(), 1e-9)
    return np.clip(0.5 + total / 4, 0, 1.5)


def shade(shape: tuple[int, ...], *, rng: np.random.Generator) -> np.ndarray:
    """Light that falls off to one side: factors from 0.3 to 1."""
    y, x = (np.linspace(-1, 1, n) for n in shape)
    way = rng.uniform(-1, 1, 2)
    slope = way[0] * y[:, None] + way[1] * x[None]
    return 1 - rng.uniform(0.2, 0.7) * (slope - slope.min()) / max(np.ptp(slope), 1e-9)


def simulate_fields(seed: int) -> list[Sample]:
    """Fields of all looks; two in three of the tissues and a third of the others show layers out
    of focus.
    """
    found = []
    for number, (look, changes) in enumerate(LOOKS.items()):
        settings = {**changes, "bits": 16}
        made = simulate.make("nuclei2d", count=COUNTS[look], seed=seed + number, settings=settings)
        behind = simulate.make(
            "nuclei2d", count=COUNTS[look], seed=seed + 100 + number, settings=settings
        )
        for i, (sample, other) in enumerate(zip(made, behind, strict=True)):
            rng = np.random.default_rng([seed, 2, number, i])
            sample = press(sample, rng=rng) if look == "tissue" else sample
            blurs = rng.random() < (0.67 if look == "tissue" else 0.33)
            found.append(finish(sample, other if blurs else None, name=f"{look}_{i:03d}", rng=rng))
    return found


def press(sample: Sample, *, rng: np.random.Generator, seam: float | None = None) -> Sample:
    """A field of nuclei as tissue: drawn out and bent together, with gaps between neighbours and
    without nuclei in a part of it.

    Bright spots are dimmed by a power of the grey value.

    Parameters
    ----------
    sample : simulated.
    rng : random numbers.
    seam : how dark the gaps are, 0 to 1; None: drawn at random.
    """
    grey, label = sample.image.pixels.astype(np.float32), sample.label.pixels.astype(np.int32)
    low = float(np.percentile(grey, 1))
    span = max(float(np.percentile(grey, 99.5)) - low, 1.0)
    grey = np.maximum(grey - low, 0) / span
    if rng.random() < 0.4:
        grey, label = empty_a_part(grey, label, rng=rng)
    inner = find_boundaries(label, mode="inner") & (label > 0)
    gaps = ndimage.gaussian_filter(inner.astype(np.float32), rng.uniform(0.5, 1.2))
    depth = rng.uniform(0.0, 0.8) if seam is None else seam
    grey = grey * (1 - depth * np.clip(1.5 * gaps, 0, 1))
    grey = grey ** rng.uniform(0.4, 1.0)
    drawn = np.sqrt(rng.uniform(1.0, 2.4))  # out along Y, and pressed along X
    y, x = np.mgrid[: label.shape[0], : round(label.shape[1] / drawn)].astype(np.float32)
    turns = rng.uniform(100, 300)
    height = rng.uniform(0, 0.08) * turns
    places = np.stack([y / drawn + height * np.sin(x / turns * 2 * np.pi), x * drawn])
    grey = ndimage.map_coordinates(grey, places, order=1, mode="reflect")
    label = ndimage.map_coordinates(label, places, order=0, mode="reflect")
    image = sample.image.replace(pixels=(1000 * grey).astype(np.float32), spacing=None)
    label = part_mirrored(label)
    return sample.replace(
        image=image, label=sample.label.replace(pixels=drop_slivers(label), spacing=None)
    )


def simulate_tissue(seed: int) -> list[Sample]:
    """Fields of dense tissue whose nuclei hardly part: blurred, or dim with many fine spots, as in
    thick and in confocal sections.
    """
    settings = {**LOOKS["tissue"], "density": (0.7, 0.8), "chromocentres": (0.0, 4.0), "bits": 16}
    made = simulate.make("nuclei2d", count=COUNTS["thick"], seed=seed + 20, settings=settings)
    behind = simulate.make("nuclei2d", count=COUNTS["thick"], seed=seed + 120, settings=settings)
    found = []
    for i, (sample, other) in enumerate(zip(made, behind, strict=True)):
        rng = np.random.default_rng([seed, 6, i])
        sample = press(spot(sample, rng=rng), rng=rng, seam=float(rng.choice([0.0, 0.3, 0.6])))
        sample = blur(sample, rng=rng)
        other = other if rng.random() < 0.5 else None
        found.append(finish(sample, other, name=f"thick_{i:03d}", rng=rng))
    return found


def spot(sample: Sample, *, rng: np.random.Generator) -> Sample:
    """A field with fine bright spots in its nuclei, half of the time."""
    if rng.random() < 0.5:
        return sample
    label = sample.label.pixels.astype(np.int32)
    size = float(np.median(equivalent_diameters(label))) if label.any() else 20.0
    grey = sample.image.pixels.astype(np.float32)
    low, high = np.percentile(grey, (1, 99))
    each = rng.uniform(3, 18) / (np.pi / 4 * size**2)  # spots a pixel
    spots = ((rng.random(label.shape) < each) & (label > 0)).astype(np.float32)
    width = size * rng.uniform(0.02, 0.07)
    spots = ndimage.gaussian_filter(spots * rng.uniform(0.3, 1, label.shape), width)
    grey = grey + (high - low) * rng.uniform(0.4, 1.8) * spots * (2 * np.pi * width**2)
    return sample.replace(image=sample.image.replace(pixels=grey.astype(np.float32)))


def blur(sample: Sample, *, rng: np.random.Generator) -> Sample:
    """A field out of focus, more or less."""
    label = sample.label.pixels
    size = float(np.median(equivalent_diameters(label))) if label.any() else 20.0
    width = size * rng.uniform(0.0, 0.09)
    grey = ndimage.gaussian_filter(sample.image.pixels.astype(np.float32), width)
    return sample.replace(image=sample.image.replace(pixels=grey))


def part_mirrored(label: np.ndarray) -> np.ndarray:
    """Labels of connected parts: the mirror image of a nucleus is another one."""
    from skimage.measure import label as find_parts

    return find_parts(label, background=0, connectivity=1).astype(np.int32)


def empty_a_part(
    grey: np.ndarray, label: np.ndarray, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A field without the nuclei in a blob of it, as in a lumen."""
    cloud = ndimage.gaussian_filter(rng.standard_normal(label.shape), rng.uniform(30, 70))
    blob = cloud > np.quantile(cloud, rng.uniform(0.5, 0.9))
    inside = np.bincount(label.ravel(), blob.ravel()) > 0.5 * np.bincount(label.ravel())
    inside[0] = False
    gone = inside[label] | (blob & (label == 0))
    ground = float(np.percentile(grey, 2))
    keeps = 1 - ndimage.gaussian_filter(gone.astype(np.float32), 1.0)
    return ground + (grey - ground) * keeps, np.where(inside[label], 0, label)


def finish(sample: Sample, behind: Sample | None, *, name: str, rng: np.random.Generator) -> Sample:
    """A simulated field as a microscope shows it: with a layer out of focus, and texture."""
    grey = sample.image.pixels.astype(np.float32)
    label = sample.label.pixels.astype(np.int32)
    size = float(np.median(equivalent_diameters(label))) if label.any() else 20.0
    low, high = np.percentile(grey, (1, 99.5))
    span = max(float(high - low), 1.0)
    if behind is not None:
        glow = behind.image.pixels.astype(np.float32)[: grey.shape[0], : grey.shape[1]]
        glow = ndimage.gaussian_filter(glow, size * rng.uniform(0.12, 0.6))
        glow = (glow - glow.min()) / max(float(np.ptp(glow)), 1.0)
        grey = grey + span * rng.uniform(0.15, 0.7) * glow
    if rng.random() < 0.4:
        grey = grey + span * rng.uniform(0.03, 0.3) * make_texture(grey.shape, rng=rng)
    if rng.random() < 0.3:
        grey = low + (grey - low) * shade(grey.shape, rng=rng)
    return pack(name, grey, label, rng=rng)


def draw_background(rng: np.random.Generator, name: str) -> Sample:
    """An image without a nucleus: noise, texture, haze, fibres, specks, weak or strong."""
    shape = (320, 320)
    grey = np.full(shape, 1.0)
    if rng.random() < 0.8:
        grey = grey + rng.uniform(0.1, 2.0) * make_texture(shape, rng=rng)
    if rng.random() < 0.4:
        grey = grey + rng.uniform(0.2, 1.5) * draw_fibres(shape, rng=rng)
    if rng.random() < 0.4:
        specks = (rng.random(shape) < rng.uniform(2e-4, 2e-3)).astype(float)
        specks = ndimage.gaussian_filter(specks, rng.uniform(0.5, 1.5))
        grey = grey + rng.uniform(0.5, 3.0) * specks / max(specks.max(), 1e-9)
    if rng.random() < 0.5:
        grey = grey * shade(shape, rng=rng)
    photons = np.exp(rng.uniform(np.log(5), np.log(500)))
    grey = rng.poisson(grey * photons) + rng.uniform(0.5, 4) * rng.standard_normal(shape)
    return pack(name, grey, np.zeros(shape, np.int32), rng=rng)


def draw_fibres(shape: tuple[int, ...], *, rng: np.random.Generator) -> np.ndarray:
    """Bright lines, as of fibres and scratches: 0 … 1."""
    canvas = np.zeros(shape)
    steps = np.linspace(0, 1, 4 * max(shape))
    for _ in range(rng.integers(3, 25)):
        (y0, x0), (y1, x1) = rng.uniform(-0.2, 1.2, (2, 2)) * shape
        bend = rng.uniform(-40, 40) * np.sin(np.pi * steps)
        y, x = y0 + (y1 - y0) * steps + bend, x0 + (x1 - x0) * steps
        inside = (y >= 0) & (x >= 0) & (y < shape[0]) & (x < shape[1])
        canvas[y[inside].astype(int), x[inside].astype(int)] = rng.uniform(0.3, 1)
    canvas = ndimage.gaussian_filter(canvas, rng.uniform(0.7, 3))
    return canvas / max(canvas.max(), 1e-9)


def pack(name: str, grey: np.ndarray, label: np.ndarray, *, rng: np.random.Generator) -> Sample:
    """A sample of 8 or 16 bit, each half of the time."""
    grey = grey - grey.min()
    if rng.random() < 0.5:
        top, kind = rng.uniform(60, 255), np.uint8
    else:
        top, kind = np.exp(rng.uniform(np.log(800), np.log(40_000))), np.uint16
    brightest = max(float(np.percentile(grey, 99.95)), 1e-9)
    pixels = np.clip(np.round(grey * top / brightest), 0, np.iinfo(kind).max).astype(kind)
    about = {"axes": "YX", "name": name}
    return Sample(name, Image(pixels, **about), Image(label.astype(np.uint16), **about))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
