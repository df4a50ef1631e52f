"""What the shipped weights predict on the samples."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from golden.commands import run

import nbtools as nb

SAMPLES = {
    "nuclei2d": ("nuclei2d", "simulated2d"),
    "nuclei2d_small": ("nuclei2d", "simulated2d"),
    "nuclei2d_flows": ("nuclei2d", "simulated2d"),
    "nuclei2d_histology": ("colours",),
    "nuclei3d": ("nuclei3d", "simulated3d"),
    "denoise2d": ("simulated_pairs",),
}


def predict_all(folder: Path) -> dict:
    """Weights → sample set → result of each image."""
    return {w: {s: predict(w, s, folder / w / s) for s in SAMPLES[w]} for w in SAMPLES}


def predict(weights: str, sample: str, folder: Path) -> dict:
    """Predict a sample set from the command line: decoding values, and each image's result."""
    images = folder / "images"
    images.mkdir(parents=True)
    for name, image in open_sample(sample):
        nb.io.write_image(images / f"{name}.tif", image)
    out = folder / "found"
    code, document = run(["predict", weights, images, "--out", out, "--quiet"])
    if code:
        raise AssertionError(f"nbtools predict {weights} ended with {code}")
    found = {
        path.stem: describe(nb.io.read_image(path).pixels) for path in sorted(out.glob("*.tif"))
    }
    return {"decoding": document.get("decoding"), "images": found}


def open_sample(name: str) -> list[tuple[str, object]]:
    """Names and images; "colours" is a sample in three channels."""
    known = nb.data.samples("nuclei2d" if name == "colours" else name)
    images = [(known[i].name, known[i].image) for i in range(min(2, len(known)))]
    return [(n, colour(image)) for n, image in images] if name == "colours" else images


def colour(image: object) -> object:
    """A grey image as a stained section: dark violet nuclei on a pink ground."""
    grey = np.clip(image.pixels / max(1.0, float(np.percentile(image.pixels, 99.8))), 0, 1)
    ground, nuclei = np.array((235.0, 200.0, 220.0)), np.array((90.0, 50.0, 140.0))
    pixels = ground + grey[..., None] * (nuclei - ground)
    return image.replace(pixels=pixels.round().astype(np.uint8), axes="YXC")


def describe(pixels: np.ndarray) -> dict:
    """Hash of the exact result, and numbers that hold on every machine."""
    whole = pixels if pixels.dtype.kind in "iu" else np.rint(pixels)
    digest = hashlib.sha256(np.ascontiguousarray(whole.astype(np.int32)).tobytes()).hexdigest()
    told = {"shape": list(pixels.shape), "sha256": digest}
    if pixels.dtype.kind in "iu":
        return told | {"nuclei": len(np.unique(pixels[pixels > 0]))}
    return told | {"mean": float(pixels.mean()), "std": float(pixels.std())}
