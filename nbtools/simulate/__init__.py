"""Simulated images of nuclei with exact truth: phantom, then optics, then camera (after CytoPacq, doi:10.1093/bioinformatics/btz242).

The steps stand in `packing` (where nuclei lie), `phantom` (labels and dye) and `optics` (blur, noise, grey values).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbtools import __version__
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.simulate import optics, packing, phantom
from nbtools.simulate.settings import NucleiSettings

if TYPE_CHECKING:
    from nbtools.data import DataSet, Sample

FINEST = 5  # planes rendered for each plane of the camera, at most

_VOLUME = {
    "shape_px": (24, 96, 96), "spacing_um": (1.0, 0.4, 0.4), "radius_um": (2.5, 6.0), "density": (0.04, 0.3), "dome": (0.0, 0.3),
    "psf_um": (0.12, 0.5), "psf_stretch": (2.0, 3.5),
}  # fmt: skip
_TISSUE = {
    **_VOLUME, "shape_px": (24, 128, 128), "spacing_um": (1.5, 0.5, 0.5), "radius_um": (2.5, 4.0), "density": (0.45, 0.6), "cut": 1.0,
    "squeeze": (0.05, 0.2), "elongation": (1.1, 1.8), "background": (0.02, 0.2), "clustering": (0.0,),
}  # fmt: skip
KINDS = {"nuclei2d": {}, "nuclei3d": _VOLUME, "tissue": _TISSUE}  # kind of image: what differs from NucleiSettings()


def settings_for(kind: str, changes: dict | None = None) -> NucleiSettings:
    """The settings of a kind of image, with some changed: `settings_for("nuclei3d", {"photons": (50, 200)})`."""
    if kind not in KINDS:
        raise UserError("The kind of image to simulate must be a known one.", repr(kind), f"Use one of: {', '.join(KINDS)}.")
    return NucleiSettings.from_dict({**KINDS[kind], **(changes or {})})


def make(kind: str, *, count: int, seed: int, settings: NucleiSettings | dict | None = None) -> DataSet:
    """A data set of simulated images with exact labels.

    kind : "nuclei2d", "nuclei3d", or "tissue" (dense, touching, z three times coarser).
    count : images. seed : image i depends on seed and i alone, so that more images leave the first ones as they are.
    settings : all of them, or a dictionary of those that differ from the kind's.

    >>> [s.label.pixels.max() for s in make("nuclei2d", count=2, seed=0, settings={"count": 5, "shape_px": (128, 128)})]
    [5, 5]
    """
    from nbtools.data import DataSet

    given = settings.to_dict() if isinstance(settings, NucleiSettings) else settings
    settings = settings_for(kind, given)
    if count < 1:
        raise UserError("At least one image must be asked for.", count, "Use --count 10.")
    images = (nuclei(settings, rng=np.random.default_rng([seed, i])) for i in range(count))
    dataset = DataSet.of([_named(sample, f"{kind}_{i:03d}") for i, sample in enumerate(images)], name=kind)
    dataset.meta.update(licence="CC0-1.0", source=f"nbtools {__version__}: {write_command(kind, settings, count=count, seed=seed)}")
    return dataset


def write_command(kind: str, settings: NucleiSettings, *, count: int, seed: int) -> str:
    """The command that makes the same images again.

    >>> write_command("nuclei2d", settings_for("nuclei2d", {"bits": 8}), count=6, seed=1)
    'nbtools simulate nuclei2d --count 6 --seed 1 --set bits=8'
    """
    usual, changed = settings_for(kind).to_dict(), settings.to_dict()
    words = {k: ",".join(map(str, v)) if isinstance(v, list) else str(v).lower() for k, v in changed.items() if v != usual[k]}
    command = f"nbtools simulate {kind} --count {count} --seed {seed}"
    return command + (" --set " + " ".join(f"{k}={v}" for k, v in words.items()) if words else "")


def nuclei(settings: NucleiSettings | None = None, *, ndim: int = 2, rng: np.random.Generator) -> Sample:
    """One image of nuclei, with its exact labels.

    settings : None for those of "nuclei2d" or "nuclei3d", by `ndim`.
    Returns a sample: image uint8 or uint16, labels 1..N, both with the spacing in µm.
    """
    from nbtools.data import Sample

    settings = settings or settings_for(f"nuclei{ndim}d")
    drawn = settings.draw(rng)
    label, dye, fine = _paint_phantom(settings, drawn, rng=rng)
    light = optics.blur_dye(dye, drawn, spacing=fine)
    planes = slice(None, None, round(settings.spacing_um[0] / fine[0]))
    photons = optics.light_field(light[planes], drawn, rng=rng)
    pixels = optics.expose_camera(photons, settings, drawn=drawn, rng=rng)
    about = {"axes": "ZYX"[-settings.ndim :], "spacing": settings.spacing_um, "name": "nuclei"}
    return Sample("nuclei", Image(pixels, **about), Image(label, **about))


def _paint_phantom(settings: NucleiSettings, drawn: dict, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label on the camera's grid, dye on a grid with finer planes, and the spacing of that: light mixes between the planes of a camera."""
    spacing = np.array(settings.spacing_um)
    finer = 1 if settings.ndim == 2 else int(np.clip(round(spacing[0] / spacing[-1]), 1, FINEST))
    shape = ((settings.shape_px[0] - 1) * finer + 1, *settings.shape_px[1:])
    fine = np.array([spacing[0] / finer, *spacing[1:]])
    bodies = packing.place_nuclei((np.array(settings.shape_px) - 1) * spacing, drawn, count=settings.count, cut=settings.cut, rng=rng)
    label, dye = phantom.paint_nuclei(bodies, drawn, shape=shape, spacing=fine, rng=rng)
    full_size = packing.SPHERE[settings.ndim] * bodies.radius**settings.ndim / np.prod(spacing)
    seen = label[::finer]
    kept = phantom.keep_whole_nuclei(seen, full_size)
    gone = np.setdiff1d(seen, seen[kept])
    dye[::finer][~kept] = 0
    dye[np.isin(label, gone)] = 0
    return phantom.name_in_order(np.where(kept, seen, 0)), dye, fine


def _named(sample: Sample, name: str) -> Sample:
    return sample.replace(name=name, image=sample.image.replace(name=name), label=sample.label.replace(name=name))
